/* SPDX-License-Identifier: MIT */
/* TLS connections against OpenSSL's own client: handshakes in pieces and refused ones, bytes under
 * back-pressure, ends that were announced and ends that were not. */
#include "tls/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tls-fixture.h"

#define LARGE ((size_t)3 * 1024 * 1024 + 17)

/* One context and one client's context for all tests that want no others. */
static struct tls_context *context;
static SSL_CTX *client;
static char *large; /* LARGE bytes in which no two places look the same */

static int set_up(void **state)
{
    int r = tls_fixture_set_up(state);

    context = tls_fixture_context("", NULL);
    client = tls_fixture_client(NULL);
    large = malloc(LARGE);
    assert_non_null(large);
    for (size_t i = 0; i < LARGE; i++)
        large[i] = (char)(i * 31 + i / 251 + i / 65537);
    return r;
}

static int tear_down(void **state)
{
    context = tls_context_unref(context);
    SSL_CTX_free(client);
    free(large);
    return tls_fixture_tear_down(state);
}

/* Handshakes */

/* Byte for byte from the client: each but the last is -EAGAIN. */
static void test_handshake_in_pieces(void **state)
{
    struct tls_pair p;
    BIO *from = BIO_new(BIO_s_mem()), *to = BIO_new(BIO_s_mem());
    char buf[4096], byte = 0;
    int r = -EAGAIN;
    size_t n_bytes = 0;

    (void)state;
    tls_pair_open(&p, context, client);
    SSL_set_bio(p.client, to, from);
    assert_int_equal(tls_handshake(p.server, NULL), -EAGAIN);
    assert_int_equal(tls_read_events(p.server), POLLIN);
    while (r == -EAGAIN && n_bytes < 10000) {
        (void)SSL_do_handshake(p.client);
        while (r == -EAGAIN && BIO_read(from, &byte, 1) == 1) {
            assert_int_equal(write(p.fds[1], &byte, 1), 1);
            n_bytes++;
            r = tls_handshake(p.server, NULL);
            assert_true(r == 0 || (r == -EAGAIN && tls_read_events(p.server) == POLLIN));
        }
        ssize_t n = read(p.fds[1], buf, sizeof(buf));
        if (n > 0)
            assert_int_equal(BIO_write(to, buf, (int)n), n);
    }
    assert_int_equal(r, 0);
    assert_int_equal(BIO_pending(from), 0);
    assert_true(n_bytes > 250);
    tls_pair_close(&p);
}

/* There is no room for our part of it: the direction is the other one. */
static void test_handshake_without_room(void **state)
{
    struct tls_pair p;

    (void)state;
    tls_pair_open(&p, context, client);
    assert_int_equal(SSL_do_handshake(p.client), -1);
    while (write(p.fds[0], "x", 1) == 1)
        ;
    assert_int_equal(tls_handshake(p.server, NULL), -EAGAIN);
    assert_int_equal(tls_read_events(p.server), POLLOUT);
    assert_int_equal(tls_write_events(p.server), POLLOUT);
    tls_pair_close(&p);
}

