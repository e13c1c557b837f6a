/* SPDX-License-Identifier: MIT */
/* A request from end to end.
 *
 * Everything that may die, the application and our own checks of what it returned, runs in xs_run
 * under the one eval of psgi_call(): an exception from anywhere ends there, is logged with its
 * stack, and answered 500 (or, when the head is out, with a cut connection). Then the cleanup
 * handlers run, each under an eval of its own, and what the application may have kept of the
 * request (psgi.input, responder, writer) is cut off.
 *
 * Called by the server for each request; nothing of a request outlives the call. */
#include "psgi-call.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "error.h"
#include "invoke.h"
#include "object.h"
#include "psgi-body.h"
#include "psgi-env.h"
#include "psgi-errors.h"
#include "psgi-input.h"
#include "psgi-stream.h"

static bool is_code(SV *sv)
{
    return SvROK(sv) && SvTYPE(SvRV(sv)) == SVt_PVCV;
}

static void run_delayed(pTHX_ struct psgi_call *call, SV *code)
{
    SV *responder = sv_2mortal(psgi_responder_new(aTHX_ call));

    (void)invoke(aTHX_ code, G_VOID, responder, NULL);
    if (!call->started)
        croak("the application did not call the responder before it returned\n");
    (void)answer_end(aTHX_ call, NULL, 0); /* a writer that was not closed */
}

/* The part of psgi_call() that may die. Its argument is the environment. */
XS_INTERNAL(xs_run)
{
    dXSARGS;
    struct psgi_call *call = interp.call;

    PERL_UNUSED_VAR(items);
    SV *app = MUTABLE_SV(call->req->app);
    SV *response = invoke(aTHX_ app, G_SCALAR, ST(0), NULL);
    AV *array = answer_plain_array(aTHX_ response);
    if (array)
        psgi_body_send(aTHX_ call, array);
    else if (is_code(response))
        run_delayed(aTHX_ call, response);
    else
        croak("the application returned neither an array nor code\n");
    call->returned = true;
    XSRETURN_EMPTY;
}

/* Logs the exception in $@; the line begins with @what and the request. */
static void report(pTHX_ const struct liege_request *req, const char *what)
{
    char name[256];
    int target_len = (int)(req->target.len > sizeof(name) ? sizeof(name) : req->target.len);

    (void)snprintf(name, sizeof(name), "%s%.*s %.*s", what, (int)req->method.len, req->method.data,
                   target_len, req->target.data);
    error_report(aTHX_ name, NULL, NULL);
}

static void run_cleanup(pTHX_ const struct liege_request *req, HV *hash)
{
    /* In one that is tied a look runs code, in one that is locked a key that is missing dies. */
    if (SvRMAGICAL(hash) || !hv_exists(hash, "psgix.cleanup.handlers", 22))
        return;
    SV **slot = hv_fetchs(hash, "psgix.cleanup.handlers", 0);
    SV *handlers = slot ? *slot : &PL_sv_undef;
    AV *list = answer_plain_array(aTHX_ handlers);

    if (!list || av_top_index(list) < 0)
        return;
    SV *env = sv_2mortal(newRV_inc(MUTABLE_SV(hash)));
    for (SSize_t i = 0; i <= av_top_index(list); i++) { /* a handler may add another one */
        SV **at = av_fetch(list, i, 0);
        SV *handler = at ? *at : &PL_sv_undef;

        (void)invoke(aTHX_ handler, G_EVAL | G_VOID | G_DISCARD, env, NULL);
        if (SvTRUE(ERRSV))
            report(aTHX_ req, "cleanup of ");
    }
    av_clear(list); /* a handler that refers to its environment would keep it for ever */
}

void psgi_call(struct liege_request *req)
{
    pTHX = interp_enter();
    struct psgi_call call = {.req = req, .fd = -EBADF};

    ENTER;
    SAVETMPS;
    interp.exit_dies = interp.unsettled = true;
    HV *hash = psgi_env_begin(aTHX_ interp.env, req, psgi_input_begin(aTHX_ req));
    SV *env = sv_2mortal(newRV_inc(MUTABLE_SV(hash))); /* the application may overwrite $_[0] */
    interp.call = &call;

    (void)invoke(aTHX_ MUTABLE_SV(interp.run), G_EVAL | G_VOID | G_DISCARD, env, NULL);
    if (!call.returned) {
        report(aTHX_ req, "");
        if (!call.ended)
            interp.host->respond->fail(req);
    }
    run_cleanup(aTHX_ req, hash);

    if (call.fd >= 0)
        (void)close(call.fd);
    SV **kept[] = {&call.responder, &call.writer};
    for (size_t i = 0; i < C_ARRAY_LENGTH(kept); i++)
        object_detach(aTHX_ kept[i]);
    FREETMPS; /* destructors of the application still run as part of the request */
    psgi_env_end(aTHX_ interp.env, hash);
    LEAVE;
    interp.exit_dies = false;
    interp.call = NULL;
    psgi_input_end(aTHX);
    psgi_errors_flush(aTHX);
}

void psgi_call_define(pTHX)
{
    interp.run = newXS("liege::_run", xs_run, __FILE__);
}
