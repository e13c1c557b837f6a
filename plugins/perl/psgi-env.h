/* SPDX-License-Identifier: MIT */
#pragma once

#include "interp.h"

struct psgi_env;

/* Prepares what the environments of all requests share. It lives as long as the interpreter. */
struct psgi_env *psgi_env_new(pTHX);

/* The host has become another instance's: says anew what environments say of it. */
void psgi_env_adopt(pTHX_ struct psgi_env *env);

/* The environment of @req by PSGI 1.1; psgi.input is a reference to @input, whose count stays the
 * caller's. To be given back with psgi_env_end(). */
HV *psgi_env_begin(pTHX_ struct psgi_env *env, const struct liege_request *req, GV *input);

/* The request is over: takes @hash back, and keeps it for the next one if nobody else has it. What
 * the application has put into it is freed here, which may run its destructors. */
void psgi_env_end(pTHX_ struct psgi_env *env, HV *hash);
