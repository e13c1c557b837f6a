/* SPDX-License-Identifier: MIT */
/* psgi.errors and psgix.logger: from the application to the log.
 *
 * psgi.errors is an object with print (glue.pl adds printf and say on top). The log wants whole
 * lines, so the rest of a line waits in interp.errors_line for its end, or for the end of the
 * request. What is printed there may be anything from an access log to an exception: it is logged
 * as a warning. psgix.logger says its level itself. */
#include "psgi-errors.h"

/* An application that never ends its line does not fill the memory. */
#define LINE_MAX_BYTES 65536

void psgi_errors_flush(pTHX)
{
    SV *line = interp.errors_line;

    if (SvCUR(line) == 0)
        return;
    interp.host->log(LIEGE_LOG_WARNING, SvPVX(line), SvCUR(line));
    SvCUR_set(line, 0);
}

XS_INTERNAL(xs_errors_print)
{
    dXSARGS;
    SV *line = interp.errors_line;

    for (SSize_t i = 1; i < items; i++) {
        STRLEN len = 0;
        const char *text = SvPV_const(ST(i), len);

        sv_catpvn_nomg(line, text, len);
    }
    if ((SvCUR(line) > 0 && *(SvEND(line) - 1) == '\n') || SvCUR(line) > LINE_MAX_BYTES)
        psgi_errors_flush(aTHX);
    XSRETURN_YES;
}

/* flush, close, autoflush, binmode: what handles have and applications call without need. */
XS_INTERNAL(xs_errors_flush)
{
    dXSARGS;

    PERL_UNUSED_VAR(items);
    psgi_errors_flush(aTHX);
    XSRETURN_YES;
}

static enum liege_log_level logger_level(pTHX_ SV *name)
{
    static const struct {
        const char *name;
        enum liege_log_level level;
    } levels[] = {
        {"debug", LIEGE_LOG_DEBUG}, {"info", LIEGE_LOG_INFO},   {"warn", LIEGE_LOG_WARNING},
        {"error", LIEGE_LOG_ERROR}, {"fatal", LIEGE_LOG_ERROR},
    };
    const char *text = SvPV_nolen_const(name);

    for (size_t i = 0; i < C_ARRAY_LENGTH(levels); i++)
        if (strEQ(levels[i].name, text))
            return levels[i].level;
    croak("psgix.logger: '%s' is no level: debug, info, warn, error or fatal", text);
}

XS_INTERNAL(xs_logger)
{
    dXSARGS;
    SV *args = items == 1 && SvROK(ST(0)) ? SvRV(ST(0)) : &PL_sv_undef;
    bool is_hash = SvTYPE(args) == SVt_PVHV;
    SV **level = is_hash ? hv_fetchs((HV *)args, "level", 0) : NULL;
    SV **message = is_hash ? hv_fetchs((HV *)args, "message", 0) : NULL;

    if (!level || !message)
        croak("psgix.logger takes { level => LEVEL, message => TEXT }");
    STRLEN len = 0;
    const char *text = SvPV_const(*message, len);
    SV *name = *level;
    interp.host->log(logger_level(aTHX_ name), text, len);
    XSRETURN_YES;
}

void psgi_errors_define(pTHX)
{
    interp.errors_line = newSVpvs("");
    (void)newXS("liege::errors::print", xs_errors_print, __FILE__);
    (void)newXS("liege::errors::flush", xs_errors_flush, __FILE__);
    (void)newXS("liege::errors::close", xs_errors_flush, __FILE__);
    (void)newXS("liege::errors::autoflush", xs_errors_flush, __FILE__);
    (void)newXS("liege::errors::binmode", xs_errors_flush, __FILE__);
    (void)newXS("liege::_logger", xs_logger, __FILE__);
}

SV *psgi_errors_new(pTHX)
{
    SV *self = newRV_noinc(newSV_type(SVt_PVMG));

    return sv_bless(self, gv_stashpvs("liege::errors", GV_ADD));
}

SV *psgi_logger_new(pTHX)
{
    return newRV_inc((SV *)get_cv("liege::_logger", 0));
}
