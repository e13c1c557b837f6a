/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/macro.h"

/* The queue of an instance: connections that one worker gives and another takes. It is a pair of
 * AF_UNIX SOCK_SEQPACKET sockets that the master makes and all workers of all generations inherit;
 * the kernel keeps the order, wakes one of those that wait, and keeps what is in it when a worker
 * dies. An entry is one message: bytes and up to QUEUE_MAX_FDS descriptors. */

#define QUEUE_MAX_FDS   2
#define QUEUE_MAX_BYTES ((size_t)256 * 1024) /* of an entry */

/* What all processes of the instance know about it; shared memory. Counters only grow. */
struct queue_board {
    _Atomic(int64_t) depth;     /* entries in it */
    _Atomic(int64_t) n_waiting; /* of those: complete requests; the givers and takers count them */
    _Atomic(uint64_t) n_given;  /* entries put in, */
    _Atomic(uint64_t) n_taken;  /* and taken out */
    _Atomic(uint64_t) n_gone;   /* of those: dropped, because the client had gone, */
    _Atomic(uint64_t) n_late;   /* or refused, because they had waited too long */
    _Atomic(uint64_t) n_full;   /* entries for which there was no room */
    _Atomic(uint64_t) taken_us; /* when the entry that was taken last had been put in: the oldest
                                   one is not older */
    _Atomic(uint64_t) gone_us;  /* when a client had gone, the last time; 0: never */
};

struct queue {
    int give_fd, take_fd;
    int board_fd; /* of the memory: the master's, to hand it to another master */
    struct queue_board *board;
};

/* Makes an empty queue. Returns 0 or a negative errno. */
int queue_open(struct queue *q) _must_check_;

/* Takes over one that another process made; the descriptors are ours then, and closed on an error.
 * Returns 0 or a negative errno. */
int queue_adopt(struct queue *q, int give_fd, int take_fd, int board_fd) _must_check_;
void queue_close(struct queue *q);

/* Puts an entry in without waiting; the descriptors stay the caller's. Returns 0, -EAGAIN if there
 * is no room, or another negative errno. */
int queue_give(const struct queue *q, const struct iovec *iov, size_t n_iov, const int *fds,
               size_t n_fds) _must_check_;

/* Counts a client that had gone when its turn came. */
void queue_note_gone(const struct queue *q);

/* Takes the oldest entry out. Returns its length, with the descriptors (close-on-exec) in @fds;
 * -EAGAIN if there is none; -EMFILE if this process has no room for descriptors (the entry stays);
 * -EPROTO for one that does not fit (nothing is left open); or another negative errno. */
ssize_t queue_take(const struct queue *q, void *buf, size_t size, int fds[QUEUE_MAX_FDS],
                   size_t *ret_n_fds) _must_check_;
