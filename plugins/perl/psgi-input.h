/* SPDX-License-Identifier: MIT */
#pragma once

#include "interp.h"

/* Defines the class of psgi.input. */
void psgi_input_define(pTHX);

/* The handle that is psgi.input for @req; its count stays ours. One request at a time. */
GV *psgi_input_begin(pTHX_ struct liege_request *req);

/* Ends what psgi_input_begin() began: whoever has kept the handle finds an empty body. */
void psgi_input_end(pTHX);
