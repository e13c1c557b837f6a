/* SPDX-License-Identifier: MIT */
/* What an application can ask of the server: the packages liege and uwsgi, which are the same.
 *
 *   liege::VERSION        of liege
 *   liege::worker_id      1 ..., or 0 outside a worker
 *   liege::masterpid      process id of the master
 *   liege::reload         asks for a reload of the instance; false when that was refused
 *   liege::log(TEXT)      writes to the log of the instance
 *   liege::postfork(CODE) has CODE run in each worker that is forked from now on
 *   liege::zygote(CODE)   has CODE run in a copy of a worker that is to be the zygote
 *   %liege::opt           the configuration; a setting that was given twice is an array
 *
 * exit() is here too. An application that calls it would end the worker, with the connections of
 * others in it: while code of an application runs, or is loaded, exit() dies instead, and the
 * request is answered 500. A process that the application forked itself still exits. It is an
 * ordinary exception: an eval around exit() catches it. CORE::exit and POSIX::_exit do exit. */
#include "package.h"

#include <errno.h>
#include <unistd.h>

#include "error.h"
#include "invoke.h"

XS_INTERNAL(xs_worker_id)
{
    dXSARGS;

    PERL_UNUSED_VAR(items);
    XSRETURN_IV(interp.host->worker_id());
}

XS_INTERNAL(xs_masterpid)
{
    dXSARGS;

    PERL_UNUSED_VAR(items);
    XSRETURN_IV((IV)interp.host->master_pid());
}

XS_INTERNAL(xs_reload)
{
    dXSARGS;

    PERL_UNUSED_VAR(items);
    if (interp.host->reload() < 0)
        XSRETURN_NO;
    XSRETURN_YES;
}

XS_INTERNAL(xs_log)
{
    dXSARGS;

    for (SSize_t i = 0; i < items; i++) {
        STRLEN len = 0;
        const char *text = SvPV_const(ST(i), len);

        interp.host->log(LIEGE_LOG_INFO, text, len);
    }
    XSRETURN_YES;
}

static void add_hook(pTHX_ CV *cv, AV *hooks, SV *code)
{
    if (!SvROK(code) || SvTYPE(SvRV(code)) != SVt_PVCV)
        croak_xs_usage(cv, "CODE");
    av_push(hooks, newSVsv(code));
}

XS_INTERNAL(xs_postfork)
{
    dXSARGS;

    add_hook(aTHX_ cv, interp.post_fork, items == 1 ? ST(0) : &PL_sv_undef);
    XSRETURN_YES;
}

XS_INTERNAL(xs_zygote)
{
    dXSARGS;

    add_hook(aTHX_ cv, interp.zygote, items == 1 ? ST(0) : &PL_sv_undef);
    XSRETURN_YES;
}

XS_INTERNAL(xs_exit)
{
    dXSARGS;
    int status = items > 0 ? (int)SvIV(ST(0)) : 0;

    if (interp.exit_dies && getpid() == interp.pid)
        croak("exit(%d) was called by the application", status);
    (void)PerlIO_flush(NULL);
    my_exit((U32)status);
}

void package_set_options(pTHX)
{
    HV *opt = get_hv("liege::opt", GV_ADD);

    hv_clear(opt);
    for (size_t i = 0; i < interp.host->n_settings; i++) {
        const struct liege_setting *s = &interp.host->settings[i];
        I32 key_len = (I32)strlen(s->key);
        SV *value = newSVpv(s->value ? s->value : "", 0);
        SV **old = hv_fetch(opt, s->key, key_len, 0);

        if (old && SvROK(*old)) {
            av_push((AV *)SvRV(*old), value);
            continue;
        }
        if (old) {
            SV *both[] = {*old, value};

            SV *list = newRV_noinc((SV *)av_make(2, both));
            SvREFCNT_dec_NN(value);
            value = list;
        }
        (void)hv_store(opt, s->key, key_len, value, 0);
    }
}

void package_define(pTHX)
{
    interp.post_fork = newAV();
    interp.zygote = newAV();
    (void)newXS("liege::worker_id", xs_worker_id, __FILE__);
    (void)newXS("liege::masterpid", xs_masterpid, __FILE__);
    (void)newXS("liege::reload", xs_reload, __FILE__);
    (void)newXS("liege::log", xs_log, __FILE__);
    (void)newXS("liege::postfork", xs_postfork, __FILE__);
    (void)newXS("liege::zygote", xs_zygote, __FILE__);
    (void)newXS("liege::_on_die", xs_on_die, __FILE__);
    (void)newXSproto("liege::_exit", xs_exit, __FILE__, ";$");
    (void)newCONSTSUB(gv_stashpvs("liege", GV_ADD), "VERSION", newSVpv(interp.host->version, 0));
    package_set_options(aTHX);
}

int package_run_hooks(pTHX_ AV *hooks, const char *name, struct liege_error *err)
{
    for (SSize_t i = 0; i <= av_top_index(hooks); i++) {
        SV *code = *av_fetch(hooks, i, 0);

        (void)invoke(aTHX_ code, G_EVAL | G_VOID | G_DISCARD, NULL, NULL);
        if (SvTRUE(ERRSV)) {
            error_report(aTHX_ name, name, err);
            return -EINVAL;
        }
    }
    return 0;
}
