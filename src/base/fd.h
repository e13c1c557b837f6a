/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/macro.h"

/* Closes every descriptor from @first on (close_range(2)): one system call, whatever the limit. */
int fd_close_from(int first) _must_check_;

int fd_set_cloexec(int fd, bool on);
int fd_set_nonblock(int fd, bool on);

/* Makes @fds[i] the descriptor @first + i, not close-on-exec, for all i, whatever the numbers were
 * before, then closes everything above. For a child just before execve(2): numbers say what a
 * descriptor is. A negative @fds[i] leaves its number closed. */
int fd_arrange(int first, const int *fds, size_t n_fds) _must_check_;

/* A pair of connected close-on-exec sockets of @type (SOCK_STREAM, SOCK_SEQPACKET, perhaps with
 * SOCK_NONBLOCK). */
int fd_socketpair(int type, int ret_fds[2]) _must_check_;

/* Reads the whole file @path (or the rest of what @fd gives) into an allocated string that is
 * terminated; *@ret_len is without the terminator. -EFBIG over @max bytes. */
int fd_read_all(int fd, size_t max, char **ret_text, size_t *ret_len) _must_check_;
int file_read_all(const char *path, size_t max, char **ret_text, size_t *ret_len) _must_check_;

/* The same of a file that somebody else may have put there: never waits. -EBADF if it is not a
 * regular file. */
int file_read_regular(const char *path, size_t max, char **ret_text, size_t *ret_len) _must_check_;

/* Closes every descriptor but 0, 1, 2 and those in @keep (negative ones are passed over): what a
 * fork leaves to a child is a list, not luck. */
int fd_close_all_except(const int *keep, size_t n_keep) _must_check_;

/* The descriptor that @text names in decimal, which must be a socket of @type; it is made
 * non-blocking and close-on-exec. -EBADF if it is none. */
int fd_parse_socket(const char *text, int type) _must_check_;

/* Opens /dev/null for those of the descriptors 0 to 2 that are closed, so that no other file can
 * get their numbers. */
int fd_open_standard(void) _must_check_;
