/* SPDX-License-Identifier: MIT */
#pragma once

#include "interp.h"

/* Defines what psgi_call() runs inside Perl. */
void psgi_call_define(pTHX);

/* Runs the application of @req and answers: liege_plugin.call. */
void psgi_call(struct liege_request *req);
