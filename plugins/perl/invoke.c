/* SPDX-License-Identifier: MIT */
/* Calling Perl code from C: the steps on Perl's stack that every call needs, in one place.
 *
 * Nothing is freed here. Who calls has a pair of SAVETMPS and FREETMPS around it, or is itself
 * called by someone who has, and so decides how long the result lives. */
#include "invoke.h"

SV *invoke(pTHX_ SV *code, I32 flags, SV *arg1, SV *arg2)
{
    dSP;

    PUSHMARK(SP);
    EXTEND(SP, 2);
    if (arg1)
        PUSHs(arg1);
    if (arg1 && arg2)
        PUSHs(arg2);
    PUTBACK;

    I32 count = call_sv(code, flags);

    SPAGAIN;
    SV *result = count > 0 ? POPs : &PL_sv_undef;
    PUTBACK;
    return result;
}

SV *invoke_glue(pTHX_ const char *name)
{
    return MUTABLE_SV(get_cv(name, 0));
}

SV *invoke_method(pTHX_ const char *name, SV *object, SV *arg)
{
    SV *method = newSVpvn_flags(name, strlen(name), SVs_TEMP);

    return invoke(aTHX_ method, G_SCALAR | G_METHOD, object, arg);
}
