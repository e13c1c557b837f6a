/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "ipc/config-pipe.h"
#include "loop/loop.h"

/* The Emperor's end of a vassal's configuration pipe (ipc/config-pipe.h): sends a text as fast as
 * the vassal reads, and waits for nothing. It has no deadline: whose vassal it is decides how long
 * one may take, and closes it. All calls but config_push_init() may come from its callback. */

enum config_push_event {
    CONFIG_PUSH_SENT,   /* all is on its way: more is not heard of a vassal that is not ours */
    CONFIG_PUSH_TAKEN,  /* the vassal has answered that it has the text */
    CONFIG_PUSH_CLOSED, /* the vassal has closed the pipe, or had it closed by what it did */
};

struct config_push;

/* @error belongs to CONFIG_PUSH_CLOSED: 0 if the vassal closed it and had all that was sent, else a
 * negative errno, -EPROTO for an answer that is none. The pipe is closed then. The callback may
 * close
 * @p, and free what it is in. */
typedef void config_push_fn(struct config_push *p, enum config_push_event event, int error);

struct config_push {
    struct loop_io io; /* fd -1: closed */
    struct loop *loop;
    config_push_fn *fn;
    unsigned char head[CONFIG_PIPE_HEAD_BYTES];
    size_t head_len;
    char *text; /* being sent, or sent last; NULL: none yet */
    size_t len;
    size_t n_sent; /* of head and text */
    char *next;    /* to be sent after that; NULL: nothing */
    size_t next_len;
    bool answered;   /* the text has been taken */
    size_t late_len; /* of a text before it, whose answer may still come */
    unsigned char answer[CONFIG_PIPE_HEAD_BYTES];
    size_t answer_len;
};

/* Nothing is open yet. */
void config_push_init(struct config_push *p, config_push_fn *fn);

/* Takes over @fd, a connected stream socket, also on failure. Returns 0 or a negative errno. */
int config_push_open(struct config_push *p, struct loop *l, int fd) _must_check_;

/* Sends a copy of @text, at first and whenever the vassal asks for it. While another one is being
 * sent, which cannot be taken back, this one follows it; of several that wait the last one counts.
 * Returns 0, -EFBIG over CONFIG_PIPE_MAX_BYTES, -EPIPE if the pipe is closed, or -ENOMEM. Does not
 * call back. */
int config_push_send(struct config_push *p, const char *text, size_t len) _must_check_;

/* True while there is something to send. */
bool config_push_is_busy(const struct config_push *p);

/* True while the text of the last config_push_send() waits, and nothing of it has been sent. */
bool config_push_has_waiting(const struct config_push *p);

/* Closes without calling back. Does nothing to a closed one. */
void config_push_close(struct config_push *p);
