/* SPDX-License-Identifier: MIT */
/* The keywords of blocks: for, if and their like, and lists of options that are forbidden or alone
 * allowed in between.
 *
 * As with the other meta options the rows stand in one table, what they do in another; both are
 * keyed by name, and a unit test walks them. Called by logic.c. */
#include "conf/logic-word.h"

#include <assert.h>
#include <string.h>

/* clang-format off */
static const struct liege_option rows[] = {
    { .name = "for", .type = LIEGE_OPTION_STRING, .arg = "'ITEM...'",
      .help = "repeat what follows, up to endfor, with each item as %(_)" },
    { .name = "for-glob", .type = LIEGE_OPTION_STRING, .arg = "PATTERN",
      .help = "as for, with the files that match" },
    { .name = "for-times", .type = LIEGE_OPTION_STRING, .arg = "N",
      .help = "as for, with the numbers from 1 to N" },
    { .name = "for-readline", .type = LIEGE_OPTION_STRING, .arg = "FILE",
      .help = "as for, with the lines of a file" },
    { .name = "endfor", .aliases = "end-for", .type = LIEGE_OPTION_FLAG,
      .help = "the end of what a for repeats" },
    { .name = "if-env", .aliases = "ifenv", .type = LIEGE_OPTION_STRING, .arg = "NAME[=VALUE]",
      .help = "what follows, up to else or endif, counts only if the environment has the variable" },
    { .name = "if-not-env", .type = LIEGE_OPTION_STRING, .arg = "NAME[=VALUE]",
      .help = "the opposite of if-env" },
    { .name = "if-opt", .type = LIEGE_OPTION_STRING, .arg = "NAME[=VALUE]",
      .help = "as if-env, if the option or placeholder was set before" },
    { .name = "if-not-opt", .type = LIEGE_OPTION_STRING, .arg = "NAME[=VALUE]",
      .help = "the opposite of if-opt" },
    { .name = "if-exists", .aliases = "ifexists", .type = LIEGE_OPTION_STRING, .arg = "PATH",
      .help = "as if-env, if there is such a file, folder or socket" },
    { .name = "if-not-exists", .type = LIEGE_OPTION_STRING, .arg = "PATH",
      .help = "the opposite of if-exists" },
    { .name = "if-file", .type = LIEGE_OPTION_STRING, .arg = "PATH",
      .help = "as if-env, if this is a file" },
    { .name = "if-not-file", .type = LIEGE_OPTION_STRING, .arg = "PATH",
      .help = "the opposite of if-file" },
    { .name = "if-dir", .aliases = "ifdir if-directory", .type = LIEGE_OPTION_STRING, .arg = "PATH",
      .help = "as if-env, if this is a folder" },
    { .name = "if-not-dir", .type = LIEGE_OPTION_STRING, .arg = "PATH",
      .help = "the opposite of if-dir" },
    { .name = "if-plugin", .aliases = "ifplugin", .type = LIEGE_OPTION_STRING, .arg = "NAME",
      .help = "as if-env, if liege knows this plugin" },
    { .name = "if-not-plugin", .type = LIEGE_OPTION_STRING, .arg = "NAME",
      .help = "the opposite of if-plugin" },
    { .name = "if-reload", .type = LIEGE_OPTION_FLAG,
      .help = "as if-env, if a running instance reads its configuration again" },
    { .name = "if-not-reload", .type = LIEGE_OPTION_FLAG,
      .help = "the opposite of if-reload" },
    { .name = "if-hostname", .type = LIEGE_OPTION_STRING, .arg = "NAME",
      .help = "as if-env, if the host has this name" },
    { .name = "if-not-hostname", .type = LIEGE_OPTION_STRING, .arg = "NAME",
      .help = "the opposite of if-hostname" },
    { .name = "if-hostname-match", .type = LIEGE_OPTION_STRING, .arg = "REGEXP",
      .help = "as if-env, if the host's name matches" },
    { .name = "if-not-hostname-match", .type = LIEGE_OPTION_STRING, .arg = "REGEXP",
      .help = "the opposite of if-hostname-match" },
    { .name = "else", .type = LIEGE_OPTION_FLAG,
      .help = "what follows counts if what was before did not" },
    { .name = "endif", .aliases = "end-if end", .type = LIEGE_OPTION_FLAG,
      .help = "the end of an if" },
    { .name = "blacklist", .type = LIEGE_OPTION_STRING, .arg = "'OPTION...'",
      .help = "forbid these options up to end-blacklist" },
    { .name = "end-blacklist", .type = LIEGE_OPTION_FLAG,
      .help = "the end of a blacklist" },
    { .name = "whitelist", .type = LIEGE_OPTION_STRING, .arg = "'OPTION...'",
      .help = "allow no options but these up to end-whitelist" },
    { .name = "end-whitelist", .type = LIEGE_OPTION_FLAG,
      .help = "the end of a whitelist" },
};
const struct conf_table conf_logic_table = {
    .title = "Blocks in configurations", .options = rows, .n_options = COUNT_OF(rows),
};

