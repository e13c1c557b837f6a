/* SPDX-License-Identifier: MIT */
/* The record of a vassal and the hands of its state machine: looks a step up in the table, notes
 * the new state with its time and its reason, logs the one line about it, and acts. Nothing here
 * waits; whatever takes time is a timer, and each vassal has its own, so that none delays another.
 */
#include "emperor/vassal.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/strv.h"
#include "emperor/adoption.h"
#include "emperor/succession.h"
#include "emperor/vassal-base.h"
#include "emperor/vassal-demand.h"
#include "emperor/vassal-files.h"
#include "emperor/vassal-hook.h"
#include "emperor/vassal-past.h"
#include "emperor/vassal-process.h"
#include "emperor/vassal-talk.h"
#include "ipc/bytes.h"

/* For how long a vassal that starts or reloads keeps others waiting: one of ours, and one of which
 * nothing is heard. */
#define TURN_US        (2 * US_PER_SEC)
#define SILENT_TURN_US (100 * US_PER_MS)

/* Until a base that did not fork a vassal is asked for it again. */
#define FIRST_BASE_DELAY_US (100 * US_PER_MS)
#define LAST_BASE_DELAY_US  (10 * US_PER_SEC)

#define DUMP_US US_PER_SEC /* for saying where it hangs */

