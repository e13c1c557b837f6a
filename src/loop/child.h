/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/proc.h"
#include "loop/loop.h"

/* Ends of processes in the loop. A child that an object owns is watched through its pidfd;
 * strangers, which a sub-reaper inherits from descendants that died, are reaped and forgotten. */

struct loop_child;
typedef void loop_child_fn(struct loop_child *c, const siginfo_t *end);

struct loop_child {
    struct proc proc; /* PROC_NONE: nothing is watched */
    struct loop_io io;
    struct loop *loop;
    loop_child_fn *fn;
};

void loop_child_init(struct loop_child *c, loop_child_fn *fn);

/* Watches c->proc, which is set. When it has ended it is reaped, c->proc becomes PROC_NONE and
 * c->fn is called; @end is all zero if it was somebody else's to reap. */
int loop_child_watch(struct loop *l, struct loop_child *c) _must_check_;

/* Stops watching and forgets the process, which is neither signalled nor waited for. */
void loop_child_done(struct loop_child *c);

/* Reaps what has ended and is no child of ours that is watched: to be called on each SIGCHLD by a
 * sub-reaper. @is_ours says whether somebody waits for that pid. Returns true if one of ours stood
 * in the way, and more may be behind it: call again after it has been reaped. */
bool loop_reap_strangers(bool (*is_ours)(pid_t pid, void *data), void *data);