static const struct logic_word words[] = {
    { "for",                   LOGIC_FOR,       "endfor", logic_for, false },
    { "for-glob",              LOGIC_FOR,       "endfor", logic_for_glob, false },
    { "for-times",             LOGIC_FOR,       "endfor", logic_for_times, false },
    { "for-readline",          LOGIC_FOR,       "endfor", logic_for_readline, false },
    { "endfor",                LOGIC_END,       "endfor", NULL, false },
    { "if-env",                LOGIC_IF,        "endif", logic_if_env, false },
    { "if-not-env",            LOGIC_IF,        "endif", logic_if_env, true },
    { "if-opt",                LOGIC_IF,        "endif", logic_if_opt, false },
    { "if-not-opt",            LOGIC_IF,        "endif", logic_if_opt, true },
    { "if-exists",             LOGIC_IF,        "endif", logic_if_exists, false },
    { "if-not-exists",         LOGIC_IF,        "endif", logic_if_exists, true },
    { "if-file",               LOGIC_IF,        "endif", logic_if_file, false },
    { "if-not-file",           LOGIC_IF,        "endif", logic_if_file, true },
    { "if-dir",                LOGIC_IF,        "endif", logic_if_dir, false },
    { "if-not-dir",            LOGIC_IF,        "endif", logic_if_dir, true },
    { "if-plugin",             LOGIC_IF,        "endif", logic_if_plugin, false },
    { "if-not-plugin",         LOGIC_IF,        "endif", logic_if_plugin, true },
    { "if-reload",             LOGIC_IF,        "endif", logic_if_reload, false },
    { "if-not-reload",         LOGIC_IF,        "endif", logic_if_reload, true },
    { "if-hostname",           LOGIC_IF,        "endif", logic_if_hostname, false },
    { "if-not-hostname",       LOGIC_IF,        "endif", logic_if_hostname, true },
    { "if-hostname-match",     LOGIC_IF,        "endif", logic_if_hostname_match, false },
    { "if-not-hostname-match", LOGIC_IF,        "endif", logic_if_hostname_match, true },
    { "else",                  LOGIC_ELSE,      "endif", NULL, false },
    { "endif",                 LOGIC_END,       "endif", NULL, false },
    { "blacklist",             LOGIC_BLACKLIST, "end-blacklist", logic_for, false },
    { "end-blacklist",         LOGIC_END,       "end-blacklist", NULL, false },
    { "whitelist",             LOGIC_WHITELIST, "end-whitelist", logic_for, false },
    { "end-whitelist",         LOGIC_END,       "end-whitelist", NULL, false },
};
/* clang-format on */
static_assert(COUNT_OF(words) == COUNT_OF(rows), "a word for each row");

const struct logic_word *logic_find_word(const char *name)
{
    const struct liege_option *row = conf_find_option(&conf_logic_table, 1, name, NULL);

    for (size_t i = 0; row && i < COUNT_OF(words); i++)
        if (strcmp(words[i].name, row->name) == 0)
            return &words[i];
    return NULL;
}
