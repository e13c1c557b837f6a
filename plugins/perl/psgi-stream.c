/* SPDX-License-Identifier: MIT */
/* Delayed and streaming responses: the responder and the writer.
 *
 * An application that returns code gets it called with a responder. Both it and the writer are of
 * use until the application's code returns, since the worker waits for nothing else meanwhile;
 * afterwards the responder dies, and a writer does nothing and says so with a false value, as it
 * does when the client is gone. */
#include "psgi-stream.h"

#include "object.h"
#include "psgi-body.h"

#define WRITER_CLASS "liege::writer"

/* write(BYTES...): false when nothing more can be sent. */
XS_INTERNAL(xs_writer_write)
{
    dXSARGS;
    struct psgi_call *call = items > 0 ? (struct psgi_call *)object_get(aTHX_ ST(0)) : NULL;

    for (SSize_t i = 1; i < items && call; i++) {
        STRLEN len = 0;
        const char *data = answer_bytes(aTHX_ ST(i), &len);

        if (!answer_write(aTHX_ call, data, len))
            call = NULL;
    }
    if (!call || call->ended)
        XSRETURN_NO;
    XSRETURN_YES;
}

XS_INTERNAL(xs_writer_close)
{
    dXSARGS;
    struct psgi_call *call = items > 0 ? (struct psgi_call *)object_get(aTHX_ ST(0)) : NULL;

    if (!call || !answer_end(aTHX_ call, NULL, 0))
        XSRETURN_NO;
    XSRETURN_YES;
}

XS_INTERNAL(xs_respond)
{
    dXSARGS;
    struct psgi_call *call = (struct psgi_call *)object_get_target(aTHX_ MUTABLE_SV(cv));

    if (!call)
        croak("the responder was called after its request had ended");
    if (call->started)
        croak("the responder was called twice");
    AV *response = items == 1 ? answer_plain_array(aTHX_ ST(0)) : NULL;
    if (!response)
        croak("the responder takes an array of status, headers and body");

    SV **body = av_fetch(response, 2, 0);
    if (body && SvOK(*body)) {
        psgi_body_send(aTHX_ call, response);
        XSRETURN_EMPTY;
    }

    struct answer_head head, *h = &head;
    answer_head_init(aTHX_ h, response);
    (void)answer_start(aTHX_ call, h, ANSWER_LENGTH_UNKNOWN);
    ST(0) = sv_2mortal(object_new(aTHX_ WRITER_CLASS, call, &call->writer));
    XSRETURN(1);
}

SV *psgi_responder_new(pTHX_ struct psgi_call *call)
{
    CV *responder = newXS(NULL, xs_respond, __FILE__);

    object_attach(aTHX_ MUTABLE_SV(responder), call);
    call->responder = SvREFCNT_inc_simple_NN((SV *)responder);
    return newRV_noinc((SV *)responder);
}

void psgi_stream_define(pTHX)
{
    (void)newXS(WRITER_CLASS "::write", xs_writer_write, __FILE__);
    (void)newXS(WRITER_CLASS "::close", xs_writer_close, __FILE__);
}
