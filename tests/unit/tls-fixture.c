/* SPDX-License-Identifier: MIT */
/* Certificates for an hour, and both ends of a connection. */
#include "tls-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"

static char folder[sizeof(UNIT_FOLDER)];

const char *tls_fixture_path(const char *name)
{
    static char paths[4][128];
    static unsigned next;
    char *path = paths[next++ % COUNT_OF(paths)];

    (void)snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

/* Somebody with a key and a certificate. */
struct party {
    EVP_PKEY *key;
    X509 *cert;
};

static void party_done(struct party *p)
{
    EVP_PKEY_free(p->key);
    X509_free(p->cert);
}

static void add_extension(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    assert_non_null(e);
    assert_int_equal(X509_add_ext(cert, e, -1), 1);
    X509_EXTENSION_free(e);
}

/* @issuer NULL: its own. @kind "ca", "server" or "client". */
static struct party make_party(const char *name, const char *kind, const struct party *issuer,
                               EVP_PKEY *key)
{
    static long serial = 1;
    struct party p = {.key = key, .cert = X509_new()};

    assert_non_null(p.key);
    assert_non_null(p.cert);
    assert_int_equal(X509_set_version(p.cert, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(p.cert), serial++), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(p.cert), -60));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(p.cert), 3600));
    X509_NAME *subject = X509_get_subject_name(p.cert);
    assert_int_equal(X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8,
                                                (const unsigned char *)"Te\nst", -1, -1, 0),
                     1);
    assert_int_equal(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                                (const unsigned char *)name, -1, -1, 0),
                     1);
    assert_int_equal(
        X509_set_issuer_name(p.cert, issuer ? X509_get_subject_name(issuer->cert) : subject), 1);
    assert_int_equal(X509_set_pubkey(p.cert, p.key), 1);
    if (strcmp(kind, "ca") == 0)
        add_extension(p.cert, NID_basic_constraints, "critical,CA:TRUE");
    else
        add_extension(p.cert, NID_ext_key_usage,
                      strcmp(kind, "server") == 0 ? "serverAuth" : "clientAuth");
    if (strcmp(kind, "server") == 0)
        add_extension(p.cert, NID_subject_alt_name, "DNS:localhost");
    assert_true(X509_sign(p.cert, issuer ? issuer->key : p.key, EVP_sha256()) > 0);
    return p;
}

static EVP_PKEY *new_key(void)
{
    return EVP_EC_gen("P-256");
}

static FILE *create(const char *name)
{
    FILE *f = fopen(tls_fixture_path(name), "we");

    assert_non_null(f);
    return f;
}

static void write_certs(const char *name, X509 *first, X509 *second)
{
    FILE *f = create(name);

    assert_int_equal(PEM_write_X509(f, first), 1);
    if (second)
        assert_int_equal(PEM_write_X509(f, second), 1);
    assert_int_equal(fclose(f), 0);
}

static void write_key(const char *name, EVP_PKEY *key, const char *password)
{
    FILE *f = create(name);

    assert_int_equal(PEM_write_PrivateKey(f, key, password ? EVP_aes_256_cbc() : NULL,
                                          (const unsigned char *)password,
                                          password ? (int)strlen(password) : 0, NULL, NULL),
                     1);
    assert_int_equal(fclose(f), 0);
}

