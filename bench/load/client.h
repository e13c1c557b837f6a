/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "load/answer.h"
#include "load/plan.h"

/* A request from its scheduled time on. */
struct request {
    struct list link; /* waits for a client, or in the order of deadlines */
    struct client *client;
    uint64_t id;
    size_t kind; /* of the plan */
    uint64_t scheduled_us, sent_us;
};

/* How far a client is with its request. */
enum progress {
    PROGRESS_GOING_ON, /* there will be events */
    PROGRESS_ANSWERED,
    PROGRESS_NO_CONNECTION, /* none was to be had */
    PROGRESS_END_ON_REUSE,  /* ended before any byte of the answer, after answers before */
    PROGRESS_NO_ANSWER,     /* the same on a new connection */
    PROGRESS_SHORT,         /* ended within the answer */
    PROGRESS_INVALID,       /* wrong bytes */
    PROGRESS_TIMEOUT,       /* the client went away */
    PROGRESS_IDLE_END,      /* ended, not announced, between two requests */
    PROGRESS_COUNT,
};

/* One client: at most one connection and one request at a time. */
struct client {
    struct list link; /* among those that are free */
    bool keep_alive;
    bool used;    /* an answer has come over this connection */
    bool refused; /* there is no such connection */
    int fd;
    struct request *request; /* NULL: none; not owned */
    struct answer answer;
    char head[384];
    size_t head_len, head_sent;
    uint64_t upload_bytes, upload_sent;
};

void client_init(struct client *c, bool keep_alive);

/* Begins @r on the connection that is there, or on a new one that is added to @epoll_fd with @c as
 * its data. Any progress but PROGRESS_GOING_ON is final, and @c is free again. */
enum progress client_begin(struct client *c, struct request *r, const struct plan *plan,
                           int epoll_fd);

/* Goes on after an event on the connection; the same. */
enum progress client_go_on(struct client *c);

/* Closes the connection, if there is one. */
void client_close(struct client *c);

const char *progress_name(enum progress p);
