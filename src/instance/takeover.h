/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/errmsg.h"
#include "instance/listen.h"
#include "worker/handoff.h"
#include "worker/queue.h"

/* What a master gives the one that is started beside it, which may be another release's: the
 * listening sockets, and the queue if both mean the same by its entries. Messages of ipc/message.h;
 * the first ones are there before the new master begins. */

enum takeover_type {
    /* to the new master */
    TAKEOVER_LISTENER = 1, /* a struct takeover_socket and the address; fd: the socket */
    TAKEOVER_QUEUE,        /* value: TAKEOVER_QUEUE_VERSION; fds: give, take and board */
    TAKEOVER_END,          /* that was all; value: the pid of the one that says so */

    /* to the old master */
    TAKEOVER_SERVES, /* its first workers are ready; value: 1 if it has the queue */

    TAKEOVER_TYPE_COUNT,
};

/* To be raised when an entry of the queue (worker/handoff.h) changes its meaning. */
#define TAKEOVER_QUEUE_VERSION ((uint32_t)(1U << 16 | sizeof(struct handoff_entry)))

#define TAKEOVER_ENV_FD "LIEGE_MASTER_FD" /* the new master's end of the channel */

/* The new master's end of the channel, as the environment says, from which it is removed. Returns 0
 * with
 * *@ret, which is -1 if there is none, or -EBADF with @err. */
int takeover_find(int *ret, struct errmsg *err) _must_check_;

/* What a service manager passed to the older master keeps its names here: @fd is the new master's
 * end of the channel. Returns 0 or a negative errno. */
int takeover_inherit_names(int fd) _must_check_;

/* Sends all of it over @fd. Returns 0 or a negative errno. */
int takeover_send(int fd, const struct listeners *l, const struct queue *q) _must_check_;

/* Receives what was sent: the sockets into @ret_listeners, the queue, if there is one for us, into
 * @ret_queue, who sent it into *@ret_pid. Returns 0, or a negative errno with @err; what was
 * received is to be released either way. */
int takeover_receive(int fd, struct listeners *ret_listeners, struct queue *ret_queue,
                     pid_t *ret_pid, struct errmsg *err) _must_check_;
