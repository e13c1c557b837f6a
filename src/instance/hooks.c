/* SPDX-License-Identifier: MIT */
/* The hooks of an event run one after the other in one child, so that a directory that one of them
 * enters, or a variable that it sets, is there for those that follow; the master stays as it is.
 * The first one that fails is the last one. */
#include "instance/hooks.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hook.h"
#include "base/log.h"

#define LIMIT_US (10 * US_PER_SEC) /* an Emperor waits longer for the end of a vassal */

/* clang-format off */
static const struct {
    const char *option;
    size_t offset; /* of its struct liege_list in struct instance_conf */
    enum order order;
} events[] = {
    [HOOK_EMPEROR_RELOAD]          = { "hook-emperor-reload", offsetof(struct instance_conf, hooks_emperor_reload), ORDER_RELOAD },
    [HOOK_EMPEROR_STOP_GRACEFULLY] = { "hook-emperor-stop",   offsetof(struct instance_conf, hooks_emperor_stop),   ORDER_STOP_GRACEFULLY },
    [HOOK_EMPEROR_STOP]            = { "hook-emperor-stop",   offsetof(struct instance_conf, hooks_emperor_stop),   ORDER_STOP },
    [HOOK_EMPEROR_LOST]            = { "hook-emperor-lost",   offsetof(struct instance_conf, hooks_emperor_lost),   ORDER_STOP },
};
/* clang-format on */
static_assert(COUNT_OF(events) == HOOK_EVENT_COUNT, "one row for each event");

static const struct liege_list *find_list(const struct hooks *h, enum hook_event event)
{
    const void *list = (const char *)h->conf(h->data) + events[event].offset;

    return list;
}

/* In the child. */
static int run_list(const void *data)
{
    const struct hooks *h = data;
    const char *option = events[h->event].option;
    const struct liege_list *list = find_list(h, h->event);

    for (size_t i = 0; i < list->n_items; i++) {
        struct errmsg err = {""};
        char shown[256];

        log_info("%s: %s", option, hook_show(list->items[i], shown, sizeof(shown)));
        int r = hook_do(list->items[i], &err);
        if (r != 0)
            (void)log_full(r < 0 ? LOG_ERR : LOG_WARNING, 0, "%s: %s: %s", option, shown, err.text);
        if (r < 0)
            return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

static void start(struct hooks *h, enum hook_event event)
{
    int r = 0;

    h->waiting[event] = false;
    h->event = event;
    if (find_list(h, event)->n_items > 0) {
        r = errand_start(&h->errand, h->loop, run_list, h, LIMIT_US);
        if (r == 0)
            return;
        (void)log_errno(LOG_ERR, r, "%s: cannot be run", events[event].option);
    }
    h->then(h->data, events[event].order);
}

static void start_next(struct hooks *h)
{
    for (size_t i = HOOK_EVENT_COUNT; i-- > 0 && !errand_is_on(&h->errand);)
        if (h->waiting[i])
            start(h, (enum hook_event)i);
}

static void on_end(void *data, const siginfo_t *end)
{
    struct hooks *h = data;
    char text[96];

    if (end->si_code != CLD_EXITED)
        log_error("%s: it was %s", events[h->event].option,
                  proc_describe_end(end, text, sizeof(text)));
    h->then(h->data, events[h->event].order);
    start_next(h);
}

void hooks_init(struct hooks *h, const struct instance_conf *(*conf)(void *data),
                void (*then)(void *data, enum order order), void *data)
{
    *h = (struct hooks){.conf = conf, .then = then, .data = data};
    errand_init(&h->errand, on_end, h);
}

void hooks_on(struct hooks *h, struct loop *loop, enum hook_event event)
{
    h->loop = loop;
    h->waiting[event] = true;
    start_next(h);
}

void hooks_stop(struct hooks *h)
{
    errand_stop(&h->errand);
}

bool hooks_have_pid(const struct hooks *h, pid_t pid)
{
    return h->errand.child.proc.pid == pid;
}
