/* SPDX-License-Identifier: MIT */
/* From a vassal's name to the socket that starts it. A file or a directory is looked at here and
 * now; a command is asked beside the loop, and gets the name as an argument, never as a part of the
 * command. Of these only one counts, in the order in which uWSGI has them. Used by court.c and
 * vassal.c. */
#include "emperor/vassal-demand.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

#define ADDRESS_MAX_BYTES 4096
#define QUESTION_US       (30 * US_PER_SEC)

/* What waits for the answer of a command. */
struct question {
    struct vassal *vassal;
    struct job *job;
    enum vassal_event event;
    char why[128];
};

static void forget_question(struct vassal *v)
{
    if (!v->question)
        return;
    (void)job_free(v->question->job);
    free(v->question);
    v->question = NULL;
}

/* The line that @text begins with, allocated; NULL: it is empty, or there is no memory. */
static char *first_line(const char *text)
{
    size_t len = 0;

    while ((unsigned char)text[len] >= ' ')
        len++;
    return len == 0 ? NULL : strndup(text, len);
}

/* The first line of the file called as the configuration, with the extension behind it. */
static int find_in_file(const struct vassal *v, char **ret)
{
    _cleanup_free_ char *path = NULL, *text = NULL;
    size_t len = 0;

    if (asprintf(&path, "%s%s", v->path, v->realm->conf->on_demand_extension) < 0)
        return -ENOMEM;
    int r = file_read_regular(path, ADDRESS_MAX_BYTES, &text, &len);
    if (r == -ENOENT)
        return 0;
    if (r == -EBADF)
        log_error("vassal %s: cannot read %s: it is no regular file", v->id, path);
    else if (r < 0)
        (void)log_errno(LOG_ERR, r, "vassal %s: cannot read %s", v->id, path);
    if (r < 0)
        return r;
    *ret = first_line(text);
    return 0;
}

/* Called as the configuration without its ending; one of several in a file has its own name behind.
 */
static int find_in_directory(const struct vassal *v, char **ret)
{
    const char *slash = strrchr(v->name, '/'), *base = slash ? slash + 1 : v->name;
    const char *dot = strrchr(base, '.'), *part = dot ? strchr(dot, ':') : NULL;
    int len = (int)(dot ? (size_t)(dot - base) : strlen(base));

    if (asprintf(ret, "%s/%.*s%s.socket", v->realm->conf->on_demand_directory, len, base,
                 part ? part : "") < 0) {
        *ret = NULL;
        return -ENOMEM;
    }
    return 0;
}

/* True if @address is what the vassal has already. */
static bool has_address(const struct vassal *v, const char *address)
{
    if (!v->demand || !address)
        return !v->demand && !address;
    return strcmp(v->demand->address, address) == 0;
}

static void drop_socket(struct vassal *v)
{
    if (!v->demand)
        return;
    (void)hash_remove(&v->realm->by_address, v->demand->address);
    v->demand = demand_free(v->demand);
}

/* Nobody can connect to the socket any more, and the vassal sleeps. */
static void renew_socket(struct vassal *v)
{
    struct errmsg err = {""};
    int r = demand_renew(v->demand, &err);

    log_warning("vassal %s: it has shut down its socket, %s, which is bound anew", v->id,
                v->demand->address);
    if (r < 0) {
        log_error("vassal %s: cannot wait for its first connection: %s", v->id, err.text);
        drop_socket(v);
        vassal_handle(v, VASSAL_FAILED, "it cannot have its socket: %s", strerror(-r));
        return;
    }
    vassal_handle(v, VASSAL_CAN_SLEEP, "its socket is bound anew");
}

static void on_call(struct demand *d)
{
    if (d->broken) {
        renew_socket(d->data);
        return;
    }
    demand_listen(d, false);
    vassal_handle(d->data, VASSAL_CALLED, "somebody connects to %s", d->address);
}

/* Replaces the socket. @address may be NULL. */
static int set_address(struct vassal *v, const char *address)
{
    struct errmsg err = {""};

    if (has_address(v, address))
        return 0;
    drop_socket(v);
    if (!address)
        return 0;
    const struct vassal *other = hash_get(&v->realm->by_address, address);
    int r = 0;
    if (other)
        r = errmsg_set(&err, -EADDRINUSE, "%s is the socket of vassal %s", address, other->id);
    if (r == 0)
        r = demand_new(v->realm->loop, address, on_call, v, &v->demand, &err);
    if (r == 0) {
        r = hash_put(&v->realm->by_address, v->demand->address, v);
        if (r < 0)
            v->demand = demand_free(v->demand);
    }
    if (r < 0)
        log_error("vassal %s: cannot wait for its first connection: %s", v->id,
                  *err.text ? err.text : strerror(-r));
    return r;
}

