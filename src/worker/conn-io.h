/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/macro.h"

struct conn;

/* Bytes between a connection and its client, through TLS if it has that: the only place that knows
 * which. Nothing here waits or closes; -EAGAIN means: again when conn_io_events() say so. */

/* Reads what has come. Returns how many bytes, 0 at the end of the client's sending, or a negative
 * errno. @len is at least conn_io_room(): then nothing that was decrypted is left behind, and the
 * socket's readiness tells of all the rest. */
ssize_t conn_io_read(struct conn *c, void *buf, size_t len) _must_check_;
size_t conn_io_room(const struct conn *c);

/* Sends as much as the socket takes. Returns how many bytes, or a negative errno. What was not
 * taken is the first that is sent the next time. */
ssize_t conn_io_write(struct conn *c, const struct iovec *iov, size_t n_iov) _must_check_;

/* The same of @len bytes of @file from @offset on. -EIO if the file has become shorter. */
ssize_t conn_io_send_file(struct conn *c, int file, uint64_t offset, size_t len) _must_check_;

/* Says that nothing more is sent: close_notify, then the end of the TCP stream. To be called when
 * all was taken. Returns 0, -EAGAIN, or a negative errno: the client was faster. Who closes at once
 * need not look. */
int conn_io_end(struct conn *c);

/* What to wait for to read, or to write. */
uint32_t conn_io_events(const struct conn *c, bool to_write);
