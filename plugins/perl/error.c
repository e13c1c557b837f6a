/* SPDX-License-Identifier: MIT */
/* Exceptions of Perl code: from $@ to the log and to a sentence for the operator.
 *
 * All Perl code is called with G_EVAL, so an exception ends in $@ where the plugin called; the
 * stack that led to it is gone by then. The handler of $SIG{__DIE__} sees it while it is there, but
 * also sees each exception that the application catches itself, which has to stay cheap: the
 * handler only counts the evals in the way, and walks the stack when there is none but ours. */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>

#include "invoke.h"

int error_set(struct liege_error *err, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    return code;
}

/* Calls a function of glue.pl that gives a text. A new value, the caller's; empty after a death. */
static SV *call_for_text(pTHX_ const char *function, SV *arg1, SV *arg2)
{
    ENTER;
    SAVETMPS;
    SV *result = invoke(aTHX_ invoke_glue(aTHX_ function), G_SCALAR | G_EVAL, arg1, arg2);
    SV *text = SvOK(result) ? newSVsv(result) : newSVpvs("");
    FREETMPS;
    LEAVE;
    return text;
}

void error_report(pTHX_ const char *subject, const char *file, struct liege_error *err)
{
    SV *exception = newSVsv(ERRSV);
    SV *text = call_for_text(aTHX_ "liege::_text", exception, NULL);
    bool named = instr(SvPV_nolen(text), subject) != NULL;
    SV *line = newSVpvf("%s%s%" SVf, named ? "" : subject, named ? "" : ": ", SVfARG(text));

    if (interp.trace && SvCUR(interp.trace) > 0)
        sv_catpvf(line, "\n%" SVf, SVfARG(interp.trace));
    SvREFCNT_dec(interp.trace);
    interp.trace = NULL;
    interp.host->log(LIEGE_LOG_ERROR, SvPVX(line), SvCUR(line));
    SvREFCNT_dec_NN(line);

    if (file) {
        SV *name = newSVpv(file, 0);
        SV *sentence = call_for_text(aTHX_ "liege::_sentence", text, name);

        (void)error_set(err, 0, "%s", SvPV_nolen(sentence));
        SvREFCNT_dec_NN(sentence);
        SvREFCNT_dec_NN(name);
    }
    SvREFCNT_dec_NN(text);
    SvREFCNT_dec_NN(exception);
    CLEAR_ERRSV();
}

/* Whether no eval but the one around the request is between here and the plugin. */
static bool is_uncaught(pTHX)
{
    int n_evals = 0;
    const PERL_CONTEXT *cx = NULL;

    for (I32 level = 0; n_evals < 2 && (cx = caller_cx(level, NULL)); level++)
        n_evals += CxTYPE(cx) == CXt_EVAL;
    return n_evals < 2;
}

XS_EXTERNAL(xs_on_die)
{
    dXSARGS;

    PERL_UNUSED_VAR(items);
    if (interp.call && is_uncaught(aTHX)) {
        SvREFCNT_dec(interp.trace);
        interp.trace = call_for_text(aTHX_ "liege::_trace", NULL, NULL);
    }
    XSRETURN_EMPTY;
}
