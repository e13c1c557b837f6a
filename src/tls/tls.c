/* SPDX-License-Identifier: MIT */
/* Connections: OpenSSL's calls with errors as the rest of the program has them. OpenSSL reads and
 * writes the socket itself; here its outcomes (SSL_get_error(3)) become bytes, -EAGAIN with a
 * direction, or a final error, which is kept, because nothing may be done to a connection after it.
 *
 * OpenSSL 3 draws new randomness after a fork by itself, so a context may be inherited. */
#include "tls/tls.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macro.h"
#include "tls/tls-error.h"
#include "tls/tls-private.h"

struct tls {
    SSL *ssl;
    char *client_subject; /* once somebody has asked for it */
    int broken;           /* the final error, or 0 */
    short read_events, write_events;
    bool begun; /* the first byte is one of TLS */
    bool ended; /* close_notify is sent; OpenSSL's own flag says that it wanted to */
};

int tls_new(struct tls_context *c, int fd, struct tls **ret)
{
    struct tls *t = calloc(1, sizeof(*t));

    if (!t)
        return -ENOMEM;
    ERR_clear_error();
    t->ssl = SSL_new(c->ssl);
    if (!t->ssl || SSL_set_fd(t->ssl, fd) != 1) {
        ERR_clear_error();
        tls_free(t);
        return -ENOMEM;
    }
    SSL_set_accept_state(t->ssl);
    t->read_events = POLLIN;
    t->write_events = POLLOUT;
    *ret = t;
    return 0;
}

struct tls *tls_free(struct tls *t)
{
    if (!t)
        return NULL;
    SSL_free(t->ssl);
    OPENSSL_free(t->client_subject);
    free(t);
    return NULL;
}

short tls_read_events(const struct tls *t)
{
    return t->read_events;
}

short tls_write_events(const struct tls *t)
{
    return t->write_events;
}

static int set_broken(struct tls *t, int error)
{
    t->broken = error;
    ERR_clear_error();
    return error;
}

static int on_end(struct tls *t, struct errmsg *err)
{
    (void)errmsg_set(err, 0, "the client closed without close_notify");
    return set_broken(t, -ECONNABORTED);
}

static int on_protocol_error(struct tls *t, struct errmsg *err)
{
    int reason = ERR_GET_REASON(ERR_peek_error());
    char cause[128];

    if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return on_end(t, err);
    (void)tls_error_take(cause, sizeof(cause));
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
        (void)errmsg_set(err, 0, "%s: %s", cause,
                         X509_verify_cert_error_string(SSL_get_verify_result(t->ssl)));
    else
        (void)errmsg_set(err, 0, "%s", cause);
    return set_broken(t, -EPROTO);
}

static int on_socket_error(struct tls *t, int error, struct errmsg *err)
{
    (void)errmsg_set(err, 0, "%s", strerror(error));
    return set_broken(t, -error);
}

/* Before each operation: the queue is empty, errno is the operation's, and it waits for its own
 * direction. */
static void begin(short *events, short natural)
{
    ERR_clear_error();
    errno = 0;
    *events = natural;
}

/* What it means that an operation returned @outcome, which was not success. 0: the client has said
 * that it sends no more. -EAGAIN: *@events says what it waits for. */
static int judge(struct tls *t, int outcome, short *events, struct errmsg *err)
{
    int error = errno;

    switch (SSL_get_error(t->ssl, outcome)) {
    case SSL_ERROR_WANT_READ:
        *events = POLLIN;
        return -EAGAIN;
    case SSL_ERROR_WANT_WRITE:
        *events = POLLOUT;
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        return error == 0 ? on_end(t, err) : on_socket_error(t, error, err);
    default:
        return on_protocol_error(t, err);
    }
}

