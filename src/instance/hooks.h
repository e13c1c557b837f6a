/* SPDX-License-Identifier: MIT */
#pragma once

#include "instance/instance-conf.h"
#include "instance/order.h"
#include "loop/errand.h"

/* What a vassal does when its Emperor tells it something (hook-emperor-stop, -reload, -lost),
 * before it obeys. */

enum hook_event { /* the later ones come first when several wait */
                  HOOK_EMPEROR_RELOAD,
                  HOOK_EMPEROR_STOP_GRACEFULLY,
                  HOOK_EMPEROR_STOP,
                  HOOK_EMPEROR_LOST,
                  HOOK_EVENT_COUNT,
};

struct hooks {
    struct loop *loop;
    struct errand errand;
    enum hook_event event; /* whose hooks run */
    bool waiting[HOOK_EVENT_COUNT];
    const struct instance_conf *(*conf)(void *data); /* of now */
    void (*then)(void *data, enum order order);
    void *data;
};

void hooks_init(struct hooks *h, const struct instance_conf *(*conf)(void *data),
                void (*then)(void *data, enum order order), void *data);

/* Runs the hooks of @event in a child, after those that run already, then calls then() with the
 * order that the event means, whatever has become of them. Without hooks it does so at once. */
void hooks_on(struct hooks *h, struct loop *loop, enum hook_event event);

/* Ends what runs. */
void hooks_stop(struct hooks *h);

/* True if @pid is the child that runs them. */
bool hooks_have_pid(const struct hooks *h, pid_t pid);
