/* SPDX-License-Identifier: MIT */
/* The bodies a PSGI application may return.
 *
 * In the order in which they are tried:
 *   an array of strings          in one piece when it is small, else piece by piece
 *   a handle of a regular file   by the server, from where the handle stands
 *   an object with path()        by the server, the whole file
 *   anything with getline()      record by record, $/ = \65536
 * The first three have a length that is known, so it is sent. A handle is only taken for its file
 * when reading it would give the file's bytes: not when it is tied, has an encoding, or is of a
 * class with a getline() of its own. Whatever has close() is closed at the end. */
#include "psgi-body.h"

#include <errno.h>
#include <fcntl.h>
#include <perliol.h>
#include <sys/stat.h>
#include <unistd.h>

#include "invoke.h"

/* Pieces up to this many bytes in all are joined and sent at once. */
#define JOIN_MAX_BYTES 32768
/* How much getline() is asked for. */
#define RECORD_BYTES 65536

static SV *item(pTHX_ AV *body, SSize_t i)
{
    SV **sv = av_fetch(body, i, 0);

    return sv ? *sv : &PL_sv_undef;
}

static void send_joined(pTHX_ struct psgi_call *call, AV *body, SSize_t n, size_t total)
{
    SV *joined = sv_2mortal(newSV(total + 1));

    SvPVCLEAR(joined);
    for (SSize_t i = 0; i < n; i++) {
        STRLEN len = 0;
        const char *data = answer_bytes(aTHX_ item(aTHX_ body, i), &len);

        sv_catpvn_nomg(joined, data, len);
    }
    (void)answer_end(aTHX_ call, SvPVX(joined), SvCUR(joined));
}

static void send_array(pTHX_ struct psgi_call *call, struct answer_head *h, AV *body)
{
    SSize_t n = av_top_index(body) + 1;
    const char *data = "";
    STRLEN len = 0;
    size_t total = 0;

    /* All of it is looked at before the head goes out: a wide character can still be a 500. */
    for (SSize_t i = 0; i < n; i++) {
        data = answer_bytes(aTHX_ item(aTHX_ body, i), &len);
        total += len;
    }
    bool joined = n > 1 && total <= JOIN_MAX_BYTES;
    if (!answer_start(aTHX_ call, h, n > 1 && !joined ? total : ANSWER_LENGTH_UNKNOWN))
        return;
    if (joined) {
        send_joined(aTHX_ call, body, n, total);
        return;
    }
    for (SSize_t i = 0; i < n - 1; i++) {
        data = answer_bytes(aTHX_ item(aTHX_ body, i), &len);
        if (!answer_write(aTHX_ call, data, len))
            return;
    }
    if (n > 1)
        data = answer_bytes(aTHX_ item(aTHX_ body, n - 1), &len);
    (void)answer_end(aTHX_ call, data, len);
}

/* Asks the object itself, for it may have a can() of its own (Plack's inline objects do). */
static bool body_can(pTHX_ SV *body, const char *method)
{
    if (!sv_isobject(body))
        return false;
    SV *name = newSVpvn_flags(method, strlen(method), SVs_TEMP);
    return SvTRUE(invoke_method(aTHX_ "can", body, name));
}

/* The handle in @body: a glob, a reference to one, or an IO object; else NULL. */
static IO *body_io(pTHX_ SV *body)
{
    SV *sv = SvROK(body) ? SvRV(body) : body;

    if (SvTYPE(sv) == SVt_PVIO)
        return (IO *)sv;
    return isGV_with_GP(sv) ? GvIO((GV *)sv) : NULL;
}

/* Whether what getline() of @body would give is what the file has. */
static bool reads_plainly(pTHX_ SV *body, IO *io)
{
    if (!IoIFP(io) || SvRMAGICAL((SV *)io))
        return false;
    if (sv_isobject(body)) {
        GV *own = gv_fetchmethod_autoload(SvSTASH(SvRV(body)), "getline", FALSE);
        if (!own || GvCV(own) != get_cv("IO::Handle::getline", 0))
            return false;
    }

    AV *layers = PerlIO_get_layers(aTHX_ IoIFP(io));
    bool plain = true;
    if (!layers)
        return false;
    for (SSize_t i = 0; i + 2 <= av_top_index(layers); i += 3) { /* name, argument, flags */
        const char *name = SvPV_nolen_const(item(aTHX_ layers, i));
        IV flags = SvIV(item(aTHX_ layers, i + 2));

        plain = plain && (strEQ(name, "unix") || strEQ(name, "perlio")) && !(flags & PERLIO_F_UTF8);
    }
    SvREFCNT_dec_NN(layers);
    return plain;
}

