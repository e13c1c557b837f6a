/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

#include "base/errmsg.h"
#include "loop/loop.h"

/* A FIFO through which a master is told what to do, a letter an order (master-fifo): for scripts
 * that must not know its pid. */
struct fifo {
    struct loop *loop;
    struct loop_io io; /* fd -1: none */
    char *path;
    void (*fn)(void *data, char letter);
    void *data;
};

/* Makes the FIFO @path, mode 0600, unless it is there, and listens. Returns 0, or a negative errno
 * with
 * @err. */
int fifo_open(struct fifo *f, struct loop *loop, const char *path,
              void (*fn)(void *data, char letter), void *data, struct errmsg *err) _must_check_;

/* Removes the FIFO as well, unless another master listens to it. */
void fifo_close(struct fifo *f, bool leave);
