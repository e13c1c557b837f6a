/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/errmsg.h"
#include "ipc/bytes.h"
#include "ipc/channel.h"
#include "ipc/status.h"
#include "loop/loop.h"

/* What a vassal wants to hear from its Emperor. */
struct link_owner {
    void (*on_byte)(enum emperor_byte byte, void *data);
    void (*on_give_way)(int fd, void *data); /* @fd is the callee's; NULL: it cannot */
    void (*on_lost)(void *data);
};

/* A vassal's side of its Emperor: the pipe with its bytes and the status channel. */
struct link {
    struct loop *loop;     /* NULL: not listened to yet */
    struct loop_io pipe;   /* fd -1: no Emperor */
    struct channel status; /* io.fd -1: the Emperor has no such channel */
    const struct link_owner *owner;
    void *data;
};

#define LINK_NONE ((struct link){.pipe.fd = -1, .status.io.fd = -1})

/* Finds the descriptors by the environment (ipc/fdmap.h). Without the variables there is no Emperor
 * and all calls do nothing. -EBADF with @err if a variable names something else than a socket. */
int link_open(struct link *l, const char *const *environ, struct errmsg *err) _must_check_;

/* Calls @owner's functions from @loop from now on. */
int link_listen(struct link *l, struct loop *loop, const struct link_owner *owner,
                void *data) _must_check_;
void link_close(struct link *l);

/* Whether the descriptors stay open over execve(2): for a program that this process becomes. */
void link_keep(const struct link *l, bool on);

static inline bool link_exists(const struct link *l)
{
    return l->pipe.fd >= 0;
}

void link_send(struct link *l, enum vassal_byte byte);
void link_status(const struct link *l, enum status_type type, uint32_t value, const char *text);
