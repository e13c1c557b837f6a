/* SPDX-License-Identifier: MIT */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants the four above */
#include <cmocka.h>

#include "conf/conf.h"
#include "conf/line.h"

/* What the tests of src/conf share: a folder for files, options to know, and a load of both. */

struct sample {
    bool master, lazy;
    uint64_t workers, threads, limit, size, timeout_us, delay_us, mode;
    char *module, *stats;
    struct liege_list sockets, hooks;
};
extern struct sample sample;
extern const struct conf_table sample_tables[1];

/* A load in a folder of its own. */
struct fixture {
    char folder[64];
    struct conf conf;
    struct errmsg err;
    const char *environ[20]; /* NULL-terminated */
    bool is_reload;
    struct source_cache *sources;
    conf_receive_fn *receive;
};

int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Writes @text (@len bytes) as the file @name of the folder. */
void fixture_write(const struct fixture *f, const char *name, const char *text);
void fixture_write_bytes(const struct fixture *f, const char *name, const void *data, size_t len);

/* Loads the command line "liege ..." (ending with NULL) in the folder. */
int fixture_load(struct fixture *f, ...);

/* Writes @text as app.ini and loads it. */
int fixture_load_text(struct fixture *f, const char *text);

/* As fixture_load_text() with "[uwsgi]\n" before @text, so that its first line is number 2; fails
 * the test unless the load is refused with exactly @message. */
void assert_refused(struct fixture *f, const char *text, const char *message);

/* Fails the test unless the load was good and the last setting @key is @value. */
void assert_setting(const struct fixture *f, const char *key, const char *value);

/* Fails the test unless the load was good and all settings are "key=value;", in order. */
void assert_settings(const struct fixture *f, const char *wanted);

/* Fills the sample from the loaded settings; the warnings, a line each, are in fixture_warnings. */
int fixture_apply(struct fixture *f);
extern char fixture_warnings[4096];

/* What a parser makes of a text. */
struct lines_case {
    const char *text;
    const char *lines; /* "section|key|value|number;", sections as "[section]"; the message if it
                          fails with -EINVAL */
    int result;
};

/* Fails the test unless @parse finds these lines in each text of the file @file. The section "skip"
 * is not wanted; in the section "stop" the parsing is ended with -ECANCELED. */
void assert_lines(conf_parse_fn *parse, const char *file, const struct lines_case *cases, size_t n);
