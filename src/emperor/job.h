/* SPDX-License-Identifier: MIT */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "loop/loop.h"

/* A command that the Emperor runs beside its loop: a hook, a question to a script. What it writes
 * to its standard output is taken up to a bound, its standard error is the Emperor's log. */
struct job;

struct job_end {
    siginfo_t info;     /* as of waitid(2) */
    bool ok;            /* it exited with code 0, and in time */
    const char *output; /* terminated; until the callback returns */
    size_t len;
};

/* The job is over, and freed when this returns. */
typedef void job_fn(void *data, const struct job_end *end);

struct job_start {
    struct loop *loop;
    struct hash *by_pid;     /* takes it up while it runs: whose children are not orphans */
    const char *const *argv; /* absolute path first */
    const char *const *environ;
    const char *cwd;   /* NULL: ours */
    uint64_t limit_us; /* after which it is killed, with its process group */
    job_fn *fn;        /* NULL: nobody waits for it */
    void *data;
};

/* Returns 0 or a negative errno; @ret may be NULL if it is never given up. */
int job_new(const struct job_start *start, struct job **ret) _must_check_;

/* Of its process; the process group has the same number. */
pid_t job_pid(const struct job *j);

/* Gives it up: kills it, without a callback. Takes NULL. */
struct job *job_free(struct job *j);
