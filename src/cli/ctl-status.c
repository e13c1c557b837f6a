/* SPDX-License-Identifier: MIT */
/* The status of vassals as a table: what state they are in, since when and why. Called by ctl.c;
 * ctl-top.c shows the same columns among its own. */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/macro.h"
#include "cli/ctl.h"

/* clang-format off */
static const struct {
    const char *state, *colour;
} colours[] = {
    { "ready",   "32" },
    { "backoff", "31" }, { "resting", "31" }, { "lost", "31" },
    { "held",    "2"  },
};
/* clang-format on */

/* States that are on their way to another one are yellow. */
static const char *colour_of(const char *state)
{
    for (size_t i = 0; i < COUNT_OF(colours); i++)
        if (strcmp(colours[i].state, state) == 0)
            return colours[i].colour;
    return "33";
}

/* "45s", "12m03s", "5h07m", "3d04h". */
static void put_duration(struct ctl_table *t, double seconds)
{
    unsigned long long s = seconds > 0 ? (unsigned long long)seconds : 0;

    if (s < 60)
        ctl_table_printf(t, "%llus", s);
    else if (s < 3600)
        ctl_table_printf(t, "%llum%02llus", s / 60, s % 60);
    else if (s < 86400)
        ctl_table_printf(t, "%lluh%02llum", s / 3600, s / 60 % 60);
    else
        ctl_table_printf(t, "%llud%02lluh", s / 86400, s / 3600 % 24);
}

/* A number that means nothing while there is no process. */
static void put_number(struct ctl_table *t, json_int_t n, bool there)
{
    if (there)
        ctl_table_printf(t, "%lld", (long long)n);
    else
        ctl_table_put(t, "-", "");
}

/* Why it is so, and of a vassal that was not started by itself from what. */
static void put_reason(struct ctl_table *t, const json_t *status)
{
    const char *reason = ctl_text(status, "reason");

    if (ctl_number(status, "adopted") > 0)
        ctl_table_printf(t, "%s; forked from %s, generation %lld", reason, ctl_text(status, "base"),
                         (long long)ctl_number(status, "base_generation"));
    else
        ctl_table_put(t, reason, "");
}

void ctl_status_begin(struct ctl_table *t, enum ctl_more more)
{
    static const struct {
        const char *name;
        enum ctl_more more; /* which it is one of */
    } columns[] = {
        {"NAME", 0},
        {"STATE", 0},
        {"SINCE", 0},
        {"PID", 0},
        {"WORKERS", 0},
        {"GEN", 0},
        {"RESTARTS", 0},
        {"CPU%", CTL_MORE_USED},
        {"RSS", CTL_MORE_USED},
        {"PSS", CTL_MORE_MEMORY},
        {"USS", CTL_MORE_MEMORY},
        {"SAVES", CTL_MORE_MEMORY},
        {"EXIT", 0},
        {"REASON", 0},
    };
    size_t n = 0;

    for (size_t i = 0; i < COUNT_OF(columns); i++)
        n += (columns[i].more & ~more) == 0;
    ctl_table_begin(t, n);
    for (size_t i = 0; i < COUNT_OF(columns); i++)
        if ((columns[i].more & ~more) == 0)
            ctl_table_put(t, columns[i].name, "1");
}

/* Bytes, if they are known and not none. */
static void put_size(struct ctl_table *t, const json_t *status, const char *key)
{
    if (ctl_number(status, key) > 0)
        ctl_table_printf(t, "%.1fM", (double)ctl_number(status, key) / (1 << 20));
    else
        ctl_table_put(t, "-", "");
}

void ctl_status_row(struct ctl_table *t, enum ctl_more more, const json_t *status,
                    const struct ctl_used *used)
{
    const char *state = ctl_text(status, "state"), *exit = ctl_text(status, "exit");
    json_int_t pid = ctl_number(status, "pid");
    bool runs = pid > 0;

    ctl_table_put(t, ctl_text(status, "id"), "");
    ctl_table_put(t, state, colour_of(state));
    put_duration(t, (double)time(NULL) - json_number_value(json_object_get(status, "since")));
    put_number(t, pid, runs);
    put_number(t, ctl_number(status, "workers"), runs);
    put_number(t, ctl_number(status, "generation"), runs);
    put_number(t, ctl_number(status, "respawns"), true);
    if (more & CTL_MORE_USED) {
        ctl_table_put(t, used->cpu, "");
        ctl_table_put(t, used->rss, "");
    }
    if (more & CTL_MORE_MEMORY) {
        put_size(t, status, "pss");
        put_size(t, status, "uss");
        put_size(t, status, "saves");
    }
    ctl_table_put(t, *exit ? exit : "-", "");
    put_reason(t, status);
}

struct answer {
    struct ctl_table table;
    enum ctl_more more;
};

static void on_status(const json_t *line, void *data)
{
    struct answer *a = data;

    ctl_status_row(&a->table, a->more, json_object_get(line, "status"), NULL);
}

static size_t terminal_width(void)
{
    struct winsize size = {0};

    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

enum ctl_code ctl_status(const struct ctl_options *o, const char *vassal)
{
    struct ctl_client c;
    struct answer a = {.more = o->memory ? CTL_MORE_MEMORY : CTL_MORE_NONE};
    struct buf out = {0};

    ctl_status_begin(&a.table, a.more);
    enum ctl_code code = ctl_open(&c, o);
    if (code == CTL_DONE)
        code = ctl_ask(&c, o, "status", vassal, on_status, &a);
    if (code == CTL_DONE && !o->json) {
        bool terminal = isatty(STDOUT_FILENO);
        ctl_table_write(&a.table, terminal, terminal ? terminal_width() : 0, SIZE_MAX, &out);
        (void)fwrite(buf_at(&out), 1, buf_len(&out), stdout);
    }
    ctl_close(&c);
    ctl_table_done(&a.table);
    buf_done(&out);
    return code;
}
