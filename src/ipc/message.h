/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/macro.h"

/* Typed messages over AF_UNIX SOCK_SEQPACKET: one message is one packet, with a fixed header, a
 * payload and up to MESSAGE_MAX_FDS descriptors. Both ends are programs of the same build or, for
 * the status channel, of builds that agree on MESSAGE_VERSION. What a worker says is hostile input:
 * receivers look a message up in a table of rules, and refuse what is not there. */

#define MESSAGE_VERSION   1
#define MESSAGE_MAX_BYTES 4096 /* of the payload; longer texts are cut by the sender */
#define MESSAGE_MAX_FDS   3

struct message {
    uint16_t type;
    uint32_t value;   /* a number that belongs to the type: a slot, a generation, a code */
    const void *data; /* payload; received: terminated by a NUL behind its end, valid until the
                         next receive into the same buffer */
    size_t len;
    int fds[MESSAGE_MAX_FDS]; /* received: close-on-exec, the receiver's to close */
    size_t n_fds;
    pid_t sender; /* received: the kernel's word, 0 if the socket does not pass credentials */
};

struct message_buffer {
    char bytes[16 + MESSAGE_MAX_BYTES + 1];
};

/* A connected pair; both ends are non-blocking and learn who sends. */
int message_socketpair(int ret_fds[2]) _must_check_;

/* Sends without waiting: 0, -EAGAIN if the peer does not read, or another negative errno. */
int message_send(int fd, const struct message *m) _must_check_;

/* Shorthand for a text without descriptors. */
int message_send_text(int fd, uint16_t type, uint32_t value, const char *text);

/* Receives one: 1 with *@ret filled, 0 when the peer has closed, -EAGAIN when there is none,
 * -EPROTO when it is no message of ours (nothing is left open), or another negative errno. */
int message_receive(int fd, struct message_buffer *buf, struct message *ret) _must_check_;

void message_close_fds(struct message *m);
