/* SPDX-License-Identifier: MIT */
/* The commands of the control socket: a table, the choice of the vassals that a request is for, and
 * the waiting until it is known how something went. A command is done for one vassal after another,
 * as far as there is room for what it answers, so that ten thousand vassals cost a client no more
 * than their names.
 *
 * What happens to a vassal is for vassal-state.c to decide; an event that changes nothing there is
 * answered as refused. Called by control.c. */
#include "emperor/control-private.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "conf/nearest.h"
#include "emperor/memory.h"
#include "emperor/stats.h"
#include "ipc/json.h"

#define MAX_AT_ONCE 100 /* vassals in a round of the loop: some 64 KiB of answers */

struct control_command {
    const char *name;
    int (*once)(struct control_client *cl,
                struct errmsg *err); /* first; a negative errno ends it */
    void (*each)(struct control_client *cl, struct vassal *v);
    bool (*settle)(struct control_client *cl,
                   const struct vassal *v); /* answers, if what is waited for is there; NULL: the
                                               vassal's state */
    enum vassal_event event;                /* of those that are one */
    const char *done;                       /* how a vassal is after it: "reloaded" */
    bool can_be_for_all;                    /* "all" is a name */
    bool is_for_all;                        /* no name means all */
    bool goal_is_down;                      /* what it waits for */
};

/* A client that waits for a vassal. */
struct control_wait {
    struct list of_vassal, of_client;
    struct control_client *client;
    const struct vassal *vassal;
};

/* Where a vassal is on its way. */
enum progress {
    MOVING,
    UP,
    FAILED, /* down, and not because anybody wanted it */
    DOWN,
};

/* clang-format off */
static const enum progress progress_of[] = {
    [VASSAL_NEW]        = MOVING,
    [VASSAL_ASLEEP]     = UP,
    [VASSAL_WAITING]    = MOVING,
    [VASSAL_STARTING]   = MOVING,
    [VASSAL_READY]      = UP,
    [VASSAL_OUTDATED]   = MOVING,
    [VASSAL_RELOADING]  = MOVING,
    [VASSAL_STOPPING]   = MOVING,
    [VASSAL_RESTARTING] = MOVING,
    [VASSAL_RETIRING]   = MOVING,
    [VASSAL_LOST]       = MOVING,
    [VASSAL_BACKOFF]    = FAILED,
    [VASSAL_RESTING]    = FAILED,
    [VASSAL_HOLDING]    = MOVING,
    [VASSAL_HELD]       = DOWN,
    [VASSAL_GONE]       = DOWN,
};
static_assert(COUNT_OF(progress_of) == VASSAL_STATE_COUNT, "one for each state");
/* clang-format on */

/* Answers about one vassal; @error NULL: it went well. */
static void put_outcome(struct control_client *cl, const struct vassal *v, const char *error)
{
    json_t *line = control_line();

    json_put_text(line, "vassal", v->id);
    (void)json_object_set_new(line, "done", json_boolean(!error));
    json_put_text(line, "state", vassal_state_name(v->state));
    json_put_text(line, "reason", v->reason);
    if (error)
        json_put_text(line, "error", error);
    cl->n_failed += error != NULL;
    control_client_put(cl, line);
}

static void put_end(struct control_client *cl, const char *error)
{
    json_t *line = control_line();

    (void)json_object_set_new(line, "ok", json_boolean(!error));
    if (error)
        json_put_text(line, "error", error);
    control_client_put(cl, line);
}

/* Waiting */

static void wait_free(struct control_wait *w)
{
    list_remove(&w->of_vassal);
    list_remove(&w->of_client);
    free(w);
}

/* Answers if the vassal has come to where it goes. False: not yet. */
static bool settle_outcome(struct control_client *cl, const struct vassal *v)
{
    enum progress p = progress_of[v->state];
    bool down = cl->command->goal_is_down;

    if (p == MOVING || (v->question && v->state != VASSAL_GONE))
        return false;
    if (!down && p == UP && v->life.kept)
        put_outcome(cl, v, "the new generation could not be started, the old one goes on serving");
    else if (!down && p == FAILED)
        put_outcome(cl, v, "it does not run");
    else if (p != (down ? DOWN : UP))
        put_outcome(cl, v, "something else was done to it meanwhile");
    else
        put_outcome(cl, v, NULL);
    return true;
}

static bool settle(struct control_client *cl, const struct vassal *v)
{
    return cl->command->settle ? cl->command->settle(cl, v) : settle_outcome(cl, v);
}

