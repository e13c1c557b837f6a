/* SPDX-License-Identifier: MIT */
/* The options that act before anything else of Perl. The server calls for each in the order of the
 * configuration. */
#include "early.h"

#include "loader.h"

int early_act(const char *option, const char *value, void **ret_app, struct liege_error *err)
{
    pTHX = interp_enter();

    if (strEQ(option, "early-psgi"))
        return loader_load_early(value, ret_app, err);
    if (strEQ(option, "early-perl-exec"))
        return interp_exec_file(aTHX_ value, err);
    sv_setpv_mg(get_sv("0", GV_ADD), value); /* early-perl: $0 */
    return 0;
}
