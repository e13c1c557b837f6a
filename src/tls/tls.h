/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/errmsg.h"

/* The server's side of TLS on one connection, over a non-blocking socket that stays the caller's.
 * Nothing here waits or logs. SIGPIPE is caught or ignored by the process.
 *
 * -EAGAIN means: call it again when the socket is ready for tls_read_events() (of tls_handshake()
 * and tls_read()) or tls_write_events() (of the others). Any other negative errno is final and is
 * what each later call says too:
 *   -EPROTO        what came is not TLS as we speak it, or the client has sent an alert
 *   -ECONNABORTED  the client closed without saying so (no close_notify, RFC 8446 section 6.1):
 *                  what was read before may have been cut short by anybody
 *   -ECONNRESET, -EPIPE ... what the socket said */
struct tls;
struct tls_context;

/* The longest record's contents, RFC 8446 section 5.1. */
#define TLS_RECORD_BYTES ((size_t)16384)

/* Of the client that is not one of TLS: its first byte is that of an HTTP method. */
#define TLS_PLAIN_HTTP 1

/* Returns 0 or -ENOMEM. The connection may outlive @c. */
int tls_new(struct tls_context *c, int fd, struct tls **ret) _must_check_;

/* Says nothing to the client: a connection that is freed without tls_shutdown() looks cut to it.
 * Takes NULL, returns NULL. */
struct tls *tls_free(struct tls *t);

/* Returns 0 when it is done; TLS_PLAIN_HTTP, with nothing read yet; -EAGAIN; or a final error with
 * @err saying why, for a log (@err of these functions may be NULL). */
int tls_handshake(struct tls *t, struct errmsg *err) _must_check_;

/* What reading and writing wait for: POLLIN and POLLOUT (the same numbers as EPOLLIN, EPOLLOUT),
 * but for the rare case that the function's last -EAGAIN was about the other direction: a handshake
 * that writes, say. */
short tls_read_events(const struct tls *t);
short tls_write_events(const struct tls *t);

/* Returns how many bytes were read, 0 when the client has said that it sends no more, or a negative
 * errno. With @len of TLS_RECORD_BYTES or more no byte that has been decrypted is left behind, so
 * that the socket's readiness tells of all the rest; with less, look at tls_pending(). */
ssize_t tls_read(struct tls *t, void *buf, size_t len, struct errmsg *err) _must_check_;

/* Bytes that tls_read() gives without the socket being readable. */
size_t tls_pending(const struct tls *t);

/* Encrypts and sends, small pieces together in one record. Returns how many bytes were taken, which
 * may be fewer than all, or a negative errno. After -EAGAIN a record with the first of the bytes is
 * on its way: the next bytes written must be the same again, in as many pieces and at whatever
 * address, and at least as many. */
ssize_t tls_writev(struct tls *t, const struct iovec *iov, size_t n_iov,
                   struct errmsg *err) _must_check_;

/* The same of @len bytes of @file from @offset on. -EIO if the file has become shorter. */
ssize_t tls_send_file(struct tls *t, int file, uint64_t offset, size_t len,
                      struct errmsg *err) _must_check_;

/* Says that no more is sent (close_notify). Only when all that was written has been taken. Returns
 * 0 when it is said, or need not be (no handshake, the connection is broken); or -EAGAIN. */
int tls_shutdown(struct tls *t) _must_check_;

/* What an application wants to know; valid as long as the connection. */
struct tls_facts {
    const char *protocol;       /* "TLSv1.3" */
    const char *cipher;         /* "TLS_AES_256_GCM_SHA384" */
    const char *client_verify;  /* "SUCCESS", "NONE": it showed no certificate; NULL: not asked */
    const char *client_subject; /* RFC 2253: "CN=alice,O=Example"; NULL: none */
};

/* After the handshake. Returns 0 or -ENOMEM. */
int tls_get_facts(struct tls *t, struct tls_facts *ret) _must_check_;
