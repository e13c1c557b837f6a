/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/macro.h"

/* Descriptors that go over a UNIX socket with bytes (SCM_RIGHTS of unix(7)), and what the kernel
 * says of who sends them. */

#define FD_PASS_MAX 64 /* with one call */

/* What has come beside the bytes. */
struct fd_passed {
    int fds[FD_PASS_MAX]; /* close-on-exec; the receiver's */
    size_t n_fds;
    struct ucred sender; /* pid 0: the socket does not pass it (SO_PASSCRED) */
    bool is_cut;         /* more bytes or descriptors came than there is room for, and are lost */
};

/* Sends @iov with @fds, without waiting. Returns how many bytes were sent, or a negative errno;
 * -E2BIG for too many descriptors. */
ssize_t fd_pass_send(int fd, const struct iovec *iov, size_t n_iov, const int *fds,
                     size_t n_fds) _must_check_;

/* Receives into @iov, with the @flags of recvmsg(2). Returns how many bytes came, 0 at the end, or
 * a negative errno, with *@ret in any case. */
ssize_t fd_pass_receive(int fd, const struct iovec *iov, size_t n_iov, int flags,
                        struct fd_passed *ret) _must_check_;

/* Closes what has come. */
void fd_passed_close(struct fd_passed *p);