static uint64_t epoch_us(void)
{
    struct timespec ts = {0};

    (void)clock_gettime(CLOCK_REALTIME, &ts); /* cannot fail for this clock */
    return (uint64_t)ts.tv_sec * US_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

/* The only place that changes a state. */
static void set_state(struct vassal *v, enum vassal_state next, const char *reason)
{
    enum vassal_state old = v->state;

    succession_hear(v, next);
    loop_timer_clear(v->realm->loop, &v->timer);
    turn_end(&v->turn);
    list_remove(&v->awaits);
    v->prepared = false;
    if (next != VASSAL_WAITING)
        vassal_base_give_back(v);
    if (old != VASSAL_ASLEEP || next != VASSAL_ASLEEP)
        vassal_hook_forget(v);
    if (v->demand && next != VASSAL_ASLEEP)
        demand_listen(v->demand, false);
    v->state = next;
    v->since_us = epoch_us();
    (void)snprintf(v->reason, sizeof(v->reason), "%s", reason);
    vassal_past_log(v, old, reason);
    if (v->realm->on_state)
        v->realm->on_state(v->realm, v);
}

void vassal_prepare(struct vassal *v)
{
    turn_take(&v->turn, TURN_US);
    vassal_base_give_back(v); /* a hook that hangs holds nobody up */
    v->prepared = true;
    vassal_hook_run(v, VASSAL_HOOK_BEFORE);
}

static void set_timer(struct vassal *v, uint64_t delay_us)
{
    loop_timer_set(v->realm->loop, &v->timer, clock_now_us() + delay_us);
}

const char *vassal_attribute(const struct vassal *v, const char *key)
{
    size_t len = key ? strlen(key) : 0;

    for (size_t i = 0; key && i < v->attributes.n_items; i++)
        if (strncmp(v->attributes.items[i], key, len) == 0 && v->attributes.items[i][len] == '=')
            return v->attributes.items[i] + len + 1;
    return NULL;
}

/* Lines up; behind those that are new if it is new as well. */
static void queue(struct vassal *v)
{
    turn_wait(&v->turn, v->first_run != 0);
}

/* How long has been found out already; 0: until the base comes. */
static void await_base(struct vassal *v)
{
    vassal_base_give_back(v);
    list_append(&v->realm->awaiting, &v->awaits);
    if (v->wait_us > 0)
        set_timer(v, v->wait_us);
}

/* How long has been found out already. */
static void throttle(struct vassal *v)
{
    vassal_base_give_back(v);
    set_timer(v, v->wait_us);
}

static void sleep_on(struct vassal *v)
{
    demand_listen(v->demand, true);
}

static void fall_asleep(struct vassal *v)
{
    sleep_on(v);
    vassal_hook_run(v, VASSAL_HOOK_ASLEEP);
}

static void count_start(struct vassal *v)
{
    v->last_run = time(NULL);
    if (v->first_run == 0)
        v->first_run = v->last_run;
    else
        v->n_respawns++;
}

static void start(struct vassal *v)
{
    turn_take(&v->turn, SILENT_TURN_US);
    v->life = (struct vassal_life){.place = v->monitor->place, .asked_mono_us = clock_now_us()};
    vassal_reads(v, NULL);

    struct errmsg err = {""};
    int r = vassal_base_find(v, v->life.base, &err);
    v->life.adopted = r > 0;
    if (v->life.adopted) {
        r = adoption_begin(v, &err);
        if (r < 0)
            vassal_unborn(v, r, err.text);
        return;
    }
    count_start(v);
    if (r == 0)
        r = vassal_start_program(v, &err);
    if (r < 0)
        vassal_handle(v, VASSAL_FAILED, "%s", err.text);
    else
        vassal_hook_run(v, VASSAL_HOOK_STARTED);
}

void vassal_reload(struct vassal *v)
{
    bool newer = vassal_base_is_newer(v);

    if (succession_postpone(v, newer))
        return;
    if (!newer && !v->owes_reload) {
        vassal_handle(v, VASSAL_SAID_KEPT, "its base has nothing newer now");
        return;
    }
    turn_take(&v->turn, TURN_US);
    v->n_reloads++;
    v->life.kept = vassal_base_has_failed(v);
    v->life.asked_mono_us = clock_now_us();
    int r = newer ? v->realm->on_outdated(v->realm, v) : 0;
    if (newer && r == 0)
        return;
    if (r < 0)
        (void)log_errno(LOG_ERR, r, "vassal %s: cannot be succeeded by another one", v->id);
    vassal_reads(v, NULL);
    r = vassal_talk_send(v, EMPEROR_BYTE_RELOAD);
    if (r < 0)
        (void)log_errno(LOG_WARNING, r, "vassal %s: cannot tell it to reload", v->id);
}

static void curse(struct vassal *v)
{
    set_timer(v, v->realm->conf->curse_tolerance_us);
}

/* A process that nobody wants any more need not come. */
static void give_up_birth(struct vassal *v)
{
    if (adoption_cancel(v))
        vassal_unborn(v, -ECANCELED, "its base was not asked for it yet");
}

static void stop(struct vassal *v)
{
    /* Who answers on demand may have a request that it did not know of when it asked to stop. */
    bool graceful = v->realm->conf->graceful_shutdown || v->zerg > 0 || v->succeeds ||
                    (v->demand && v->state == VASSAL_RETIRING);
    int r = vassal_talk_send(v, graceful ? EMPEROR_BYTE_STOP_GRACEFULLY : EMPEROR_BYTE_STOP);

    if (r < 0 && vassal_runs(v))
        (void)log_errno(LOG_WARNING, r, "vassal %s: cannot tell it to stop", v->id);
    curse(v);
    give_up_birth(v);
}

static void kill_now(struct vassal *v)
{
    give_up_birth(v);
    vassal_kill(v);
}

/* It is of no use any more, and may be able to say why. */
static void dump(struct vassal *v)
{
    int r = vassal_talk_send(v, EMPEROR_BYTE_STACK);

    log_warning("vassal %s: process %d, whose state is %c, is asked where it hangs, then killed",
                v->id, (int)v->proc.pid, proc_state(v->proc.pid));
    if (r < 0)
        (void)log_errno(LOG_WARNING, r, "vassal %s: cannot ask it", v->id);
    set_timer(v, DUMP_US);
}

static void delay(struct vassal *v)
{
    set_timer(v, v->delay_us);
}

static void release(struct vassal *v)
{
    if (!v->succeeds) /* its vassal is there */
        vassal_hook_stopped(v);
    v->realm->on_gone(v->realm, v);
}

/* True if the base could not do it at all, for which the vassal is not to blame. */
static bool is_for_want_of_base(int error)
{
    return error == -ECONNRESET || error == -ECONNREFUSED || error == -EPIPE || error == -ENOENT ||
           error == -EPERM || error == -ETIMEDOUT || error == -EAGAIN;
}

void vassal_unborn(struct vassal *v, int error, const char *why)
{
    bool failed = vassal_settle_ended(v) < 0;
    enum vassal_event event = VASSAL_UNBORN;

    if (failed || (v->state == VASSAL_STARTING && !is_for_want_of_base(error)))
        event = VASSAL_FAILED;
    else if (v->demand && v->state == VASSAL_RESTARTING)
        event = VASSAL_CAN_SLEEP; /* whoever calls it still does */
    vassal_handle(v, event, "%s", why);
}

void vassal_born(struct vassal *v, struct launched *started)
{
    pid_t pid = started->proc.pid;
    int r = realm_awaits(v->realm, pid) ? -EEXIST : vassal_adopt(v, started);

    if (r == -EEXIST)
        launched_done(started);
    if (r < 0) {
        char why[96];
        (void)snprintf(why, sizeof(why), "cannot take over process %d: %s", (int)pid, strerror(-r));
        vassal_unborn(v, r, why);
        return;
    }
    count_start(v);
    v->base_delay_us = 0;
    if (v->state != VASSAL_STARTING) { /* it was told to end before it was there */
        kill_now(v);
        return;
    }
    vassal_hook_run(v, VASSAL_HOOK_STARTED);
    succession_born(v);
}

/* clang-format off */
static void (*const actions[])(struct vassal *v) = {
    [VASSAL_IGNORE]   = NULL,
    [VASSAL_ENTER]    = NULL,
    [VASSAL_SLEEP]    = fall_asleep,
    [VASSAL_SLEEP_ON] = sleep_on,
    [VASSAL_QUEUE]    = queue,
    [VASSAL_AWAIT]    = await_base,
    [VASSAL_THROTTLE] = throttle,
    [VASSAL_START]    = start,
    [VASSAL_RELOAD]   = vassal_reload,
    [VASSAL_STOP]     = stop,
    [VASSAL_CURSE]    = curse,
    [VASSAL_DUMP]     = dump,
    [VASSAL_KILL]     = kill_now,
    [VASSAL_DELAY]    = delay,
    [VASSAL_RELEASE]  = release,
};
/* clang-format on */
static_assert(COUNT_OF(actions) == VASSAL_ACTION_COUNT, "one function for each action");

#define WAIT_TEXT_BYTES 160

/* Those whose base is not there, or did not do what it was asked for, wait for it. */
static bool has_to_await(struct vassal *v, struct vassal_step step, char text[WAIT_TEXT_BYTES])
{
    bool starts =
        step.action == VASSAL_START || (step.action == VASSAL_QUEUE && step.next == VASSAL_WAITING);

    if (!starts && step.action != VASSAL_AWAIT)
        return false;
    v->wait_us = 0;
    if (vassal_base_holds(v, step.action, text, WAIT_TEXT_BYTES))
        return true;
    if (starts)
        return false;
    v->base_delay_us = v->base_delay_us == 0
                           ? FIRST_BASE_DELAY_US
                           : MIN(2 * v->base_delay_us, (uint64_t)LAST_BASE_DELAY_US);
    v->wait_us = v->base_delay_us;
    (void)snprintf(text, WAIT_TEXT_BYTES, "asks again in %.1f s", (double)v->wait_us / US_PER_SEC);
    return true;
}

/* Who need not wait does not enter a state of waiting; @text says for what the others do. */
static struct vassal_step skip_wait(struct vassal *v, enum vassal_event event,
                                    struct vassal_step step, char text[WAIT_TEXT_BYTES])
{
    static const struct vassal_step await = {VASSAL_AWAIT, VASSAL_WAITING};
    const struct emperor_conf *c = v->realm->conf;

    if (has_to_await(v, step, text))
        return await;
    if (vassal_past_is_throttled(v, event, step.action)) {
        v->wait_us =
            throttle_next(&v->realm->throttle, clock_now_us(), c->throttle_us, c->max_throttle_us);
        step.action = v->wait_us > 0 ? VASSAL_THROTTLE : VASSAL_QUEUE;
    }
    bool prepared = step.next == VASSAL_OUTDATED || !vassal_hook_exists(v, VASSAL_HOOK_BEFORE);
    if (step.action == VASSAL_QUEUE && prepared && turn_is_free(&v->turn)) {
        step = vassal_step(step.next, VASSAL_TURN);
        return has_to_await(v, step, text) ? await : step;
    }
    if (step.action == VASSAL_DELAY)
        vassal_past_raise_delay(v);
    if (step.action == VASSAL_DELAY || step.action == VASSAL_THROTTLE)
        (void)snprintf(text, WAIT_TEXT_BYTES, "starts again in %.1f s",
                       (double)(step.action == VASSAL_DELAY ? v->delay_us : v->wait_us) /
                           US_PER_SEC);
    return step;
}

/* Who was to come to what its base has, and was told to reload besides, does so in any case. */
static void note_reload(struct vassal *v, enum vassal_event event, struct vassal_step step)
{
    bool was_to = v->state == VASSAL_OUTDATED || v->state == VASSAL_RELOADING;
    bool is_to = step.next == VASSAL_OUTDATED || step.next == VASSAL_RELOADING;
    bool is_told = event == VASSAL_CHANGED || event == VASSAL_RENEWED || event == VASSAL_SILENT;

    v->owes_reload = is_to && (is_told || (was_to && v->owes_reload));
}

void vassal_handle(struct vassal *v, enum vassal_event event, const char *fmt, ...)
{
    struct vassal_step step = vassal_step(v->state, event);
    char reason[sizeof(v->reason)], wait[WAIT_TEXT_BYTES] = "";
    va_list ap;

    if (event == VASSAL_PARDONED || event == VASSAL_CHANGED || event == VASSAL_MOVED)
        vassal_past_forgive(v);
    if (event == VASSAL_REMOVED || event == VASSAL_CONDEMNED)
        vassal_settle_forget(v);
    note_reload(v, event, step);
    if (step.action == VASSAL_IGNORE)
        return;
    step = skip_wait(v, event, step, wait);
    bool restarts = step.action == VASSAL_RELOAD && vassal_base_needs_start(v);
    if (restarts)
        step = vassal_step(v->state, VASSAL_MOVED);
    va_start(ap, fmt);
    int n = vsnprintf(reason, sizeof(reason), fmt, ap);
    va_end(ap);
    size_t end = MIN((size_t)MAX(n, 0), sizeof(reason) - sizeof(wait));
    if (step.action == VASSAL_AWAIT && event != VASSAL_UNBORN)
        end = 0; /* that is the reason */
    if (wait[0])
        (void)snprintf(reason + end, sizeof(reason) - end, "%s%s", end > 0 ? ", " : "", wait);
    set_state(v, step.next, reason);
    if (restarts) /* it has the turn until it has ended, to be started in */
        turn_take(&v->turn, TURN_US);
    if (actions[step.action])
        actions[step.action](v);
    succession_follow(v);
    if (step.next == VASSAL_READY && v->state == VASSAL_READY)
        vassal_base_catch_up(v);
}

void vassal_speaks(struct vassal *v)
{
    uint64_t limit_us = v->realm->conf->start_timeout_us;

    if (v->life.speaks)
        return;
    v->life.speaks = true;
    turn_expect(&v->turn, TURN_US);
    if (v->state == VASSAL_STARTING && limit_us > 0)
        loop_timer_set(v->realm->loop, &v->timer, v->life.asked_mono_us + limit_us);
}

void vassal_restore_state(struct vassal *v, enum vassal_state state, uint64_t timer_us,
                          uint64_t heart_us)
{
    v->state = state;
    if (timer_us > 0)
        loop_timer_set(v->realm->loop, &v->timer, timer_us);
    if (heart_us > 0)
        loop_timer_set(v->realm->loop, &v->heart, heart_us);
    if (state == VASSAL_STARTING || state == VASSAL_RELOADING)
        turn_take(&v->turn, TURN_US);
    else if (state == VASSAL_OUTDATED || (state == VASSAL_WAITING && timer_us == 0))
        turn_wait(&v->turn, false);
    else if (state == VASSAL_ASLEEP && v->demand)
        demand_listen(v->demand, true);
}

static void on_heart(struct loop_timer *t)
{
    struct vassal *v = container_of(t, struct vassal, heart);
    uint64_t limit_us = v->realm->conf->required_heartbeat_us;

    loop_timer_set(v->realm->loop, t, clock_now_us() + limit_us);
    vassal_handle(v, VASSAL_SILENT, "it has sent no heartbeat for %.1f s",
                  (double)limit_us / US_PER_SEC);
}

void vassal_beats(struct vassal *v)
{
    v->last_heartbeat = time(NULL);
    loop_timer_set(v->realm->loop, &v->heart,
                   clock_now_us() + v->realm->conf->required_heartbeat_us);
}

static void on_timer(struct loop_timer *t)
{
    struct vassal *v = container_of(t, struct vassal, timer);
    const struct emperor_conf *c = v->realm->conf;

    if (v->state == VASSAL_BACKOFF)
        vassal_settle(v, VASSAL_TIMER, "its time to wait is over");
    else if (v->state == VASSAL_WAITING)
        vassal_handle(v, VASSAL_TIMER, "its time to wait is over");
    else if (v->state == VASSAL_STARTING)
        vassal_handle(v, VASSAL_SILENT, "it is not ready after %.1f s",
                      (double)c->start_timeout_us / US_PER_SEC);
    else
        vassal_handle(v, VASSAL_TIMER, "it has to end and is killed");
}

void vassal_set_item(struct vassal *v, struct monitor_item *item)
{
    v->item = item;
    if (!item)
        return;
    item->owner = v;
    v->stamp = item->stamp;
    v->uid = item->stamp.uid;
    v->gid = item->stamp.gid;
    v->program = item->program;
    strv_done(&v->attributes);
    if (strv_join(&v->attributes, &item->attributes) < 0)
        log_error("vassal %s: out of memory, attributes are left out", v->id);
}

int vassal_new(struct vassal_realm *realm, struct monitor *m, struct monitor_item *item,
               const char *id, struct vassal **ret)
{
    struct vassal *v = calloc(1, sizeof(*v));

    if (!v)
        return -ENOMEM;
    *v = (struct vassal){
        .realm = realm,
        .monitor = m,
        .id = strdup(id),
        .name = strdup(item->name),
        .path = strdup(item->path),
        .proc = PROC_NONE,
        .timer = {.fn = on_timer},
        .heart = {.fn = on_heart},
        .lasts = {.fn = vassal_past_on_lasts},
        .end_io = {.fd = -1},
        .pipe_io = {.fd = -1},
        .status = {.io = {.fd = -1}},
        .since_us = epoch_us(),
    };
    vassal_log_init(&v->log, realm->loop, realm->log);
    turn_init(&v->turn, &realm->pace);
    list_init(&v->departed);
    list_init(&v->waits);
    list_init(&v->hooks);
    list_init(&v->asked);
    list_init(&v->promised);
    list_init(&v->has_room);
    list_init(&v->promise);
    list_init(&v->awaits);
    if (!v->id || !v->name || !v->path) {
        (void)vassal_free(v);
        return -ENOMEM;
    }
    vassal_set_item(v, item);
    v->first_stamp_us = v->stamp.mtime_ns / 1000;
    *ret = v;
    return 0;
}

struct vassal *vassal_free(struct vassal *v)
{
    if (!v)
        return NULL;
    loop_timer_clear(v->realm->loop, &v->timer);
    loop_timer_clear(v->realm->loop, &v->lasts);
    turn_end(&v->turn);
    vassal_hook_forget(v);
    vassal_settle_done(v);
    list_remove(&v->awaits);
    vassal_base_give_back(v);
    adoption_end(v);
    vassal_process_done(v);
    if (v->item)
        v->item->owner = NULL;
    vassal_log_done(&v->log);
    list_remove(&v->has_room);
    free(v->id);
    free(v->name);
    free(v->path);
    strv_done(&v->attributes);
    vassal_forget_files(v);
    free(v);
    return NULL;
}
