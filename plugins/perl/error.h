/* SPDX-License-Identifier: MIT */
#pragma once

#include "interp.h"

/* Puts a sentence for the operator into @err and returns @code. */
int error_set(struct liege_error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Logs the exception in $@, with the stack trace that belongs to it, after "@subject: ", unless
 * the text has the subject in it. When @file is not NULL the exception came from it: @err gets
 * "FILE:LINE: message". Clears $@. */
void error_report(pTHX_ const char *subject, const char *file, struct liege_error *err);

/* $SIG{__DIE__} while a request is answered: keeps a stack trace when no eval of the application is
 * going to catch the exception. */
XS_EXTERNAL(xs_on_die);
