/* SPDX-License-Identifier: MIT */
#pragma once

#include "interp.h"

/* Calls @code: a CV, a reference to one or, with G_METHOD in @flags, the name of a method of @arg1.
 * The arguments end at the first NULL. @flags are those of call_sv(); without G_EVAL the function
 * does not return when the code dies, with it the exception is in ERRSV.
 * Returns the (last) value, undef when there is none; it lives until the caller's FREETMPS. */
SV *invoke(pTHX_ SV *code, I32 flags, SV *arg1, SV *arg2);

/* The function @name of glue.pl, for invoke(). */
SV *invoke_glue(pTHX_ const char *name);

/* invoke() of the method @name of @object, in scalar context and without an eval. */
SV *invoke_method(pTHX_ const char *name, SV *object, SV *arg);