static void forget_move(struct vassal *v)
{
    free(v->next_address);
    v->next_address = NULL;
    v->moves = false;
}

/* The answer is there: @address belongs to this function. */
static void settled(struct vassal *v, char *address, enum vassal_event event, const char *why)
{
    forget_move(v);
    if (vassal_lives(v)) {
        v->moves = !has_address(v, address);
        v->next_address = v->moves ? TAKE_PTR(address) : NULL;
        free(address);
        vassal_handle(v, v->moves ? VASSAL_MOVED : event, "%s", why);
        return;
    }
    int r = set_address(v, address);
    free(address);
    if (v->state == VASSAL_HELD && event != VASSAL_RESUMED)
        return;
    if (r < 0)
        vassal_handle(v, VASSAL_FAILED, "it cannot have its socket: %s", strerror(-r));
    else
        vassal_handle(v, v->demand ? VASSAL_CAN_SLEEP : event, "%s", why);
}

static void on_answer(void *data, const struct job_end *end)
{
    _cleanup_free_ struct question *q = data;
    struct vassal *v = q->vassal;
    char how[96];

    v->question = NULL;
    if (!end->ok)
        log_error("vassal %s: emperor-on-demand-exec %s, so it does not run on demand", v->id,
                  proc_describe_end(&end->info, how, sizeof(how)));
    settled(v, end->ok ? first_line(end->output) : NULL, q->event, q->why);
    if (v->realm->on_state)
        v->realm->on_state(v->realm, v); /* that it is known now is worth a look by itself */
}

/* Puts the question; the answer goes on. What a question before it was for is not lost if the new
 * event does nothing: who is new, or is to be started, still is when its file is touched. */
static int ask(struct vassal *v, enum vassal_event event, const char *why)
{
    _cleanup_free_ char *script = NULL;
    struct question *q = calloc(1, sizeof(*q));

    if (v->question && vassal_step(v->state, event).action == VASSAL_IGNORE)
        event = v->question->event;
    forget_question(v);
    if (!q || asprintf(&script, "%s \"$1\"", v->realm->conf->on_demand_exec) < 0) {
        free(q);
        script = NULL;
        return -ENOMEM;
    }
    *q = (struct question){.vassal = v, .event = event};
    (void)snprintf(q->why, sizeof(q->why), "%s", why);
    const char *const argv[] = {"/bin/sh", "-c", script, "sh", v->name, NULL};
    const struct job_start start = {
        .loop = v->realm->loop,
        .by_pid = &v->realm->by_pid,
        .argv = argv,
        .environ = v->realm->environ,
        .cwd = v->monitor->directory,
        .limit_us = QUESTION_US,
        .fn = on_answer,
        .data = q,
    };
    int r = job_new(&start, &q->job);
    if (r < 0)
        free(q);
    else
        v->question = q;
    return r;
}

void vassal_settle(struct vassal *v, enum vassal_event event, const char *why)
{
    const struct emperor_conf *c = v->realm->conf;
    char *address = NULL;
    int r = 0;

    if (v->zerg > 0) { /* it serves on the sockets of the one that it reinforces */
        vassal_handle(v, event, "%s", why);
        return;
    }
    if (v->item && v->item->socket)
        address = first_line(v->item->socket);
    else if (c->on_demand_extension)
        r = find_in_file(v, &address);
    else if (c->on_demand_directory)
        r = find_in_directory(v, &address);
    else if (c->on_demand_exec && (r = ask(v, event, why)) == 0)
        return;
    if (r < 0)
        log_error("vassal %s: its socket is not known, so it does not run on demand", v->id);
    settled(v, address, event, why);
}

int vassal_settle_ended(struct vassal *v)
{
    if (!v->moves)
        return 0;
    int r = set_address(v, v->next_address);
    forget_move(v);
    return r;
}

int vassal_settle_adopt(struct vassal *v, const char *address, const struct sock_file *file, int fd)
{
    struct errmsg err = {""};
    int r = demand_adopt(v->realm->loop, address, file, fd, on_call, v, &v->demand, &err);

    if (r == 0)
        r = hash_put(&v->realm->by_address, v->demand->address, v);
    return r;
}

bool vassal_settle_is_owed(const struct vassal *v)
{
    const struct question *q = v->question;

    return v->unsettled || v->moves ||
           (q && (v->state != VASSAL_HELD || q->event == VASSAL_RESUMED));
}

pid_t vassal_settle_pid(const struct vassal *v)
{
    return v->question ? job_pid(v->question->job) : 0;
}

void vassal_settle_forget(struct vassal *v)
{
    forget_question(v);
    forget_move(v);
}

void vassal_settle_done(struct vassal *v)
{
    vassal_settle_forget(v);
    drop_socket(v);
}
