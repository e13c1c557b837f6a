/* SPDX-License-Identifier: MIT */
#pragma once

#include "psgi-answer.h"

/* Sends the complete PSGI response [STATUS, HEADERS, BODY] and closes the body if it is a handle or
 * an object. Dies when @response is not of that form, and with what the body's methods die of. */
void psgi_body_send(pTHX_ struct psgi_call *call, AV *response);
