/* SPDX-License-Identifier: MIT */
#pragma once

#include "interp.h"

struct psgi_env;

/* Prepares what the environments of all requests share. It lives as long as the interpreter. */
struct psgi_env *psgi_env_new(pTHX);

/* The environment of @req by PSGI 1.1, without psgi.input. The caller owns it. */
HV *psgi_env_hash(pTHX_ struct psgi_env *env, const struct liege_request *req);

/* Puts psgi.input into @hash, which takes over the count of @input. */
void psgi_env_set_input(pTHX_ const struct psgi_env *env, HV *hash, SV *input);
