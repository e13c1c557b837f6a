/* SPDX-License-Identifier: MIT */
/* Rows of the options about applications; the languages' own rows are with their plugins. */
#include "app/app-conf.h"

#include "base/macro.h"

#define FIELD(f) offsetof(struct app_conf, f)

/* clang-format off */
const struct liege_option app_options[] = {
    { .name = "mount", .type = LIEGE_OPTION_LIST, .offset = FIELD(mounts),
      .arg = "/PREFIX=SOURCE",
      .help = "serve the application SOURCE (a file, or module:callable) below /PREFIX" },
    { .name = "manage-script-name", .type = LIEGE_OPTION_ALWAYS,
      .help = "a mounted application gets its prefix as SCRIPT_NAME" },
    { .name = "plugin", .aliases = "plugins need-plugin need-plugins", .type = LIEGE_OPTION_LIST,
      .offset = FIELD(plugins), .arg = "NAME",
      .help = "load this language, also when no option of it asks for it" },
    { .name = "need-app", .type = LIEGE_OPTION_FLAG, .offset = FIELD(need_app), .dflt = "yes",
      .help = "do not start without an application" },
};
/* clang-format on */
const size_t app_n_options = COUNT_OF(app_options);
