/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "liege/option.h"
#include "liege/plugin.h"

/* What the options of the Perl plugin fill. */
struct perl_conf {
    char *psgi;
    char *local_lib;
    struct liege_list args;
    struct liege_list exec, exec_post_fork;
    char *early_perl;
    struct liege_list early_psgi, early_exec; /* see early.c */
    uint64_t auto_reload;                     /* 0: no */
    bool no_plack;
    bool no_die_catch;
};

/* The plugin as plain data: it needs no libperl and is linked into liege itself. */
extern const struct liege_plugin_info perl_plugin_info;
