/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/macro.h"
#include "liege/option.h"

/* Options of static files. */
struct static_conf {
    struct liege_list checks;      /* DIR */
    struct liege_list maps, maps2; /* /PREFIX=PATH */
    struct liege_list indexes;
    struct liege_list skip_exts;
    struct liege_list safe;
    struct liege_list mimefiles;
    bool dotfiles;

    bool gzip_all;
    struct liege_list gzip_dirs, gzip_exts, gzip;

    struct liege_list expires, expires_mtime;
    struct liege_list expires_path_info, expires_path_info_mtime;
    struct liege_list expires_uri, expires_uri_mtime;
    struct liege_list expires_type, expires_type_mtime;
};

extern const struct liege_option static_options[];
extern const size_t static_n_options;

/* Takes "/PREFIX=PATH" apart: *@ret_prefix_len is without slashes at the end (0 for "/"),
 * *@ret_path points into @value. Returns 0 or -EINVAL. */
int static_conf_split_map(const char *value, size_t *ret_prefix_len,
                          const char **ret_path) _must_check_;
