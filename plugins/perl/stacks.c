/* SPDX-License-Identifier: MIT */
/* Perl notes the statement that it is at, also during a regular expression or a call of a C
 * library. The callers stand in the stack of contexts. Nothing here allocates or changes anything.
 */
#include "interp.h"

#include "stacks.h"

#include <stdio.h>

#define MAX_CALLERS 40

static void put(int fd, const char *how, const COP *cop)
{
    if (cop && CopLINE(cop) != 0)
        (void)dprintf(fd, "  %s %s line %lu\n", how, CopFILE(cop) ? CopFILE(cop) : "?",
                      (unsigned long)CopLINE(cop));
}

void stacks_dump(int fd)
{
    PerlInterpreter *my_perl = interp.perl;
    int n = 0;

    if (!my_perl)
        return;
    (void)dprintf(fd, "Perl:\n");
    put(fd, "at", PL_curcop);
    for (const PERL_SI *si = PL_curstackinfo; si && n < MAX_CALLERS; si = si->si_prev)
        for (I32 i = si->si_cxix; i >= 0 && n < MAX_CALLERS; i--) {
            const PERL_CONTEXT *cx = &si->si_cxstack[i];
            if (CxTYPE(cx) != CXt_SUB)
                continue;
            put(fd, "called from", cx->blk_oldcop);
            n++;
        }
}