void control_command_look(struct control_client *cl)
{
    LIST_FOREACH (it, &cl->waits) {
        struct control_wait *w = container_of(it, struct control_wait, of_client);
        if (settle(cl, w->vassal))
            wait_free(w);
    }
}

void control_command_hear(struct vassal *v)
{
    if (v->state == VASSAL_GONE)
        control_log_lose(v);
    LIST_FOREACH (it, &v->waits) {
        struct control_wait *w = container_of(it, struct control_wait, of_vassal);
        if (settle(w->client, v))
            wait_free(w);
    }
}

static void wait_for(struct control_client *cl, struct vassal *v)
{
    struct control_wait *w = calloc(1, sizeof(*w));

    if (!w) {
        cl->closing = true;
        return;
    }
    w->client = cl;
    w->vassal = v;
    list_append(&v->waits, &w->of_vassal);
    list_append(&cl->waits, &w->of_client);
}

/* What is done for each vassal */

static int measure(struct control_client *cl, struct errmsg *err)
{
    (void)err; /* what is known is shown */
    if (cl->request.memory)
        (void)memory_measure(cl->control->court->memory, 0);
    return 0;
}

static bool settle_status(struct control_client *cl, const struct vassal *v)
{
    if (cl->request.memory && v->state != VASSAL_GONE &&
        memory_is_at_it(cl->control->court->memory))
        return false;
    json_t *line = control_line();
    (void)json_object_set_new(line, "status", stats_of_vassal(v));
    control_client_put(cl, line);
    return true;
}

static void do_status(struct control_client *cl, struct vassal *v)
{
    if (!settle_status(cl, v))
        wait_for(cl, v);
}

static void do_list(struct control_client *cl, struct vassal *v)
{
    json_t *line = control_line();

    json_put_text(line, "vassal", v->id);
    json_put_text(line, "state", vassal_state_name(v->state));
    json_put_text(line, "path", v->path);
    control_client_put(cl, line);
}

/* What was wanted is under way. */
static void do_wait(struct control_client *cl, struct vassal *v)
{
    if (!cl->request.wait)
        put_outcome(cl, v, NULL);
    else if (!settle(cl, v))
        wait_for(cl, v);
}

static void do_event(struct control_client *cl, struct vassal *v)
{
    const struct control_command *cmd = cl->command;
    char why[128];

    (void)snprintf(why, sizeof(why), "an operator wants it to be %s", cmd->done);
    if (cl->control->court->closing || !court_order(v, cmd->event, why)) {
        (void)snprintf(why, sizeof(why), "it cannot be %s: it is %s", cmd->done,
                       vassal_state_name(v->state));
        put_outcome(cl, v, why);
        return;
    }
    do_wait(cl, v);
}

/* Those that need no pardon are good as they are. */
static void do_pardon(struct control_client *cl, struct vassal *v)
{
    if (!cl->control->court->closing)
        (void)court_order(v, VASSAL_PARDONED, "an operator forgives it");
    put_outcome(cl, v, NULL);
}

static void do_log(struct control_client *cl, struct vassal *v)
{
    control_log_begin(cl, v);
}

static void do_check(struct control_client *cl, struct vassal *v)
{
    int r = control_check_begin(cl, v);

    if (r < 0)
        put_outcome(cl, v, strerror(-r));
}

/* As SIGUSR2, whose way it goes; the log says what comes of it. */
static int ask_for_upgrade(struct control_client *cl, struct errmsg *err)
{
    if (cl->control->court->closing)
        return errmsg_set(err, -ESHUTDOWN, "the Emperor stops");
    return kill(getpid(), SIGUSR2) < 0 ? errmsg_set_errno(err, -errno, "upgrade") : 0;
}

/* clang-format off */
static const struct control_command commands[] = {
    { .name = "status", .once = measure, .each = do_status, .settle = settle_status, .can_be_for_all = true, .is_for_all = true },
    { .name = "list",   .each = do_list,   .can_be_for_all = true, .is_for_all = true },
    { .name = "reload", .each = do_event,  .can_be_for_all = true,
      .event = VASSAL_CHANGED, .done = "reloaded" },
    { .name = "stop",   .each = do_event,  .event = VASSAL_HALTED, .done = "stopped",
      .goal_is_down = true },
    { .name = "start",  .each = do_event,  .event = VASSAL_RESUMED, .done = "started" },
    { .name = "clear-blacklist", .each = do_pardon, .can_be_for_all = true, .is_for_all = true },
    { .name = "add",    .once = control_given_add, .each = do_wait, .done = "added" },
    { .name = "remove", .once = control_given_remove },
    { .name = "upgrade", .once = ask_for_upgrade },
    { .name = "log",    .each = do_log },
    { .name = "check",  .each = do_check },
};
/* clang-format on */