/* A record of TLS begins with its type, 22; an HTTP request with a letter. */
static int look_at_first_byte(struct tls *t, struct errmsg *err)
{
    unsigned char first = 0;
    ssize_t n = recv(SSL_get_fd(t->ssl), &first, 1, MSG_PEEK | MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return -EAGAIN;
    if (n < 0)
        return on_socket_error(t, errno, err);
    if (n == 0)
        return on_end(t, err);
    if (isalpha(first))
        return TLS_PLAIN_HTTP;
    t->begun = true;
    return 0;
}

int tls_handshake(struct tls *t, struct errmsg *err)
{
    if (t->broken != 0)
        return t->broken;
    if (!t->begun) {
        int r = look_at_first_byte(t, err);
        if (r != 0)
            return r;
    }
    begin(&t->read_events, POLLIN);
    int outcome = SSL_do_handshake(t->ssl);
    if (outcome == 1)
        return 0;
    int r = judge(t, outcome, &t->read_events, err);
    return r == 0 ? on_end(t, err) : r;
}

ssize_t tls_read(struct tls *t, void *buf, size_t len, struct errmsg *err)
{
    size_t total = 0, n = 0;

    if (t->broken != 0)
        return t->broken;
    /* After a full record the next one is likely to be here; after a shorter one it is not worth a
     * system call. */
    do {
        begin(&t->read_events, POLLIN);
        if (SSL_read_ex(t->ssl, (char *)buf + total, len - total, &n) != 1) {
            int r = judge(t, 0, &t->read_events, err);
            return total > 0 ? (ssize_t)total : r;
        }
        total += n;
    } while (n == TLS_RECORD_BYTES && len - total >= TLS_RECORD_BYTES);
    return (ssize_t)total;
}

size_t tls_pending(const struct tls *t)
{
    return t->broken != 0 ? 0 : (size_t)SSL_pending(t->ssl);
}

/* Writes one piece, of which OpenSSL takes at most a record. */
static ssize_t write_piece(struct tls *t, const void *data, size_t len, struct errmsg *err)
{
    size_t n = 0;

    begin(&t->write_events, POLLOUT);
    if (SSL_write_ex(t->ssl, data, len, &n) == 1)
        return (ssize_t)n;
    int r = judge(t, 0, &t->write_events, err);
    return r == 0 ? on_end(t, err) : r;
}

/* Where in an iovec array the next byte is. */
struct cursor {
    const struct iovec *iov;
    size_t n_iov;
    size_t skip; /* bytes of iov[0] that are done */
};

static void cursor_advance(struct cursor *c, size_t len)
{
    c->skip += len;
    while (c->n_iov > 0 && c->skip >= c->iov->iov_len) {
        c->skip -= c->iov->iov_len;
        c->iov++;
        c->n_iov--;
    }
}

/* The bytes of the next record: where they are, or copied together to @record. Returns how many. */
static size_t next_record(struct cursor c, char record[TLS_RECORD_BYTES], const void **ret)
{
    size_t len = 0;

    if (c.n_iov == 0)
        return 0;
    size_t first = c.iov->iov_len - c.skip;
    if (c.n_iov == 1 || first >= TLS_RECORD_BYTES) {
        *ret = (const char *)c.iov->iov_base + c.skip;
        return MIN(first, TLS_RECORD_BYTES);
    }
    while (c.n_iov > 0 && len < TLS_RECORD_BYTES) {
        size_t n = MIN(c.iov->iov_len - c.skip, TLS_RECORD_BYTES - len);
        memcpy(record + len, (const char *)c.iov->iov_base + c.skip, n);
        len += n;
        cursor_advance(&c, n);
    }
    *ret = record;
    return len;
}

ssize_t tls_writev(struct tls *t, const struct iovec *iov, size_t n_iov, struct errmsg *err)
{
    struct cursor c = {.iov = iov, .n_iov = n_iov};
    char record[TLS_RECORD_BYTES];
    const void *data = NULL;
    size_t total = 0;

    if (t->broken != 0)
        return t->broken;
    cursor_advance(&c, 0);
    for (size_t len = next_record(c, record, &data); len > 0; len = next_record(c, record, &data)) {
        ssize_t n = write_piece(t, data, len, err);
        if (n < 0)
            return total > 0 ? (ssize_t)total : n;
        total += (size_t)n;
        cursor_advance(&c, (size_t)n);
    }
    return (ssize_t)total;
}

ssize_t tls_send_file(struct tls *t, int file, uint64_t offset, size_t len, struct errmsg *err)
{
    char record[TLS_RECORD_BYTES];
    size_t total = 0;

    if (t->broken != 0)
        return t->broken;
    while (total < len) {
        ssize_t n = pread(file, record, MIN(len - total, sizeof(record)), (off_t)(offset + total));
        if (n < 0)
            n = errmsg_set_errno(err, -errno, "cannot read the file");
        else if (n == 0)
            n = errmsg_set(err, -EIO, "the file has become shorter");
        else
            n = write_piece(t, record, (size_t)n, err);
        if (n < 0)
            return total > 0 ? (ssize_t)total : n;
        total += (size_t)n;
    }
    return (ssize_t)total;
}

int tls_shutdown(struct tls *t)
{
    if (t->broken != 0 || t->ended || !SSL_is_init_finished(t->ssl))
        return 0;
    begin(&t->write_events, POLLOUT);
    int outcome = SSL_shutdown(t->ssl);
    if (outcome < 0 && judge(t, outcome, &t->write_events, NULL) == -EAGAIN)
        return -EAGAIN;
    t->ended = true; /* the client has not said it yet, and is not waited for */
    return 0;
}

/* Escapes control characters and what is not ASCII: nothing in it can break a line. */
static int describe_subject(const X509 *cert, char **ret)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    size_t size = 0;

    if (!bio)
        return -ENOMEM;
    int good = X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253) >= 0 &&
               BIO_write(bio, "", 1) == 1;
    if (good) {
        size = (size_t)BIO_get_mem_data(bio, &text);
        *ret = OPENSSL_memdup(text, size);
    }
    BIO_free(bio);
    return *ret ? 0 : -ENOMEM;
}

int tls_get_facts(struct tls *t, struct tls_facts *ret)
{
    const X509 *cert = SSL_get0_peer_certificate(t->ssl);
    struct tls_facts f = {
        .protocol = SSL_get_version(t->ssl),
        .cipher = SSL_get_cipher_name(t->ssl),
    };

    if (SSL_get_verify_mode(t->ssl) & SSL_VERIFY_PEER)
        f.client_verify = cert ? "SUCCESS" : "NONE"; /* a bad one fails the handshake */
    if (cert && !t->client_subject) {
        ERR_clear_error();
        int r = describe_subject(cert, &t->client_subject);
        ERR_clear_error();
        if (r < 0)
            return r;
    }
    f.client_subject = t->client_subject;
    *ret = f;
    return 0;
}
