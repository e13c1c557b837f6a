/* SPDX-License-Identifier: MIT */
#pragma once

#include "app/app.h"
#include "base/errmsg.h"
#include "instance/adopted.h"
#include "instance/child.h"
#include "instance/fork-check.h"
#include "ipc/family.h"
#include "static/site.h"

/* What the lives of the processes below a master have in common: child.c (any), forker.c (those
 * that fork). */

/* What a process that runs applications has loaded. */
struct loaded {
    struct apps apps;
    struct pristine before; /* of a base */
    struct static_site *site;
};

/* What we are called in the log, and by ps(1). */
void child_set_role(const struct child_start *start, const char *role, const char *state);
void child_set_worker_role(const struct child_start *start, int id);

/* Everything that is the master's and not ours is closed; then signals as a program expects them,
 * or as applications that are there have set them. */
void child_leave_master(const struct child_start *start);
void child_die_with_master(const struct child_start *start);

/* Says why to the master, who says it to the operator. */
_noreturn_ void child_give_up(int channel_fd, enum family_type type, const struct errmsg *err);

/* Returns 0, or a negative errno with @err. */
int child_load(const struct child_start *start, struct loaded *ret,
               struct errmsg *err) _must_check_;

/* All is loaded: what the option ksm says. */
void child_merge_memory(const struct child_start *start);

/* The life of worker @id, from when all is loaded. */
_noreturn_ void child_serve(const struct child_start *start, const struct loaded *loaded, int id,
                            int channel_fd);

/* A worker as its copy sees it, if that becomes the zygote. */
struct forker_model {
    const struct child_start *start;
    const struct loaded *loaded;
    struct fork_baseline before; /* what the zygote had given it */
};

/* The life of such a copy; @data is its struct forker_model. */
_noreturn_ void forker_become(const void *data, int channel_fd, int output_fd);
