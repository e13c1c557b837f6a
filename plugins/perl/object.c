/* SPDX-License-Identifier: MIT */
/* Links from Perl values to C structures of a request.
 *
 * psgi.input, the responder and the writer are such values. An application may keep them for as
 * long as it likes, while what they stand for ends with the request: whoever made the link cuts
 * it then, and a method of the object finds NULL and does nothing. The link is "ext" magic with a
 * table of our own, so it cannot be made or changed from Perl, and an object that was blessed
 * into another class still has it. In a thread that Perl itself creates a copy has no link. */
#include "object.h"

static int object_dup(pTHX_ MAGIC *mg, CLONE_PARAMS *params)
{
    (void)params;
    mg->mg_ptr = NULL;
    return 0;
}

static const MGVTBL object_vtbl = {.svt_dup = object_dup};

void object_attach(pTHX_ SV *sv, void *ptr)
{
    MAGIC *mg = sv_magicext(sv, NULL, PERL_MAGIC_ext, &object_vtbl, (const char *)ptr, 0);

    mg->mg_flags |= MGf_DUP;
}

SV *object_new(pTHX_ const char *name, void *ptr, SV **ret_target)
{
    SV *target = newSV_type(SVt_PVMG);
    SV *self = newRV_noinc(target);

    object_attach(aTHX_ target, ptr);
    (void)sv_bless(self, gv_stashpv(name, GV_ADD));
    *ret_target = SvREFCNT_inc_simple_NN(target);
    return self;
}

void object_set(pTHX_ SV *target, void *ptr)
{
    MAGIC *mg = mg_findext(target, PERL_MAGIC_ext, &object_vtbl);

    if (mg)
        mg->mg_ptr = (char *)ptr;
}

void object_detach(pTHX_ SV **target)
{
    SV *sv = *target;

    if (!sv)
        return;
    object_set(aTHX_ sv, NULL);
    SvREFCNT_dec_NN(sv);
    *target = NULL;
}

void *object_get_target(pTHX_ SV *target)
{
    const MAGIC *mg =
        SvTYPE(target) >= SVt_PVMG ? mg_findext(target, PERL_MAGIC_ext, &object_vtbl) : NULL;

    return mg ? mg->mg_ptr : NULL;
}

void *object_get(pTHX_ SV *self)
{
    SV *target = SvROK(self) ? SvRV(self) : &PL_sv_undef;

    if (isGV_with_GP(target) && GvIO((GV *)target))
        target = MUTABLE_SV(GvIO((GV *)target));
    return object_get_target(aTHX_ target);
}