static void test_protocols_by_name(void **state)
{
    const struct {
        const char *offered;
        int result;
        const char *chosen;
    } cases[] = {
        {"", 0, ""},
        {"\x08http/1.1", 0, "http/1.1"},
        {"\x02h2\x08http/1.1", 0, "http/1.1"},
        {"\x08http/1.0\x08http/1.1", 0, "http/1.1"},
        {"\x08http/1.0", 0, "http/1.0"},
        {"\x02h2", -EPROTO, ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct tls_pair p;
        struct errmsg err = {""};
        const unsigned char *chosen = NULL;
        unsigned len = 0;

        tls_pair_open(&p, context, client);
        if (*cases[i].offered)
            assert_int_equal(SSL_set_alpn_protos(p.client, (const unsigned char *)cases[i].offered,
                                                 (unsigned)strlen(cases[i].offered)),
                             0);
        assert_int_equal(tls_pair_shake(&p, &err), cases[i].result);
        SSL_get0_alpn_selected(p.client, &chosen, &len);
        assert_int_equal(len, strlen(cases[i].chosen));
        assert_true(len == 0 || memcmp(chosen, cases[i].chosen, len) == 0);
        tls_pair_close(&p);
    }
}

static void test_versions(void **state)
{
    const struct {
        int version, result;
        const char *name;
    } cases[] = {
        {TLS1_VERSION, -EPROTO, "unsupported protocol"},
        {TLS1_1_VERSION, -EPROTO, "unsupported protocol"},
        {TLS1_2_VERSION, 0, "TLSv1.2"},
        {TLS1_3_VERSION, 0, "TLSv1.3"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct tls_pair p;
        struct errmsg err = {""};
        struct tls_facts facts;

        tls_pair_open(&p, context, client);
        SSL_set_security_level(p.client, 0);
        assert_int_equal(SSL_set_min_proto_version(p.client, cases[i].version), 1);
        assert_int_equal(SSL_set_max_proto_version(p.client, cases[i].version), 1);
        assert_int_equal(SSL_set_cipher_list(p.client, "ALL:@SECLEVEL=0"), 1);
        assert_int_equal(tls_pair_shake(&p, &err), cases[i].result);
        if (cases[i].result == 0) {
            assert_int_equal(tls_get_facts(p.server, &facts), 0);
            assert_string_equal(facts.protocol, cases[i].name);
            assert_string_equal(facts.cipher, SSL_get_cipher_name(p.client));
            assert_null(facts.client_verify);
            assert_null(facts.client_subject);
        } else {
            assert_string_equal(err.text, cases[i].name);
            assert_int_equal(tls_handshake(p.server, NULL), -EPROTO); /* final */
            assert_int_equal(tls_read(p.server, &facts, 1, NULL), -EPROTO);
            assert_int_equal(tls_writev(p.server, NULL, 0, NULL), -EPROTO);
            assert_int_equal(tls_shutdown(p.server), 0);
        }
        tls_pair_close(&p);
    }
}

/* Old ciphers are not among the default ones; a list of the configuration's is obeyed, in order. */
static void test_ciphers(void **state)
{
    struct tls_context *listed =
        tls_fixture_context(",ECDHE-ECDSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA256", NULL);
    const struct {
        struct tls_context *context;
        const char *offered, *chosen; /* NULL: none */
    } cases[] = {
        {context, "ECDHE-ECDSA-AES256-SHA384", NULL},
        {context, "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305",
         "ECDHE-ECDSA-CHACHA20-POLY1305"},
        {context, "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384",
         "ECDHE-ECDSA-AES128-GCM-SHA256"},
        {listed, "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA384",
         "ECDHE-ECDSA-AES256-SHA384"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct tls_pair p;
        struct errmsg err = {""};

        tls_pair_open(&p, cases[i].context, client);
        assert_int_equal(SSL_set_max_proto_version(p.client, TLS1_2_VERSION), 1);
        assert_int_equal(SSL_set_cipher_list(p.client, cases[i].offered), 1);
        assert_int_equal(tls_pair_shake(&p, &err), cases[i].chosen ? 0 : -EPROTO);
        if (cases[i].chosen)
            assert_string_equal(SSL_get_cipher_name(p.client), cases[i].chosen);
        else
            assert_string_equal(err.text, "no shared cipher");
        tls_pair_close(&p);
    }
    (void)tls_context_unref(listed);
}

static void test_what_is_not_tls(void **state)
{
    const struct {
        const char *bytes;
        int result;
    } cases[] = {
        {"", -EAGAIN},
        {"G", TLS_PLAIN_HTTP},
        {"OPTIONS * HTTP/1.1\r\n", TLS_PLAIN_HTTP},
        {"\x16", -EAGAIN},
        {"\x16\x03\x01", -EAGAIN},
        {"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b", -EPROTO},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct tls_pair p;
        char buf[64];
        size_t len = strlen(cases[i].bytes);

        tls_pair_open(&p, context, client);
        assert_int_equal(send(p.fds[1], cases[i].bytes, len, 0), len);
        assert_int_equal(tls_handshake(p.server, NULL), cases[i].result);
        if (cases[i].result == TLS_PLAIN_HTTP) {
            assert_int_equal(recv(p.fds[0], buf, sizeof(buf), 0), len); /* nothing was taken */
            assert_memory_equal(buf, cases[i].bytes, len);
        }
        tls_pair_close(&p);
    }
}

static void test_closed_before_or_within_the_handshake(void **state)
{
    static const char *const begins[] = {"", "\x16\x03\x01"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(begins); i++) {
        struct tls_pair p;
        struct errmsg err = {""};

        tls_pair_open(&p, context, client);
        assert_int_equal(send(p.fds[1], begins[i], strlen(begins[i]), 0), strlen(begins[i]));
        assert_int_equal(shutdown(p.fds[1], SHUT_WR), 0);
        assert_int_equal(tls_handshake(p.server, &err), -ECONNABORTED);
        assert_string_equal(err.text, "the client closed without close_notify");
        tls_pair_close(&p);
    }
}

/* Certificates of clients */

static void test_client_certificates(void **state)
{
    static const char *const rests[] = {"", ",,%/ca.pem", ",,!%/ca.pem"};
    enum { NOT_ASKED, OPTIONAL, REQUIRED };
    static const char alice[] = "CN=Al\\C3\\ADce,O=Te\\0Ast";
    const struct {
        int how;
        const char *client;
        int result;
        const char *verify, *subject, *says;
    } cases[] = {
        {NOT_ASKED, NULL, 0, NULL, NULL, ""},
        {NOT_ASKED, "client", 0, NULL, NULL, ""},
        {OPTIONAL, NULL, 0, "NONE", NULL, ""},
        {OPTIONAL, "client", 0, "SUCCESS", alice, ""},
        {OPTIONAL, "stranger", -EPROTO, NULL, NULL, "certificate verify failed: unable to get"},
        {REQUIRED, NULL, -EPROTO, NULL, NULL, "peer did not return a certificate"},
        {REQUIRED, "client", 0, "SUCCESS", alice, ""},
        {REQUIRED, "stranger", -EPROTO, NULL, NULL, "certificate verify failed: unable to get"},
        /* one that is good for servers only */
        {REQUIRED, "server", -EPROTO, NULL, NULL, "certificate verify failed: unsuitable"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct tls_context *c = tls_fixture_context(rests[cases[i].how], NULL);
        SSL_CTX *who = tls_fixture_client(cases[i].client);
        struct tls_pair p;
        struct errmsg err = {""};
        struct tls_facts facts = {0};

        tls_pair_open(&p, c, who);
        assert_int_equal(tls_pair_shake(&p, &err), cases[i].result);
        if (!strstr(err.text, cases[i].says))
            fail_msg("%zu: '%s' is not in '%s'", i, cases[i].says, err.text);
        if (cases[i].result == 0)
            for (int again = 0; again < 2; again++)
                assert_int_equal(tls_get_facts(p.server, &facts), 0);
        assert_true(!facts.client_verify == !cases[i].verify);
        if (facts.client_verify)
            assert_string_equal(facts.client_verify, cases[i].verify);
        assert_true(!facts.client_subject == !cases[i].subject);
        if (facts.client_subject)
            assert_string_equal(facts.client_subject, cases[i].subject);
        tls_pair_close(&p);
        SSL_CTX_free(who);
        (void)tls_context_unref(c);
    }
}

/* Sessions */

static SSL_SESSION *session_of(struct tls_context *c, SSL_CTX *who, int version)
{
    struct tls_pair p;

    tls_pair_open(&p, c, who);
    assert_int_equal(SSL_set_max_proto_version(p.client, version), 1);
    assert_int_equal(tls_pair_shake(&p, NULL), 0);
    assert_false(SSL_session_reused(p.client));
    SSL_SESSION *s = SSL_get1_session(p.client);
    assert_int_equal(SSL_SESSION_is_resumable(s), 1);
    assert_int_equal(tls_shutdown(p.server), 0);
    (void)SSL_shutdown(p.client);
    tls_pair_close(&p);
    return s;
}

static bool resumes(struct tls_context *c, SSL_CTX *who, SSL_SESSION *session, int version,
                    const char *verify)
{
    struct tls_pair p;
    struct tls_facts facts = {0};

    tls_pair_open(&p, c, who);
    assert_int_equal(SSL_set_max_proto_version(p.client, version), 1);
    assert_int_equal(SSL_set_session(p.client, session), 1);
    assert_int_equal(tls_pair_shake(&p, NULL), 0);
    bool reused = SSL_session_reused(p.client);
    assert_int_equal(tls_get_facts(p.server, &facts), 0);
    assert_true(!verify == !facts.client_verify);
    if (verify) /* also when the certificate was not sent again */
        assert_string_equal(facts.client_verify, verify);
    tls_pair_close(&p);
    return reused;
}

/* In every worker and generation that has the same key; not where other clients are trusted. */
static void test_sessions_are_resumed(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct tls_ticket_key key, other_key;
    SSL_CTX *alice = tls_fixture_client("client");

    (void)state;
    assert_int_equal(tls_ticket_key_make(&key), 0);
    assert_int_equal(tls_ticket_key_make(&other_key), 0);
    struct tls_context *first = tls_fixture_context("", &key);
    struct tls_context *second = tls_fixture_context("", &key);
    struct tls_context *stranger = tls_fixture_context("", &other_key);
    struct tls_context *asks = tls_fixture_context(",,%/ca.pem", &key);
    struct tls_context *asks_too = tls_fixture_context(",,%/ca.pem", &key);
    struct tls_context *requires = tls_fixture_context(",,!%/ca.pem", &key);
    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        int v = versions[i];
        SSL_SESSION *s = session_of(first, alice, v);
        assert_true(resumes(second, alice, s, v, NULL));
        assert_false(resumes(stranger, alice, s, v, NULL));
        assert_false(resumes(asks, alice, s, v, "SUCCESS"));
        SSL_SESSION_free(s);
        s = session_of(asks, alice, v);
        assert_true(resumes(asks_too, alice, s, v, "SUCCESS"));
        assert_false(resumes(requires, alice, s, v, "SUCCESS"));
        SSL_SESSION_free(s);
    }
    struct tls_context *all[] = {first, second, stranger, asks, asks_too, requires};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        (void)tls_context_unref(all[i]);
    SSL_CTX_free(alice);
}

/* Reading */

/* As a server reads: until there is nothing; the socket's readiness must tell of all the rest. */
static void test_reading(void **state)
{
    static const size_t sizes[] = {TLS_RECORD_BYTES, TLS_RECORD_BYTES + 1, 65536};
    char *buf = malloc(65536);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct tls_pair p;
        size_t sent = 0, got = 0;

        tls_pair_connect(&p, context, client);
        SSL_set_mode(p.client, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        while (got < LARGE) {
            int n = sent < LARGE ? SSL_write(p.client, large + sent, (int)(LARGE - sent)) : 0;
            sent += n > 0 ? (size_t)n : 0;
            struct pollfd pfd = {.fd = p.fds[0], .events = POLLIN};
            assert_int_equal(poll(&pfd, 1, 0), 1); /* or bytes would be stuck */
            ssize_t r = tls_read(p.server, buf, sizes[i], NULL);
            if (r == -EAGAIN)
                continue;
            assert_true(r > 0);
            assert_int_equal(tls_pending(p.server), 0);
            assert_memory_equal(buf, large + got, r);
            got += (size_t)r;
        }
        assert_int_equal(tls_read(p.server, buf, sizes[i], NULL), -EAGAIN);
        assert_int_equal(tls_read_events(p.server), POLLIN);
        tls_pair_close(&p);
    }
    free(buf);
}

static void test_reading_with_little_room(void **state)
{
    struct tls_pair p;
    char byte = 0;

    (void)state;
    tls_pair_connect(&p, context, client);
    assert_int_equal(SSL_write(p.client, "abc", 3), 3);
    for (size_t left = 3; left-- > 0;) {
        assert_int_equal(tls_read(p.server, &byte, 1, NULL), 1);
        assert_int_equal(byte, "cba"[left]);
        assert_int_equal(tls_pending(p.server), left);
    }
    tls_pair_close(&p);
}

/* A client may change its keys (RFC 8446 section 4.6.3) and ask us to; it may not shake hands again
 * in TLS 1.2. */
static void test_new_keys(void **state)
{
    struct tls_pair p;
    char buf[16];

    (void)state;
    tls_pair_connect(&p, context, client);
    assert_int_equal(SSL_key_update(p.client, SSL_KEY_UPDATE_REQUESTED), 1);
    assert_int_equal(SSL_write(p.client, "abc", 3), 3);
    assert_int_equal(tls_read(p.server, buf, sizeof(buf), NULL), 3);
    const struct iovec iov = {(void *)"def", 3};
    assert_int_equal(tls_writev(p.server, &iov, 1, NULL), 3);
    (void)SSL_read(p.client, buf, sizeof(buf)); /* may be the update only */
    assert_true(memcmp(buf, "def", 3) == 0 || SSL_read(p.client, buf, sizeof(buf)) == 3);
    tls_pair_close(&p);
}

static void test_no_renegotiation(void **state)
{
    struct tls_pair p;
    char buf[16];

    (void)state;
    tls_pair_open(&p, context, client);
    assert_int_equal(SSL_set_max_proto_version(p.client, TLS1_2_VERSION), 1);
    assert_int_equal(tls_pair_shake(&p, NULL), 0);
    assert_int_equal(SSL_renegotiate(p.client), 1);
    assert_int_equal(SSL_do_handshake(p.client), -1);
    assert_int_equal(tls_read(p.server, buf, sizeof(buf), NULL), -EAGAIN);
    assert_int_equal(SSL_do_handshake(p.client), -1);
    assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_NO_RENEGOTIATION);
    tls_pair_close(&p);
}

/* Writing */

/* Takes what the client can get now and compares it. */
static void take(struct tls_pair *p, size_t *got, size_t max)
{
    static char buf[TLS_RECORD_BYTES];

    while (*got < max) {
        int n = SSL_read(p->client, buf, (int)sizeof(buf));
        if (n <= 0) {
            assert_int_equal(SSL_get_error(p->client, n), SSL_ERROR_WANT_READ);
            return;
        }
        assert_memory_equal(buf, large + *got, n);
        *got += (size_t)n;
    }
}

/* What is refused is written again from other memory, in other pieces, as a buffer that was moved
 * would be. */
static void test_writing_to_a_slow_client(void **state)
{
    struct tls_pair p;
    size_t sent = 0, got = 0, refusals = 0;

    (void)state;
    tls_pair_connect(&p, context, client);
    while (got < LARGE) {
        char *moved = malloc(LARGE);
        size_t cut = refusals * 777 % 30000, left = LARGE - sent;
        memcpy(moved, large + sent, left);
        cut = MIN(cut, left);
        const struct iovec iov[] = {{moved, cut}, {NULL, 0}, {moved + cut, left - cut}};
        ssize_t n = tls_writev(p.server, iov, COUNT_OF(iov), NULL);
        free(moved);
        if (n == -EAGAIN) {
            assert_int_equal(tls_write_events(p.server), POLLOUT);
            refusals++;
            take(&p, &got, got + 20000);
            continue;
        }
        assert_true(n >= 0);
        sent += (size_t)n;
        if (sent == LARGE)
            take(&p, &got, LARGE);
    }
    assert_true(refusals > 5);
    tls_pair_close(&p);
}

static void test_small_pieces_share_a_record(void **state)
{
    struct tls_pair p;
    char buf[TLS_RECORD_BYTES];
    struct iovec iov[64] = {{NULL, 0}};

    (void)state;
    for (size_t i = 1; i < COUNT_OF(iov); i++) /* 63 of 313 bytes: more than a record */
        iov[i] = (struct iovec){large + (i - 1) * 313, 313};
    tls_pair_connect(&p, context, client);
    assert_int_equal(tls_writev(p.server, iov, 5, NULL), (ssize_t)4 * 313);
    assert_int_equal(SSL_read(p.client, buf, sizeof(buf)), 4 * 313);
    assert_memory_equal(buf, large, (size_t)4 * 313);
    assert_int_equal(tls_writev(p.server, iov, 64, NULL), (ssize_t)63 * 313);
    assert_int_equal(SSL_read(p.client, buf, sizeof(buf)), TLS_RECORD_BYTES);
    assert_int_equal(SSL_read(p.client, buf, sizeof(buf)), 63 * 313 - (int)TLS_RECORD_BYTES);
    assert_int_equal(tls_writev(p.server, iov, 1, NULL), 0);
    assert_int_equal(tls_writev(p.server, NULL, 0, NULL), 0);
    assert_int_equal(SSL_read(p.client, buf, sizeof(buf)), -1);
    tls_pair_close(&p);
}

static void test_sending_a_file(void **state)
{
    _cleanup_close_ int file = memfd_create("file", MFD_CLOEXEC);
    struct tls_pair p;
    struct errmsg err = {""};
    size_t sent = 5, got = 5;

    (void)state;
    assert_int_equal(write(file, large, LARGE), LARGE);
    tls_pair_connect(&p, context, client);
    while (got < LARGE) {
        ssize_t n = tls_send_file(p.server, file, sent, LARGE - sent, &err);
        assert_true(n == -EAGAIN || n >= 0);
        sent += n > 0 ? (size_t)n : 0;
        take(&p, &got, LARGE);
    }
    assert_int_equal(tls_send_file(p.server, file, LARGE - 10, 20, &err), 10);
    assert_int_equal(tls_send_file(p.server, file, LARGE, 20, &err), -EIO);
    assert_string_equal(err.text, "the file has become shorter");
    assert_int_equal(tls_send_file(p.server, -1, 0, 20, &err), -EBADF);
    tls_pair_close(&p);
}

static void test_writing_to_nobody(void **state)
{
    const struct iovec iov = {large, LARGE};
    struct tls_pair p;

    (void)state;
    tls_pair_connect(&p, context, client);
    closep(&p.fds[1]);
    p.fds[1] = -1;
    assert_int_equal(tls_writev(p.server, &iov, 1, NULL), -EPIPE);
    assert_int_equal(tls_shutdown(p.server), 0);
    tls_pair_close(&p);
}

/* Ends */

static void test_announced_ends(void **state)
{
    struct tls_pair p;
    char buf[16];

    (void)state;
    tls_pair_connect(&p, context, client);
    assert_int_equal(SSL_write(p.client, "abc", 3), 3);
    assert_int_equal(SSL_shutdown(p.client), 0);
    assert_int_equal(tls_read(p.server, buf, sizeof(buf), NULL), 3);
    for (int i = 0; i < 2; i++)
        assert_int_equal(tls_read(p.server, buf, sizeof(buf), NULL), 0);
    const struct iovec iov = {(void *)"def", 3}; /* the other direction is still open */
    assert_int_equal(tls_writev(p.server, &iov, 1, NULL), 3);
    for (int i = 0; i < 2; i++)
        assert_int_equal(tls_shutdown(p.server), 0);
    assert_int_equal(SSL_read(p.client, buf, sizeof(buf)), 3);
    assert_int_equal(SSL_read(p.client, buf, sizeof(buf)), 0);
    assert_int_equal(SSL_get_error(p.client, 0), SSL_ERROR_ZERO_RETURN);
    tls_pair_close(&p);
}

static void test_truncation(void **state)
{
    struct tls_pair p;
    struct errmsg err = {""};
    char buf[16];

    (void)state;
    tls_pair_connect(&p, context, client); /* by the client, or on its way */
    assert_int_equal(SSL_write(p.client, "abc", 3), 3);
    assert_int_equal(shutdown(p.fds[1], SHUT_WR), 0);
    assert_int_equal(tls_read(p.server, buf, sizeof(buf), NULL), 3);
    for (int i = 0; i < 2; i++)
        assert_int_equal(tls_read(p.server, buf, sizeof(buf), &err), -ECONNABORTED);
    assert_string_equal(err.text, "the client closed without close_notify");
    tls_pair_close(&p);

    tls_pair_connect(&p, context, client); /* by us: the client must see it */
    p.server = tls_free(p.server);
    assert_int_equal(shutdown(p.fds[0], SHUT_WR), 0);
    assert_int_equal(SSL_read(p.client, buf, sizeof(buf)), 0);
    assert_int_equal(SSL_get_error(p.client, 0), SSL_ERROR_SSL);
    assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_UNEXPECTED_EOF_WHILE_READING);
    tls_pair_close(&p);
}

static void test_garbage_in_place_of_a_record(void **state)
{
    struct tls_pair p;
    char buf[16];

    (void)state;
    tls_pair_connect(&p, context, client);
    assert_int_equal(write(p.fds[1],
                           "\x17\x03\x03\x00\x14"
                           "01234567890123456789",
                           25),
                     25);
    assert_int_equal(tls_read(p.server, buf, sizeof(buf), NULL), -EPROTO);
    tls_pair_close(&p);
}

/* Saying goodbye waits for nobody, neither for room nor for a handshake. */
static void test_shutdown_does_not_wait(void **state)
{
    struct tls_pair p;
    char buf[16];

    (void)state;
    tls_pair_open(&p, context, client);
    assert_int_equal(tls_shutdown(p.server), 0);
    assert_int_equal(read(p.fds[1], buf, 1), -1); /* nothing was said */
    tls_pair_close(&p);

    tls_pair_connect(&p, context, client);
    size_t n = 0;
    while (write(p.fds[0], "x", 1) == 1) /* past TLS: the client will not read it */
        n++;
    assert_int_equal(tls_shutdown(p.server), -EAGAIN);
    assert_int_equal(tls_write_events(p.server), POLLOUT);
    for (; n > 0; n--)
        assert_int_equal(read(p.fds[1], buf, 1), 1);
    assert_int_equal(tls_shutdown(p.server), 0);
    assert_int_equal(SSL_read(p.client, buf, sizeof(buf)), 0);
    assert_int_equal(SSL_get_error(p.client, 0), SSL_ERROR_ZERO_RETURN);
    tls_pair_close(&p);
}

/* Around them */

/* What others left in OpenSSL's queue is not ours, and ours is nobody else's. */
static void test_queue_of_errors(void **state)
{
    struct tls_pair p;
    char buf[16];

    (void)state;
    tls_pair_connect(&p, context, client);
    ERR_raise(ERR_LIB_USER, 1);
    assert_int_equal(tls_read(p.server, buf, sizeof(buf), NULL), -EAGAIN);
    assert_int_equal(write(p.fds[1], "garbage", 7), 7);
    assert_int_equal(tls_read(p.server, buf, sizeof(buf), NULL), -EPROTO);
    assert_int_equal(ERR_peek_error(), 0);
    tls_pair_close(&p);
}

static void test_memory_of_idle_connections(void **state)
{
    enum { N = 64, MAX_BYTES = 24 * 1024 };
    static struct tls_pair pairs[N];
    const struct iovec iov = {large, 100000};
    char buf[TLS_RECORD_BYTES];

    (void)state;
    for (size_t i = 0; i < N; i++) { /* each has had a request and an answer */
        size_t got = 0;
        tls_pair_connect(&pairs[i], context, client);
        assert_int_equal(SSL_write(pairs[i].client, large, 10000), 10000);
        assert_int_equal(tls_read(pairs[i].server, buf, sizeof(buf), NULL), 10000);
        assert_int_equal(tls_read(pairs[i].server, buf, sizeof(buf), NULL), -EAGAIN);
        assert_int_equal(tls_writev(pairs[i].server, &iov, 1, NULL), 100000);
        take(&pairs[i], &got, 100000);
    }
    size_t before = mallinfo2().uordblks;
    for (size_t i = 0; i < N; i++)
        pairs[i].server = tls_free(pairs[i].server);
    size_t each = (before - mallinfo2().uordblks) / N;
    for (size_t i = 0; i < N; i++)
        tls_pair_close(&pairs[i]);
    if (before == 0)
        skip(); /* another allocator, that of a sanitizer */
    print_message("an idle connection: %zu bytes\n", each);
    assert_in_range(each, 1, MAX_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handshake_in_pieces),
        cmocka_unit_test(test_handshake_without_room),
        cmocka_unit_test(test_protocols_by_name),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_ciphers),
        cmocka_unit_test(test_what_is_not_tls),
        cmocka_unit_test(test_closed_before_or_within_the_handshake),
        cmocka_unit_test(test_client_certificates),
        cmocka_unit_test(test_sessions_are_resumed),
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_reading_with_little_room),
        cmocka_unit_test(test_new_keys),
        cmocka_unit_test(test_no_renegotiation),
        cmocka_unit_test(test_writing_to_a_slow_client),
        cmocka_unit_test(test_small_pieces_share_a_record),
        cmocka_unit_test(test_sending_a_file),
        cmocka_unit_test(test_writing_to_nobody),
        cmocka_unit_test(test_announced_ends),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_garbage_in_place_of_a_record),
        cmocka_unit_test(test_shutdown_does_not_wait),
        cmocka_unit_test(test_queue_of_errors),
        cmocka_unit_test(test_memory_of_idle_connections),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