static void write_text(const char *name, const char *text)
{
    FILE *f = create(name);

    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

int tls_fixture_set_up(void **state)
{
    (void)state;
    proc_catch_sigpipe();
    unit_make_folder(folder);

    _cleanup_(party_done) struct party ca = make_party("root", "ca", NULL, new_key());
    _cleanup_(party_done) struct party middle = make_party("middle", "ca", &ca, new_key());
    _cleanup_(party_done) struct party server =
        make_party("localhost", "server", &middle, new_key());
    _cleanup_(party_done) struct party client = make_party("Al\xc3\xad"
                                                           "ce",
                                                           "client", &ca, new_key());
    _cleanup_(party_done) struct party other = make_party("other", "ca", NULL, new_key());
    _cleanup_(party_done) struct party stranger =
        make_party("stranger", "client", &other, new_key());
    _cleanup_(party_done) struct party weak = make_party("weak", "server", NULL, EVP_RSA_gen(1024));

    write_certs("ca.pem", ca.cert, NULL);
    write_certs("server.pem", server.cert, middle.cert);
    write_key("server.key", server.key, NULL);
    write_key("locked.key", server.key, "secret");
    write_key("password.key", other.key, NULL);
    write_certs("client.pem", client.cert, NULL);
    write_key("client.key", client.key, NULL);
    write_certs("other-ca.pem", other.cert, NULL);
    write_certs("stranger.pem", stranger.cert, NULL);
    write_key("stranger.key", stranger.key, NULL);
    write_certs("weak.pem", weak.cert, NULL);
    write_key("weak.key", weak.key, NULL);
    write_text("empty.pem", "");
    write_text("broken.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    return 0;
}

int tls_fixture_tear_down(void **state)
{
    (void)state;
    unit_remove_folder(folder);
    return 0;
}

char *tls_fixture_setting(const char *rest)
{
    struct buf text = {0};

    assert_int_equal(buf_printf(&text, ":443,%s/server.pem,%s/server.key", folder, folder), 0);
    for (const char *p = rest; *p; p++) {
        if (*p == '%')
            assert_int_equal(buf_printf(&text, "%s", folder), 0);
        else
            assert_int_equal(buf_append(&text, p, 1), 0);
    }
    assert_int_equal(buf_append(&text, "", 1), 0);
    return text.data;
}

struct tls_context *tls_fixture_context(const char *rest, const struct tls_ticket_key *key)
{
    _cleanup_free_ char *text = tls_fixture_setting(rest);
    _cleanup_(tls_setting_done) struct tls_setting s = {0};
    struct tls_ticket_key own;
    struct tls_context *c = NULL;
    struct errmsg err = {""};

    assert_int_equal(tls_ticket_key_make(&own), 0);
    if (tls_setting_parse(text, &s, &err) < 0 ||
        tls_context_new(&s, key ? key : &own, &c, &err) < 0)
        fail_msg("%s", err.text);
    return c;
}

SSL_CTX *tls_fixture_client(const char *name)
{
    SSL_CTX *c = SSL_CTX_new(TLS_client_method());
    char file[64];

    assert_non_null(c);
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER, NULL);
    assert_int_equal(SSL_CTX_load_verify_file(c, tls_fixture_path("ca.pem")), 1);
    if (!name)
        return c;
    (void)snprintf(file, sizeof(file), "%s.pem", name);
    assert_int_equal(SSL_CTX_use_certificate_chain_file(c, tls_fixture_path(file)), 1);
    (void)snprintf(file, sizeof(file), "%s.key", name);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(c, tls_fixture_path(file), SSL_FILETYPE_PEM), 1);
    return c;
}

void tls_pair_open(struct tls_pair *p, struct tls_context *c, SSL_CTX *client)
{
    *p = (struct tls_pair){.client = SSL_new(client)};
    assert_int_equal(fd_socketpair(SOCK_STREAM | SOCK_NONBLOCK, p->fds), 0);
    assert_int_equal(tls_new(c, p->fds[0], &p->server), 0);
    assert_non_null(p->client);
    assert_int_equal(SSL_set_fd(p->client, p->fds[1]), 1);
    assert_int_equal(SSL_set1_host(p->client, "localhost"), 1);
    SSL_set_connect_state(p->client);
}

void tls_pair_close(struct tls_pair *p)
{
    p->server = tls_free(p->server);
    SSL_free(p->client);
    p->client = NULL;
    for (size_t i = 0; i < 2; i++) {
        closep(&p->fds[i]);
        p->fds[i] = -1;
    }
    ERR_clear_error();
}

int tls_pair_shake(struct tls_pair *p, struct errmsg *err)
{
    int server = -EAGAIN, client = 0;
    char nothing = 0;

    for (int i = 0; i < 20 && (server == -EAGAIN || client != 1); i++) {
        client = SSL_do_handshake(p->client);
        if (client != 1 && SSL_get_error(p->client, client) == SSL_ERROR_SSL)
            break; /* it has sent its alert, if any */
        server = tls_handshake(p->server, err);
        if (server != 0 && server != -EAGAIN)
            break;
    }
    if (server == -EAGAIN)
        server = tls_handshake(p->server, err);
    if (server == 0 && client == 1)
        assert_int_equal(SSL_read(p->client, &nothing, 1), -1);
    ERR_clear_error();
    return server;
}

void tls_pair_connect(struct tls_pair *p, struct tls_context *c, SSL_CTX *client)
{
    struct errmsg err = {""};

    tls_pair_open(p, c, client);
    if (tls_pair_shake(p, &err) != 0)
        fail_msg("%s", err.text);
}
