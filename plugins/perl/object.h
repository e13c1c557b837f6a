/* SPDX-License-Identifier: MIT */
#pragma once

#include "interp.h"

/* Perl values that stand for something of C which lives shorter than Perl may keep the value. The
 * pointer is in magic that Perl code can neither read nor forge. */

/* Puts @ptr behind @sv, a blessed scalar or a code reference's target. */
void object_attach(pTHX_ SV *sv, void *ptr);

/* A new reference, blessed into the package @name, to an empty scalar with @ptr behind it.
 * The caller owns the result. *@ret_target is the scalar; the caller gets a count of its own for
 * it, to be given to object_detach(). */
SV *object_new(pTHX_ const char *name, void *ptr, SV **ret_target);

/* Ends the link: object_get() gives NULL from now on. Releases the caller's count of *@target and
 * sets *@target to NULL; nothing is done when it is NULL already. */
void object_detach(pTHX_ SV **target);

/* Puts @ptr behind @target, which object_attach() was called for; NULL ends the link. */
void object_set(pTHX_ SV *target, void *ptr);

/* What is behind @self, a reference to a target or to a handle whose IO part is one; NULL when it
 * was detached, and for any other value. */
void *object_get(pTHX_ SV *self);

/* The same for the target itself, as an XSUB finds it for its own CV. */
void *object_get_target(pTHX_ SV *target);
