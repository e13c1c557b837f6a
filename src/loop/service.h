/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/macro.h"
#include "loop/loop.h"

/* What a service manager hears of us (sd_notify(3)): that we are ready, what we are doing, that our
 * loop still goes round. Written here and not with libsystemd because that waits when the manager
 * does not read, and a loop must not. Without a manager all calls do nothing. */
struct service {
    struct loop *loop;
    struct sockaddr_un to;
    socklen_t len; /* 0: there is no manager */
    int fd;
    uint64_t watchdog_us; /* that it wants to hear of us within; 0: it does not */
    struct loop_timer timer;
};

/* Finds it by NOTIFY_SOCKET and WATCHDOG_USEC in @environ, and takes the variables out of this
 * process's environment: they are not for its children. */
void service_open(struct service *s, const char *const *environ);
void service_close(struct service *s);

/* Puts the variables back, for the program that this process becomes. Returns 0 or a negative
 * errno.
 */
int service_restore_environment(const struct service *s) _must_check_;

/* The loop proves itself from now on: twice in the time that the manager waits. */
void service_watch(struct service *s, struct loop *loop);

/* Says assignments, a line each: "READY=1\nSTATUS=serves". */
void service_say(const struct service *s, const char *fmt, ...) _printf_(2, 3);
