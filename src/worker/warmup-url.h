/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "http/url.h"

/* A value of warmup: "/path?query" or "http[s]://host[:port]/path?query". */
struct warmup_url {
    struct http_target target; /* points into the text */
    bool https;
};

/* Returns 0, or -EINVAL with the reason, a static string. */
int warmup_url_parse(const char *text, struct warmup_url *ret,
                     const char **ret_reason) _must_check_;

/* The same for the option's row. */
int warmup_url_check(const char *text, char *reason, size_t size) _must_check_;
