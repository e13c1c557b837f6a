/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/cred.h"
#include "base/list.h"
#include "instance/instance-conf.h"
#include "instance/log-writer.h"
#include "loop/loop.h"

/* The log of an instance, when it goes elsewhere than to the standard error that everybody inherits
 * (logto, logger): all its processes give their lines to the master, which has a thread write them.
 * What workers print goes through a pipe each, and gets their name line by line. No process that
 * serves requests ever waits for a log: what it cannot get rid of is dropped and counted. */

struct logger {
    struct loop *loop;
    struct log_sink *sinks; /* opened, until the thread has them */
    size_t n_sinks;
    struct log_writer *writer; /* NULL: there is no such log */
    struct loop_io intake;     /* whole lines of all processes */
    int give_fd;               /* its other end */
    _Atomic(uint64_t) *n_lost; /* lines that did not get into it; shared memory */
    uint64_t n_noted;          /* of those: told to the writer */
    struct list captures;      /* what processes print */
};

void logger_init(struct logger *l);

/* Opens the sinks that need privileges (@late false) or must not have them (@late true: logto2).
 * Returns 0, or a negative errno with @err. */
int logger_open(struct logger *l, const struct instance_conf *conf, bool late,
                const struct cred *owner, struct errmsg *err) _must_check_;

/* Begins, if there is a sink: the master's own lines, too, go there from now on. Returns 0 or a
 * negative errno. */
int logger_start(struct logger *l, struct loop *loop) _must_check_;

/* Writes what there is to write, at most for a moment; then everything is as before. */
void logger_done(struct logger *l);

void logger_reopen(struct logger *l);

static inline bool logger_exists(const struct logger *l)
{
    return l->writer != NULL;
}

/* A pipe for what a process prints: its lines get @name in front. Returns the descriptor for the
 * process, or a negative errno; -1 if there is no such log. */
int logger_capture(struct logger *l, const char *name);

/* In a new process: its log goes to the master's, what it prints to @output_fd, unless that is -1.
 */
void logger_enter(const struct logger *l, int output_fd);
