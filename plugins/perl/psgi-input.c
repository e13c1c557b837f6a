/* SPDX-License-Identifier: MIT */
/* psgi.input: the body of the request as a handle.
 *
 * PSGI asks for the methods read() and seek(); frameworks use more of what IO::Handle has, and old
 * code puts the handle in the place of STDIN and reads that. So it is a glob whose IO part is tied
 * to the class of the methods: they and Perl's own read(), readline() and so on end here. The body
 * is complete before the application runs, so nothing waits, and seeking works
 * (psgix.input.buffered). All behave as perlfunc says, $/ included.
 *
 * A handle that nobody has kept serves the next request too. One that was kept reads as an empty
 * body from then on. */
#include "psgi-input.h"

#include <errno.h>

#include "object.h"

#define INPUT_CLASS "liege::input"

/* A separator is looked for in steps of this size. */
#define STEP_BYTES 8192

static struct liege_request *input_request(pTHX_ SV *self)
{
    return (struct liege_request *)object_get(aTHX_ self);
}

/* What is left to read: bounds what read() makes room for, whatever size is asked. */
static uint64_t input_left(struct liege_request *req)
{
    uint64_t position = interp.host->body->tell(req);

    return req->body_length > position ? req->body_length - position : 0;
}

/* Appends @len bytes of the body to @sv, a byte string, or what is left of it. Returns how many. */
static ssize_t input_append(pTHX_ struct liege_request *req, SV *sv, STRLEN len)
{
    STRLEN have = SvCUR(sv), done = 0;
    uint64_t left = input_left(req);

    len = len > left ? (STRLEN)left : len;
    char *to = SvGROW(sv, have + len + 1) + have;
    while (done < len) {
        ssize_t n = interp.host->body->read(req, to + done, len - done);
        if (n < 0)
            return n;
        if (n == 0)
            break;
        done += (STRLEN)n;
    }
    SvCUR_set(sv, have + done);
    *SvEND(sv) = '\0';
    return (ssize_t)done;
}

/* Makes a byte string of @buffer that ends at @offset, where read() is going to append: cut off
 * there or filled up with zeros, counted from the end when negative, as perlfunc has it. */
static void buffer_prepare(pTHX_ SV *buffer, IV offset)
{
    STRLEN have = 0;

    SvGETMAGIC(buffer);
    if (!SvOK(buffer))
        sv_setpvs(buffer, "");
    (void)SvPV_force_nomg(buffer, have);
    if (SvUTF8(buffer)) { /* dies of a wide character */
        (void)sv_utf8_downgrade(buffer, FALSE);
        have = SvCUR(buffer);
    }

    if (offset < 0 && (STRLEN)-offset > have)
        croak("Offset outside string");
    STRLEN end = offset < 0 ? have - (STRLEN)-offset : (STRLEN)offset;
    if (end > have) {
        (void)SvGROW(buffer, end + 1);
        Zero(SvPVX(buffer) + have, end - have, char);
    }
    SvCUR_set(buffer, end);
    *SvEND(buffer) = '\0';
}

/* read(BUFFER, LENGTH[, OFFSET]): the number of bytes; 0 at the end; undef and $! on an error. */
XS_INTERNAL(xs_input_read)
{
    dXSARGS;

    if (items < 3 || items > 4)
        croak_xs_usage(cv, "self, buffer, length, offset = 0");
    struct liege_request *req = input_request(aTHX_ ST(0));
    SV *buffer = ST(1);
    IV length = SvIV(ST(2));
    if (length < 0)
        croak("Negative length");

    buffer_prepare(aTHX_ buffer, items > 3 ? SvIV(ST(3)) : 0);

    ssize_t n = req ? input_append(aTHX_ req, buffer, (STRLEN)length) : 0;
    SvPOK_only(buffer);
    SvSETMAGIC(buffer);
    if (n < 0) {
        errno = (int)-n;
        XSRETURN_UNDEF;
    }
    XSRETURN_IV((IV)n);
}

/* seek(POSITION, WHENCE) */
XS_INTERNAL(xs_input_seek)
{
    dXSARGS;

    if (items < 2 || items > 3)
        croak_xs_usage(cv, "self, position, whence = 0");
    struct liege_request *req = input_request(aTHX_ ST(0));
    IV position = SvIV(ST(1));
    IV whence = items > 2 ? SvIV(ST(2)) : SEEK_SET;
    if (!req)
        XSRETURN_NO;

    if (whence == SEEK_CUR)
        position += (IV)interp.host->body->tell(req);
    else if (whence == SEEK_END)
        position += (IV)req->body_length;
    if (position < 0 || interp.host->body->seek(req, (uint64_t)position) < 0) {
        errno = EINVAL;
        XSRETURN_NO;
    }
    XSRETURN_YES;
}

