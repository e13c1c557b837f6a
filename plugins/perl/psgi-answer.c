/* SPDX-License-Identifier: MIT */
/* From a PSGI response to the server: the head, and the calls that send.
 *
 * What an application got wrong is an exception here, as if the application had died itself: then
 * there is one way for all errors, which ends in psgi-call.c. A client that went away is no error:
 * the functions return false and the application is told to stop. Our messages end in a newline,
 * for the place that Perl would add is not where the response was made. */
#include "psgi-answer.h"

#include <errno.h>
#include <stdio.h>

AV *answer_plain_array(pTHX_ SV *response)
{
    SV *target = SvROK(response) ? SvRV(response) : NULL;

    return target && SvTYPE(target) == SVt_PVAV && !SvOBJECT(target) ? (AV *)target : NULL;
}

const char *answer_bytes(pTHX_ SV *sv, STRLEN *ret_len)
{
    SvGETMAGIC(sv);
    if (!SvOK(sv)) {
        *ret_len = 0;
        return "";
    }
    if (SvROK(sv)) { /* an object: its text */
        SV *text = sv_newmortal();
        sv_copypv_nomg(text, sv);
        sv = text;
    }
    if (SvUTF8(sv) && !sv_utf8_downgrade(sv, TRUE))
        croak("wide character in the response: encode it to bytes first\n");
    return SvPV_nomg_const(sv, *ret_len);
}

static SV *element(pTHX_ AV *av, SSize_t i)
{
    SV **sv = av_fetch(av, i, 0);

    return sv ? *sv : &PL_sv_undef;
}

static int head_status(pTHX_ SV *sv)
{
    IV status = looks_like_number(sv) ? SvIV(sv) : 0;

    if (status < 200 || status > 599)
        croak("the status of the response is '%" SVf "': 200 to 599 are possible\n", SVfARG(sv));
    return (int)status;
}

/* The number in a Content-Length that the application gave. */
static uint64_t length_value(pTHX_ struct liege_str value)
{
    UV number = 0;

    if (grok_number(value.data, value.len, &number) != IS_NUMBER_IN_UV)
        return ANSWER_LENGTH_UNKNOWN;
    return number;
}

static bool is_content_length(struct liege_str name)
{
    static const char text[] = "Content-Length";

    return name.len == sizeof(text) - 1 && foldEQ(name.data, text, sizeof(text) - 1);
}

void answer_head_init(pTHX_ struct answer_head *h, AV *response)
{
    AV *headers = answer_plain_array(aTHX_ element(aTHX_ response, 1));

    if (!headers)
        croak("the headers of the response are not an array\n");
    SSize_t n = av_top_index(headers) + 1;
    if (n % 2 != 0)
        croak("the headers of the response are not pairs of name and value\n");

    h->head = (struct liege_head){.status = head_status(aTHX_ element(aTHX_ response, 0))};
    h->length = ANSWER_LENGTH_UNKNOWN;
    h->fields = h->few;
    if ((size_t)n / 2 + 1 > C_ARRAY_LENGTH(h->few)) {
        SV *many = sv_2mortal(newSV(((size_t)n / 2 + 1) * sizeof(*h->fields)));
        h->fields = (struct liege_field *)(void *)SvPVX(many);
    }
    for (SSize_t i = 0; i < n; i += 2) {
        SV *value = element(aTHX_ headers, i + 1);
        struct liege_field field = {.id = LIEGE_FIELD_OTHER};

        SvGETMAGIC(value);
        if (!SvOK(value))
            continue; /* no value, no field */
        field.name.data = answer_bytes(aTHX_ element(aTHX_ headers, i), &field.name.len);
        field.value.data = answer_bytes(aTHX_ value, &field.value.len);
        if (is_content_length(field.name))
            h->length = length_value(aTHX_ field.value);
        h->fields[h->head.n_fields++] = field;
    }
    h->head.fields = h->fields;
}

/* What a call of the server returned: true to go on. */
static bool check(pTHX_ struct psgi_call *call, int r)
{
    if (r >= 0)
        return true;
    if (r == -EOVERFLOW)
        return false; /* all that was announced is sent */
    if (r != -EPIPE && r != -ECONNRESET && r != -ETIMEDOUT)
        croak("the response cannot be sent: %s\n", strerror(-r));
    call->ended = true;
    return false;
}

bool answer_start(pTHX_ struct psgi_call *call, struct answer_head *h, uint64_t length)
{
    bool has_body = h->head.status != 204 && h->head.status != 304;

    if (has_body && length != ANSWER_LENGTH_UNKNOWN && h->length == ANSWER_LENGTH_UNKNOWN) {
        int n = snprintf(h->length_text, sizeof(h->length_text), "%" PRIu64, length);
        h->fields[h->head.n_fields++] = (struct liege_field){
            .name = {"Content-Length", sizeof("Content-Length") - 1},
            .value = {h->length_text, (size_t)n},
        };
    }
    call->started = true;

    int r = interp.host->respond->start(call->req, &h->head);
    if (r == -EINVAL) { /* logged, with the reason, by the server */
        interp.host->respond->fail(call->req);
        call->ended = true;
        return false;
    }
    return check(aTHX_ call, r);
}

bool answer_write(pTHX_ struct psgi_call *call, const void *data, size_t len)
{
    if (call->ended)
        return false;
    return len == 0 || check(aTHX_ call, interp.host->respond->write(call->req, data, len));
}

bool answer_file(pTHX_ struct psgi_call *call, int fd, uint64_t offset, uint64_t len)
{
    if (call->ended)
        return false;
    return len == 0 || check(aTHX_ call, interp.host->respond->file(call->req, fd, offset, len));
}

bool answer_end(pTHX_ struct psgi_call *call, const void *data, size_t len)
{
    if (call->ended)
        return false;

    int r = interp.host->respond->end(call->req, data, len);
    call->ended = r >= 0 || r == -EOVERFLOW;
    return check(aTHX_ call, r);
}
