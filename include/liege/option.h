/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* One row an option. The row is all there is: parsing, range checks, defaults, --help, the manual
 * page, docs/options.md and the shell's completion are made from it. It lives with the module (or
 * plugin) whose structure holds the value. */

enum liege_option_type {
    LIEGE_OPTION_FLAG,      /* bool; "name" alone means yes */
    LIEGE_OPTION_UINT,      /* uint64_t */
    LIEGE_OPTION_BYTES,     /* uint64_t; k, m, g and t multiply by 1024 */
    LIEGE_OPTION_MEBIBYTES, /* uint64_t, bytes; written in MiB, suffixes as above are allowed */
    LIEGE_OPTION_SECONDS,   /* uint64_t, microseconds; written in seconds, a fraction or a suffix
                               (ms, s, m, h, d) is allowed */
    LIEGE_OPTION_MSECS,     /* uint64_t, microseconds; written in milliseconds, suffixes as above */
    LIEGE_OPTION_MODE,      /* uint64_t; file permissions, octal */
    LIEGE_OPTION_STRING,    /* char *, NULL when unset; owned by the structure */
    LIEGE_OPTION_LIST,      /* struct liege_list; each mention adds one */
    LIEGE_OPTION_ALWAYS,    /* nothing is stored: liege always does this; "no" is refused */
    LIEGE_OPTION_TYPE_COUNT,
};

enum liege_option_flags {
    LIEGE_OPTION_RESTART = 1 << 0,   /* a reload that changes it is refused: it needs a restart */
    LIEGE_OPTION_APP = 1 << 1,       /* names an application: its plugin is wanted */
    LIEGE_OPTION_VALUELESS = 1 << 2, /* STRING or MODE whose value may be left out */
    LIEGE_OPTION_AUTO = 1 << 3,      /* UINT for which "auto" may be said: 0 is stored */
    LIEGE_OPTION_EARLY = 1 << 4, /* of a language: acts before all else of it, in the order of the
                                    configuration: see early() of liege/plugin.h */
};

struct liege_list {
    char **items; /* n_items strings, then NULL; NULL when empty */
    size_t n_items;
};

struct liege_option {
    const char *name;
    const char *aliases; /* other names, separated by blanks; one letter is a short option */
    enum liege_option_type type;
    unsigned flags;    /* enum liege_option_flags */
    size_t offset;     /* of the value in the module's structure */
    uint64_t min, max; /* of the stored number; both 0: no limit */
    const char *dflt;  /* as it would be written in a file; NULL: 0, false, unset or empty */
    const char *arg;   /* the word for the value in the help: "ADDRESS", "N"; NULL for flags */
    const char *help;  /* one line, no full stop */

    /* For STRING and LIST, may be NULL: judges a value when the configuration is loaded. Returns 0,
     * or -EINVAL with a sentence in @reason (@size bytes) that shows what is wrong in the value and
     * says what is accepted. */
    int (*check)(const char *value, char *reason, size_t size);
};
