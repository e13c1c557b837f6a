/* SPDX-License-Identifier: MIT */
#pragma once

#include "interp.h"

/* Defines the class of psgi.errors and the code of psgix.logger. */
void psgi_errors_define(pTHX);

/* A new reference to the one object of the class. The caller's. */
SV *psgi_errors_new(pTHX);

/* A new reference to the code of psgix.logger. The caller's. */
SV *psgi_logger_new(pTHX);

/* Logs what was printed without a newline at the end. Called at the end of each request. */
void psgi_errors_flush(pTHX);