XS_INTERNAL(xs_input_tell)
{
    dXSARGS;

    if (items != 1)
        croak_xs_usage(cv, "self");
    struct liege_request *req = input_request(aTHX_ ST(0));
    XSRETURN_IV(req ? (IV)interp.host->body->tell(req) : 0);
}

XS_INTERNAL(xs_input_eof)
{
    dXSARGS;

    if (items < 1) /* eof() passes one argument more */
        croak_xs_usage(cv, "self");
    struct liege_request *req = input_request(aTHX_ ST(0));
    if (req && input_left(req) > 0)
        XSRETURN_NO;
    XSRETURN_YES;
}

/* Reads to the end of the next @separator, or to the end. */
static SV *read_until(pTHX_ struct liege_request *req, const char *separator, STRLEN len)
{
    const struct liege_body *body = interp.host->body;
    uint64_t start = body->tell(req);
    SV *line = newSVpvs("");
    STRLEN searched = 0;

    while (input_append(aTHX_ req, line, STEP_BYTES) > 0) {
        const char *from = SvPVX(line);
        const char *end = ninstr(from + searched, SvEND(line), separator, separator + len);

        searched = SvCUR(line) >= len ? SvCUR(line) - len + 1 : 0;
        if (end) {
            SvCUR_set(line, (STRLEN)(end - from) + len);
            *SvEND(line) = '\0';
            (void)body->seek(req, start + SvCUR(line)); /* a place that was read already */
            break;
        }
    }
    return line;
}

static void skip_newlines(struct liege_request *req)
{
    const struct liege_body *body = interp.host->body;
    const char *line = NULL;

    while (body->read_line(req, 1, &line) == 1) {
        if (*line == '\n')
            continue;
        (void)body->seek(req, body->tell(req) - 1);
        return;
    }
}

/* The next line as $/ defines it; NULL at the end. The caller owns it. */
static SV *input_line(pTHX_ struct liege_request *req)
{
    if (input_left(req) == 0)
        return NULL;
    if (!SvOK(PL_rs)) {
        SV *rest = newSVpvs("");
        (void)input_append(aTHX_ req, rest, SSize_t_MAX);
        return rest;
    }
    if (SvROK(PL_rs)) {
        SV *record = newSVpvs("");
        (void)input_append(aTHX_ req, record, (STRLEN)SvIV(SvRV(PL_rs)));
        return record;
    }

    STRLEN len = 0;
    const char *separator = SvPV_const(PL_rs, len);
    if (len == 0) { /* paragraphs */
        skip_newlines(req);
        if (input_left(req) == 0)
            return NULL;
        SV *paragraph = read_until(aTHX_ req, "\n\n", 2);
        skip_newlines(req);
        return paragraph;
    }
    if (len == 1 && *separator == '\n') {
        const char *line = NULL;
        ssize_t n = interp.host->body->read_line(req, SSize_t_MAX, &line);
        return n > 0 ? newSVpvn(line, (STRLEN)n) : NULL;
    }
    return read_until(aTHX_ req, separator, len);
}

XS_INTERNAL(xs_input_getline)
{
    dXSARGS;

    if (items != 1)
        croak_xs_usage(cv, "self");
    struct liege_request *req = input_request(aTHX_ ST(0));
    SV *line = req ? input_line(aTHX_ req) : NULL;
    if (!line)
        XSRETURN_UNDEF;
    ST(0) = sv_2mortal(line);
    XSRETURN(1);
}

XS_INTERNAL(xs_input_getlines)
{
    dXSARGS;

    if (items != 1)
        croak_xs_usage(cv, "self");
    struct liege_request *req = input_request(aTHX_ ST(0));
    SV *line = NULL;
    SP -= items;
    while (req && (line = input_line(aTHX_ req)))
        mXPUSHs(line);
    PUTBACK;
}

/* readline() and <>: what the context wants. */
XS_INTERNAL(xs_input_readline)
{
    if (GIMME_V == G_LIST)
        xs_input_getlines(aTHX_ cv);
    else
        xs_input_getline(aTHX_ cv);
}

