/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "liege/plugin.h"

/* A host for language plugins that works on memory: requests are filled in by a test, answers and
 * log lines are collected for it to look at. It knows no language. What it lacks to be a server
 * (framing, clients) it does not pretend to have, but it holds plugins to the rules of
 * liege/app.h: a call that breaks one aborts the test. */

/* A request and the answer to it. */
struct exchange {
    struct liege_request req; /* first, so that the host finds the exchange */
    struct liege_field fields[24];
    const char *body;
    size_t position;    /* in the body */
    size_t break_after; /* bytes of the answer, then the client is gone; SIZE_MAX: never */

    int status;        /* of the last head taken, 0: none */
    char reason[64];   /* of it */
    char head[8192];   /* its fields: "name: value\n" each */
    char *answer;      /* body bytes, terminated; NULL when there are none */
    size_t answer_len; /* bytes */
    size_t limit;      /* the Content-Length given, or SIZE_MAX */
    bool ended, failed;
    unsigned n_starts, n_writes, n_files;
};

/* Opens the plugin that the environment names (LIEGE_PLUGIN). Fails the test if it cannot. */
const struct liege_plugin *plugin_host_open(void);

/* The host to start a plugin with. May be changed before that. */
struct liege_host *plugin_host(void);

/* All that was logged since the last clear: "LEVEL text\n" for each line. */
const char *plugin_host_log(void);
void plugin_host_clear_log(void);

/* Begins a request: @target is "/path?query". Strings stay the caller's. */
void exchange_init(struct exchange *x, const char *method, const char *target);
void exchange_add_field(struct exchange *x, enum liege_field_id id, const char *name,
                        const char *value);
void exchange_set_body(struct exchange *x, const char *body, size_t len);

/* Has @app of @plugin answer. */
void exchange_run(struct exchange *x, const struct liege_plugin *plugin, void *app);

/* The value of the answer's field @name (as the application spelled it), or NULL. Valid until the
 * next call. */
const char *exchange_field(const struct exchange *x, const char *name);

void exchange_done(struct exchange *x);
