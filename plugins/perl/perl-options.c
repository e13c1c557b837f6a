/* SPDX-License-Identifier: MIT */
/* The options of the Perl plugin, as data.
 *
 * This file is compiled into the plugin and into liege, which has to know every option without
 * loading an interpreter: it refers to nothing of Perl. The names are uWSGI's. */
#include "perl-conf.h"

#include <stddef.h>

#define FIELD(f) offsetof(struct perl_conf, f)

/* clang-format off */
static const struct liege_option perl_options[] = {
    {
        .name = "psgi", .type = LIEGE_OPTION_STRING, .offset = FIELD(psgi),
        .flags = LIEGE_OPTION_APP, .arg = "FILE",
        .help = "load the PSGI application of this file",
    },
    {
        .name = "perl-local-lib", .type = LIEGE_OPTION_STRING, .offset = FIELD(local_lib),
        .arg = "DIR",
        .help = "search modules in the local::lib tree below DIR first",
    },
    {
        .name = "perl-arg", .type = LIEGE_OPTION_LIST, .offset = FIELD(args), .arg = "STRING",
        .help = "add STRING to Perl's @ARGV (Plack's loader hides it while a file is loaded)",
    },
    {
        .name = "perl-exec", .type = LIEGE_OPTION_LIST, .offset = FIELD(exec), .arg = "FILE",
        .help = "run a Perl script before the application is loaded",
    },
    {
        .name = "perl-exec-post-fork", .type = LIEGE_OPTION_LIST,
        .offset = FIELD(exec_post_fork), .arg = "FILE",
        .help = "run a Perl script in each worker before its first request",
    },
    {
        .name = "early-perl", .type = LIEGE_OPTION_STRING, .flags = LIEGE_OPTION_EARLY,
        .offset = FIELD(early_perl), .arg = "NAME",
        .help = "start Perl, also if no application of it is named; $0 is NAME until one is loaded",
    },
    {
        .name = "early-perl-exec", .type = LIEGE_OPTION_LIST, .flags = LIEGE_OPTION_EARLY,
        .offset = FIELD(early_exec), .arg = "FILE",
        .help = "run a Perl script before anything else: one that loads modules, say",
    },
    {
        .name = "early-psgi", .type = LIEGE_OPTION_LIST, .flags = LIEGE_OPTION_EARLY,
        .offset = FIELD(early_psgi), .arg = "FILE",
        .help = "load a PSGI application before anything else; the first one of all early ones is "
                "served if no other is named",
    },
    {
        .name = "perl-auto-reload", .type = LIEGE_OPTION_UINT, .offset = FIELD(auto_reload),
        .max = 86400, .dflt = "0", .arg = "N",
        .help = "reload when the application or a module of it changes (N > 0; at once, not every N "
                "seconds): for development",
    },
    {
        .name = "perl-no-plack", .type = LIEGE_OPTION_FLAG, .offset = FIELD(no_plack),
        .help = "load applications without Plack's loader even where Plack is installed",
    },
    {
        .name = "perl-no-die-catch", .type = LIEGE_OPTION_FLAG, .offset = FIELD(no_die_catch),
        .help = "leave $SIG{__DIE__} alone: errors are logged without a stack trace",
    },
};
/* clang-format on */

const struct liege_plugin_info perl_plugin_info = {
    .name = "perl",
    .suffixes = ".psgi .pl",
    .options = perl_options,
    .n_options = sizeof(perl_options) / sizeof(perl_options[0]),
    .conf_size = sizeof(struct perl_conf),
};
