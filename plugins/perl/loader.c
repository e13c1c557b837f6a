/* SPDX-License-Identifier: MIT */
/* From the name of a .psgi file to the code reference of an application.
 *
 * The work is done by liege::_load_to in glue.pl: Plack's loader where there is one, else `do`.
 * This file calls it, with exit() as an error for the time, and turns a failure into the operator's
 * sentence. Several applications may be loaded: $0, which FindBin needs, is the file that was
 * loaded last. What is printed while loading is written out before the process can fork. */
#include "loader.h"

#include <errno.h>

#include "error.h"
#include "invoke.h"

static int load(const char *source, const char *function, void **ret_app, struct liege_error *err)
{
    pTHX = interp_enter();
    int r = 0;

    ENTER;
    SAVETMPS;
    SV *name = sv_2mortal(newSVpv(source, 0));
    SV *code = invoke_glue(aTHX_ function);

    interp.unsettled = true;
    interp.exit_dies = true;
    SV *app = invoke(aTHX_ code, G_SCALAR | G_EVAL, name, boolSV(interp.conf->no_plack));
    interp.exit_dies = false;

    if (SvTRUE(ERRSV)) {
        error_report(aTHX_ source, source, err);
        r = -EINVAL;
    } else {
        *ret_app = newSVsv(app);
    }
    FREETMPS;
    LEAVE;
    interp_flush();
    return r;
}

int loader_load(const char *source, void **ret_app, struct liege_error *err)
{
    if (!source)
        source = interp.conf->psgi;
    if (!source)
        return error_set(err, -EINVAL, "psgi: no application is named");
    return load(source, "liege::_load", ret_app, err);
}

int loader_load_early(const char *source, void **ret_app, struct liege_error *err)
{
    return load(source, "liege::_load_early", ret_app, err);
}
