/* SPDX-License-Identifier: MIT */
#include "sources.h"

static bool is_perls_own(const char *path)
{
    static const char *const folders[] = {PRIVLIB_EXP "/", ARCHLIB_EXP "/"};

    for (size_t i = 0; i < C_ARRAY_LENGTH(folders); i++)
        if (strnEQ(path, folders[i], strlen(folders[i])))
            return true;
    return false;
}

void sources_report(pTHX_ void (*add)(void *data, const char *path), void *data)
{
    HV *inc = get_hv("INC", GV_ADD);

    if (!interp.sources)
        interp.sources = newHV();
    (void)hv_iterinit(inc);
    for (HE *he = NULL; (he = hv_iternext(inc));) {
        SV *value = HeVAL(he);
        STRLEN len = 0;

        if (!SvOK(value) || SvROK(value))
            continue; /* it could not be loaded, or was not from a file */
        const char *path = SvPV_const(value, len);
        if (hv_exists(interp.sources, path, (I32)len))
            continue;
        (void)hv_store(interp.sources, path, (I32)len, newSV(0), 0);
        if (!is_perls_own(path))
            add(data, path);
    }
}

static void ignore(void *data, const char *path)
{
    PERL_UNUSED_VAR(data);
    PERL_UNUSED_VAR(path);
}

void sources_skip(pTHX)
{
    sources_report(aTHX_ ignore, NULL);
}