/* The part of @fd that is to be sent: from @offset on. A file of no size may be one of those of the
 * kernel that have content all the same, and has to be read. */
static bool file_rest(int fd, off_t offset, uint64_t *ret_len)
{
    struct stat st = {0};

    if (offset < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
        return false;
    *ret_len = st.st_size > offset ? (uint64_t)(st.st_size - offset) : 0;
    return true;
}

static void send_file(pTHX_ struct psgi_call *call, struct answer_head *h, int fd, uint64_t offset,
                      uint64_t len)
{
    /* An application may have set the handle to a part of the file, and say how long it is. */
    uint64_t send = h->length < len ? h->length : len;

    if (answer_start(aTHX_ call, h, len) && answer_file(aTHX_ call, fd, offset, send))
        (void)answer_end(aTHX_ call, NULL, 0);
}

static bool send_handle_file(pTHX_ struct psgi_call *call, struct answer_head *h, SV *body)
{
    IO *io = body_io(aTHX_ body);
    uint64_t len = 0;

    if (!io || !reads_plainly(aTHX_ body, io))
        return false;

    int fd = PerlIO_fileno(IoIFP(io));
    Off_t offset = PerlIO_tell(IoIFP(io)); /* of the reader, not of the buffer */
    if (!file_rest(fd, offset, &len))
        return false;
    send_file(aTHX_ call, h, fd, (uint64_t)offset, len);
    return true;
}

static bool send_path_file(pTHX_ struct psgi_call *call, struct answer_head *h, SV *body)
{
    uint64_t len = 0;

    if (!body_can(aTHX_ body, "path"))
        return false;
    SV *path = invoke_method(aTHX_ "path", body, NULL);
    if (!SvOK(path))
        return false;
    call->fd = open(SvPV_nolen_const(path), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (call->fd < 0)
        return false;

    bool regular = file_rest(call->fd, 0, &len);
    if (regular)
        send_file(aTHX_ call, h, call->fd, 0, len);
    (void)close(call->fd);
    call->fd = -EBADF;
    return regular;
}

static void send_records(pTHX_ struct psgi_call *call, struct answer_head *h, SV *body)
{
    bool more = answer_start(aTHX_ call, h, ANSWER_LENGTH_UNKNOWN);

    ENTER;
    SV *separator = save_scalar(gv_fetchpvs("/", GV_ADD, SVt_PV)); /* local $/ = \65536 */
    sv_setsv_mg(separator, sv_2mortal(newRV_noinc(newSViv(RECORD_BYTES))));
    while (more) {
        ENTER;
        SAVETMPS;
        SV *record = invoke_method(aTHX_ "getline", body, NULL);
        bool at_end = !SvOK(record);

        if (!at_end) {
            STRLEN len = 0;
            const char *data = answer_bytes(aTHX_ record, &len);

            more = answer_write(aTHX_ call, data, len);
        }
        FREETMPS;
        LEAVE;
        if (at_end)
            break;
    }
    LEAVE;
}

void psgi_body_send(pTHX_ struct psgi_call *call, AV *response)
{
    struct answer_head head, *h = &head;

    if (av_top_index(response) != 2)
        croak("the response is not an array of status, headers and body\n");
    answer_head_init(aTHX_ h, response);

    SV *body = item(aTHX_ response, 2);
    AV *array = answer_plain_array(aTHX_ body);
    bool is_object = sv_isobject(body);
    if (array) {
        send_array(aTHX_ call, h, array);
    } else if (is_object || body_io(aTHX_ body)) {
        if (!send_handle_file(aTHX_ call, h, body) && !send_path_file(aTHX_ call, h, body))
            send_records(aTHX_ call, h, body);
        if (!is_object || body_can(aTHX_ body, "close"))
            (void)invoke_method(aTHX_ "close", body, NULL);
    } else {
        croak("the body of the response is neither an array, a handle nor an object\n");
    }
    (void)answer_end(aTHX_ call, NULL, 0);
}
