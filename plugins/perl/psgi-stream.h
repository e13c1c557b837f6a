/* SPDX-License-Identifier: MIT */
#pragma once

#include "psgi-answer.h"

/* Defines the class of the writer. */
void psgi_stream_define(pTHX);

/* A new code reference for a delayed response: called with three elements it sends them, with two
 * it returns a writer. The caller owns it and detaches call->responder and call->writer. */
SV *psgi_responder_new(pTHX_ struct psgi_call *call);