/* Which vassals a request is for */

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int choose_all(const struct court *c, struct liege_list *ret)
{
    const struct vassal *v = NULL;

    for (size_t pos = 0; (v = hash_next(&c->vassals, &pos));)
        if (strv_append(ret, v->id) < 0)
            return -ENOMEM;
    if (ret->n_items > 0)
        qsort(ret->items, ret->n_items, sizeof(*ret->items), compare);
    return 0;
}

/* True if @id is @name with an ending: "shop.ini" for "shop". */
static bool is_without_ending(const char *id, const char *name)
{
    size_t len = strlen(name);

    return len > 0 && strncmp(id, name, len) == 0 && id[len] == '.' && !strchr(id + len + 1, '.');
}

/* The one vassal that is called @name, or in @err those that could be meant. */
static int choose_one(const struct court *c, const char *name, struct liege_list *ret,
                      struct errmsg *err)
{
    const struct vassal *v = hash_get(&c->vassals, name), *found = NULL;
    struct nearest nearest;

    if (v)
        return strv_append(ret, v->id);
    nearest_start(&nearest, name);
    for (size_t pos = 0; (v = hash_next(&c->vassals, &pos));) {
        nearest_offer(&nearest, v->id, strchr(name, '.') ? strlen(v->id) : strcspn(v->id, "."));
        if (!is_without_ending(v->id, name))
            continue;
        if (found)
            return errmsg_set(err, -ENOTUNIQ, "%s may be %s or %s: say which", name, found->id,
                              v->id);
        found = v;
    }
    if (found)
        return strv_append(ret, found->id);
    return errmsg_set(err, -ENOENT, "no vassal is called %s%s%s%s", name,
                      nearest.name[0] ? ", did you mean " : "", nearest.name,
                      nearest.name[0] ? "?" : "; liegectl list shows all");
}

static int choose(struct control_client *cl, const struct control_command *cmd, struct errmsg *err)
{
    const char *name = cl->request.vassal;
    bool all = cmd->can_be_for_all && strcmp(name, "all") == 0;

    if (*name == '\0' && !cmd->is_for_all)
        return errmsg_set(err, -EINVAL, "%s which vassal?%s", cmd->name,
                          cmd->can_be_for_all ? " (or all)" : "");
    if (all || *name == '\0')
        return choose_all(cl->control->court, &cl->names);
    return choose_one(cl->control->court, name, &cl->names, err);
}

/* The life of a command */

static const struct control_command *find_command(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

void control_command_begin(struct control_client *cl)
{
    const struct control_command *cmd = find_command(cl->request.command);
    struct errmsg err = {.text = "out of memory"};
    int r = 0;

    if (!cmd) {
        (void)errmsg_set(&err, -ENOSYS, "this Emperor has no command %s", cl->request.command);
        put_end(cl, err.text);
        return;
    }
    if (cmd->once)
        r = cmd->once(cl, &err);
    if (r == 0 && cmd->each)
        r = choose(cl, cmd, &err);
    if (r < 0) {
        strv_done(&cl->names);
        put_end(cl, err.text);
        return;
    }
    cl->command = cmd;
    control_command_go_on(cl);
}

static void put_total(struct control_client *cl)
{
    char error[128];

    if (cl->n_failed == 0) {
        put_end(cl, NULL);
        return;
    }
    (void)snprintf(error, sizeof(error), "it failed for %zu of %zu vassals", cl->n_failed,
                   cl->names.n_items);
    put_end(cl, error);
}

void control_command_go_on(struct control_client *cl)
{
    const struct court *c = cl->control->court;
    const struct control_command *cmd = cl->command;

    assert(cmd);
    for (int i = 0; i < MAX_AT_ONCE && cl->n_begun < cl->names.n_items; i++) {
        struct vassal *v = hash_get(&c->vassals, cl->names.items[cl->n_begun++]);
        if (v && cmd->each)
            cmd->each(cl, v);
    }
    if (cl->n_begun < cl->names.n_items)
        control_client_changed(cl);
    bool more = control_log_go_on(cl);
    if (more || cl->check || cl->n_begun < cl->names.n_items || !list_empty(&cl->waits))
        return;
    put_total(cl);
    control_command_end(cl);
}

void control_command_end(struct control_client *cl)
{
    LIST_FOREACH (it, &cl->waits)
        wait_free(container_of(it, struct control_wait, of_client));
    control_log_end(cl);
    control_check_end(cl);
    strv_done(&cl->names);
    cl->n_begun = 0;
    cl->n_failed = 0;
    cl->command = NULL;
}
