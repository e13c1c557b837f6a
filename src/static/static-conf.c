/* SPDX-License-Identifier: MIT */
/* Rows of the options of static files. */
#include "static/static-conf.h"

#include <errno.h>
#include <string.h>

#include "base/macro.h"

#define FIELD(f) offsetof(struct static_conf, f)

/* clang-format off */
const struct liege_option static_options[] = {
    { .name = "static-map", .type = LIEGE_OPTION_LIST, .offset = FIELD(maps),
      .arg = "/PREFIX=PATH",
      .help = "serve the files of the directory PATH (or the file PATH) below /PREFIX" },
    { .name = "static-map2", .type = LIEGE_OPTION_LIST, .offset = FIELD(maps2),
      .arg = "/PREFIX=DIR",
      .help = "as static-map, but /PREFIX is a folder in DIR: /PREFIX/a is DIR/PREFIX/a" },
    { .name = "check-static", .aliases = "static-check", .type = LIEGE_OPTION_LIST,
      .offset = FIELD(checks), .arg = "DIR",
      .help = "serve the file of DIR that the path names, if there is one" },
    { .name = "static-index", .type = LIEGE_OPTION_LIST, .offset = FIELD(indexes), .arg = "NAME",
      .help = "serve this file of a directory that is asked for" },
    { .name = "static-skip-ext", .type = LIEGE_OPTION_LIST, .offset = FIELD(skip_exts),
      .arg = ".EXT", .help = "leave paths that end like this to the application" },
    { .name = "static-safe", .type = LIEGE_OPTION_LIST, .offset = FIELD(safe), .arg = "DIR",
      .help = "symbolic links may lead into DIR" },
    { .name = "static-dotfiles", .type = LIEGE_OPTION_FLAG, .offset = FIELD(dotfiles),
      .help = "serve names that begin with a dot too (.well-known is always served)" },
    { .name = "mimefile", .aliases = "mime-file", .type = LIEGE_OPTION_LIST,
      .offset = FIELD(mimefiles), .arg = "FILE",
      .help = "media types by extension, as in /etc/mime.types, which it replaces" },
    { .name = "static-gzip-all", .type = LIEGE_OPTION_FLAG, .offset = FIELD(gzip_all),
      .help = "send FILE.br or FILE.gz in place of FILE to clients that take it" },
    { .name = "static-gzip-dir", .aliases = "static-gzip-prefix", .type = LIEGE_OPTION_LIST,
      .offset = FIELD(gzip_dirs), .arg = "PATH",
      .help = "as static-gzip-all, for files whose path begins like this" },
    { .name = "static-gzip-ext", .aliases = "static-gzip-suffix", .type = LIEGE_OPTION_LIST,
      .offset = FIELD(gzip_exts), .arg = ".EXT",
      .help = "as static-gzip-all, for files whose path ends like this" },
    { .name = "static-gzip", .type = LIEGE_OPTION_LIST, .offset = FIELD(gzip), .arg = "REGEXP",
      .help = "as static-gzip-all, for files whose path this expression matches" },
    { .name = "static-expires", .type = LIEGE_OPTION_LIST, .offset = FIELD(expires),
      .arg = "'REGEXP SECONDS'",
      .help = "how long files may be kept whose path in the file system matches" },
    { .name = "static-expires-mtime", .type = LIEGE_OPTION_LIST, .offset = FIELD(expires_mtime),
      .arg = "'REGEXP SECONDS'",
      .help = "as static-expires, counted from the last change of the file" },
    { .name = "static-expires-path-info", .type = LIEGE_OPTION_LIST,
      .offset = FIELD(expires_path_info), .arg = "'REGEXP SECONDS'",
      .help = "how long files may be kept whose decoded path in the URL matches" },
    { .name = "static-expires-path-info-mtime", .type = LIEGE_OPTION_LIST,
      .offset = FIELD(expires_path_info_mtime), .arg = "'REGEXP SECONDS'",
      .help = "as static-expires-path-info, counted from the last change of the file" },
    { .name = "static-expires-uri", .type = LIEGE_OPTION_LIST, .offset = FIELD(expires_uri),
      .arg = "'REGEXP SECONDS'",
      .help = "how long files may be kept whose path and query, as sent, match" },
    { .name = "static-expires-uri-mtime", .type = LIEGE_OPTION_LIST,
      .offset = FIELD(expires_uri_mtime), .arg = "'REGEXP SECONDS'",
      .help = "as static-expires-uri, counted from the last change of the file" },
    { .name = "static-expires-type", .type = LIEGE_OPTION_LIST, .offset = FIELD(expires_type),
      .arg = "TYPE=SECONDS", .help = "how long files of this media type may be kept" },
    { .name = "static-expires-type-mtime", .type = LIEGE_OPTION_LIST,
      .offset = FIELD(expires_type_mtime), .arg = "TYPE=SECONDS",
      .help = "as static-expires-type, counted from the last change of the file" },
    { .name = "honour-range", .type = LIEGE_OPTION_ALWAYS,
      .help = "parts of static files can be asked for" },
};
/* clang-format on */
const size_t static_n_options = COUNT_OF(static_options);

int static_conf_split_map(const char *value, size_t *ret_prefix_len, const char **ret_path)
{
    const char *equals = strchr(value, '=');

    if (*value != '/' || !equals || equals[1] == '\0')
        return -EINVAL;
    size_t len = (size_t)(equals - value);
    while (len > 0 && value[len - 1] == '/')
        len--;
    *ret_prefix_len = len;
    *ret_path = equals + 1;
    return 0;
}
