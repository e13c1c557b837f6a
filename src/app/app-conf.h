/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "liege/option.h"

/* Options about applications that belong to no language. */
struct app_conf {
    struct liege_list mounts; /* /prefix=SOURCE */
    struct liege_list plugins;
    bool need_app;
};

extern const struct liege_option app_options[];
extern const size_t app_n_options;