XS_INTERNAL(xs_input_getc)
{
    dXSARGS;

    if (items != 1)
        croak_xs_usage(cv, "self");
    struct liege_request *req = input_request(aTHX_ ST(0));
    SV *byte = sv_2mortal(newSVpvs(""));
    if (!req || input_append(aTHX_ req, byte, 1) != 1)
        XSRETURN_UNDEF;
    ST(0) = byte;
    XSRETURN(1);
}

/* binmode and close have nothing to do, opened is true. */
XS_INTERNAL(xs_input_yes)
{
    dXSARGS;

    PERL_UNUSED_VAR(items);
    XSRETURN_YES;
}

/* fileno: there is no descriptor. */
XS_INTERNAL(xs_input_undef)
{
    dXSARGS;

    PERL_UNUSED_VAR(items);
    XSRETURN_UNDEF;
}

void psgi_input_define(pTHX)
{
    static const struct {
        const char *name;
        XSUBADDR_t function;
    } methods[] = {
        {"read", xs_input_read},         {"READ", xs_input_read},
        {"seek", xs_input_seek},         {"SEEK", xs_input_seek},
        {"tell", xs_input_tell},         {"TELL", xs_input_tell},
        {"eof", xs_input_eof},           {"EOF", xs_input_eof},
        {"getc", xs_input_getc},         {"GETC", xs_input_getc},
        {"binmode", xs_input_yes},       {"BINMODE", xs_input_yes},
        {"close", xs_input_yes},         {"CLOSE", xs_input_yes},
        {"fileno", xs_input_undef},      {"FILENO", xs_input_undef},
        {"getline", xs_input_getline},   {"READLINE", xs_input_readline},
        {"getlines", xs_input_getlines}, {"opened", xs_input_yes},
    };

    for (size_t i = 0; i < C_ARRAY_LENGTH(methods); i++) {
        SV *name = newSVpvf("%s::%s", INPUT_CLASS, methods[i].name);

        (void)newXS(SvPVX(name), methods[i].function, __FILE__);
        SvREFCNT_dec_NN(name);
    }
}

static void bless_into(pTHX_ SV *sv, HV *stash)
{
    SV *ref = newRV_inc(sv);

    (void)sv_bless(ref, stash);
    SvREFCNT_dec_NN(ref);
}

static void handle_new(pTHX)
{
    HV *stash = gv_stashpvs(INPUT_CLASS, GV_ADD);
    GV *gv = MUTABLE_GV(newSV(0));

    gv_init_pvn(gv, stash, "input", sizeof("input") - 1, 0);
    SV *io = MUTABLE_SV(GvIOn(gv));
    bless_into(aTHX_ MUTABLE_SV(gv), stash);
    bless_into(aTHX_ io, stash);
    sv_magic(io, NULL, PERL_MAGIC_tiedscalar, NULL, 0); /* tied to itself */
    object_attach(aTHX_ io, NULL);
    interp.input = gv;
    interp.input_io = SvREFCNT_inc_simple_NN(io);
}

/* Whether the handle is as it was made, and nobody else has it or its inside. */
static bool handle_is_unused(pTHX)
{
    GV *gv = interp.input;
    SV *io = interp.input_io;

    return SvREFCNT(gv) == 1 && isGV_with_GP(gv) && GvREFCNT(gv) == 1 &&
           MUTABLE_SV(GvIOp(gv)) == io && SvREFCNT(io) == 2 && /* the glob's and ours */
           !GvSV(gv) && !GvAV(gv) && !GvHV(gv) && !GvCV(gv) && SvOBJECT(gv) &&
           SvSTASH(gv) == SvSTASH(io) && SvSTASH(gv) == gv_stashpvs(INPUT_CLASS, 0);
}

GV *psgi_input_begin(pTHX_ struct liege_request *req)
{
    if (!interp.input)
        handle_new(aTHX);
    object_set(aTHX_ interp.input_io, req);
    return interp.input;
}

void psgi_input_end(pTHX)
{
    object_set(aTHX_ interp.input_io, NULL);
    if (handle_is_unused(aTHX))
        return;
    SvREFCNT_dec_NN(interp.input_io);
    SvREFCNT_dec_NN(MUTABLE_SV(interp.input));
    interp.input = NULL;
    interp.input_io = NULL;
}
