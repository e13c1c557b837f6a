/* SPDX-License-Identifier: MIT */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/macro.h"

/* What the files of liegectl share. */

/* How it ends. */
enum ctl_code {
    CTL_DONE = 0,
    CTL_FAILED = 1, /* or refused */
    CTL_USAGE = 2,
    CTL_NOBODY = 3, /* there is no Emperor */
};

/* What the command line says. */
struct ctl_options {
    const char *socket; /* never NULL */
    bool socket_given;  /* on the command line */
    bool json;
    bool follow, wait;
    bool memory;       /* status: what it has, measured now */
    unsigned lines;    /* of a log */
    unsigned count;    /* pictures of top; 0: no end */
    double interval_s; /* between them */

    const char *on_demand; /* add: address that starts the vassal; NULL: it starts at once */
    const char *text;      /* add: the configuration; NULL: none is sent */
    size_t text_len;
};

/* ctl-fifo.c: orders to one instance */

/* Writes the letter of @order into the FIFO at @path. */
enum ctl_code ctl_fifo(const char *order, const char *path);
bool ctl_fifo_knows(const char *order);
void ctl_fifo_usage(void *to);

/* ctl-client.c: a conversation with the Emperor */

struct ctl_client {
    int fd;
    struct buf in;
};

/* Connects; says on standard error why not. To be closed with ctl_close() either way. */
enum ctl_code ctl_open(struct ctl_client *c, const struct ctl_options *o);
void ctl_close(struct ctl_client *c);

/* Called for each line of an answer but the last. */
typedef void ctl_line_fn(const json_t *line, void *data);

/* Asks @command of @vassal (NULL: none is named) and gives @fn each line of the answer. With --json
 * the lines are printed as they come instead. Says on standard error what went wrong. */
enum ctl_code ctl_ask(struct ctl_client *c, const struct ctl_options *o, const char *command,
                      const char *vassal, ctl_line_fn *fn, void *data);

/* A member of an object as text; "" if there is none. */
const char *ctl_text(const json_t *object, const char *key);
json_int_t ctl_number(const json_t *object, const char *key);

/* ctl-table.c: lines with columns, as wide as they have to be */

struct ctl_table {
    struct ctl_cell *cells;
    size_t n_cells, n_columns;
    bool failed; /* no memory */
};

void ctl_table_begin(struct ctl_table *t, size_t n_columns);

/* Copies @text without control characters. @colour is a parameter of SGR, "" for none. */
void ctl_table_put(struct ctl_table *t, const char *text, const char *colour);
void ctl_table_printf(struct ctl_table *t, const char *fmt, ...) _printf_(2, 3);

/* Writes at most @max_rows rows of at most @width columns of a terminal (0: any) to @out. */
void ctl_table_write(const struct ctl_table *t, bool coloured, size_t width, size_t max_rows,
                     struct buf *out);
void ctl_table_done(struct ctl_table *t);

/* ctl-status.c */

/* Columns that a table of the status of vassals may have besides the usual ones. */
enum ctl_more {
    CTL_MORE_NONE,
    CTL_MORE_USED = 1 << 0,   /* struct ctl_used */
    CTL_MORE_MEMORY = 1 << 1, /* what the Emperor has measured */
};

/* What a vassal's processes use, as it is shown. */
struct ctl_used {
    char cpu[16], rss[16];
};

void ctl_status_begin(struct ctl_table *t, enum ctl_more more);

/* A row; @used is of CTL_MORE_USED. */
void ctl_status_row(struct ctl_table *t, enum ctl_more more, const json_t *status,
                    const struct ctl_used *used);
enum ctl_code ctl_status(const struct ctl_options *o, const char *vassal);

/* ctl-top.c */
enum ctl_code ctl_top(const struct ctl_options *o, const char *vassal);

/* ctl-usage.c: processes and what they use */

struct ctl_usage {
    unsigned long long ticks; /* of CPU time so far */
    unsigned long long rss_bytes;
};

struct ctl_processes;

/* All processes of this machine now; NULL: no memory, or no /proc. */
struct ctl_processes *ctl_processes_read(void);
struct ctl_processes *ctl_processes_free(struct ctl_processes *p);

/* What @pid and its descendants use together. */
struct ctl_usage ctl_processes_sum(const struct ctl_processes *p, int pid);
