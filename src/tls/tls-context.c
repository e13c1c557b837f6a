/* SPDX-License-Identifier: MIT */
/* Contexts: from the files of an https-socket to what OpenSSL wants. Files are read whole and
 * parsed from memory, so that what cannot be opened, what is no PEM and what OpenSSL does not like
 * are told apart, and nothing ever asks a terminal for a password. Called by the master only. */
#include "tls/tls-context.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "tls/tls-error.h"
#include "tls/tls-private.h"

#define FILE_MAX_BYTES ((size_t)1024 * 1024)

/* Of TLS 1.2 those with forward secrecy and authenticated encryption; each client of the last ten
 * years has one of them. TLS 1.3 has no others. */
#define DEFAULT_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

DEFINE_CLEANUP(BIO *, BIO_free);
DEFINE_CLEANUP(X509 *, X509_free);
DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free);
DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free);

/* The contents of a file; @bio reads it. */
struct source {
    char *text;
    size_t len;
    BIO *bio;
};

static void source_done(struct source *s)
{
    BIO_free(s->bio);
    if (s->text)
        OPENSSL_cleanse(s->text, s->len); /* it may have been a key */
    free(s->text);
}

static int source_open(struct source *s, const char *path, struct errmsg *err)
{
    int r = file_read_all(path, FILE_MAX_BYTES, &s->text, &s->len);

    if (r < 0)
        return errmsg_set_errno(err, r, "cannot read %s", path);
    s->bio = BIO_new_mem_buf(s->text, (int)s->len);
    return s->bio ? 0 : errmsg_set(err, -ENOMEM, "out of memory");
}

/* OpenSSL's own way would be to ask on the terminal. */
static int refuse_password(char *buf, int size, int rwflag, void *asked)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    if (asked)
        *(bool *)asked = true;
    return -1;
}

static int refused(struct errmsg *err, const char *path, const char *what)
{
    char cause[128];

    return errmsg_set(err, -EINVAL, "%s: %s: %s", path, what, tls_error_take(cause, sizeof(cause)));
}

/* The next certificate of a file. Returns 0 with *@ret NULL at the end. */
static int next_certificate(const struct source *s, const char *path, X509 **ret,
                            struct errmsg *err)
{
    ERR_clear_error();
    *ret = PEM_read_bio_X509(s->bio, NULL, refuse_password, NULL);
    if (*ret)
        return 0;
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        return refused(err, path, "cannot read a certificate");
    ERR_clear_error();
    return 0;
}

/* The server's certificate, then those that lead from it to a root. */
static int use_certificates(SSL_CTX *ssl, const char *path, struct errmsg *err)
{
    _cleanup_(source_done) struct source s = {0};
    size_t n = 0;
    int r = source_open(&s, path, err);

    while (r == 0) {
        _cleanup_(X509_freep) X509 *x = NULL;
        r = next_certificate(&s, path, &x, err);
        if (r < 0 || !x)
            break;
        long good = n++ == 0 ? SSL_CTX_use_certificate(ssl, x) : SSL_CTX_add1_chain_cert(ssl, x);
        if (good != 1)
            return refused(err, path, "cannot use the certificate");
    }
    if (r == 0 && n == 0)
        return errmsg_set(err, -EINVAL, "%s: there is no certificate in PEM format in it", path);
    return r;
}

static int use_key(SSL_CTX *ssl, const struct tls_setting *setting, struct errmsg *err)
{
    const char *path = setting->key_file;
    _cleanup_(source_done) struct source s = {0};
    bool asked = false;
    int r = source_open(&s, path, err);

    if (r < 0)
        return r;
    ERR_clear_error();
    _cleanup_(EVP_PKEY_freep) EVP_PKEY *key =
        PEM_read_bio_PrivateKey(s.bio, NULL, refuse_password, &asked);
    if (asked) {
        ERR_clear_error();
        return errmsg_set(err, -EINVAL,
                          "%s: the key is protected by a password, for which nobody can be asked: "
                          "'openssl pkey -in %s -out FILE' takes it off",
                          path, path);
    }
    if (!key) {
        ERR_clear_error(); /* it says "unsupported", whatever is wrong */
        return errmsg_set(err, -EINVAL,
                          "%s: no private key in PEM format can be read from it ('openssl pkey -in "
                          "%s -noout' says more)",
                          path, path);
    }
    if (X509_check_private_key(SSL_CTX_get0_certificate(ssl), key) != 1) {
        ERR_clear_error();
        return errmsg_set(err, -EINVAL, "the key in %s does not belong to the certificate in %s",
                          path, setting->cert_file);
    }
    return SSL_CTX_use_PrivateKey(ssl, key) == 1 ? 0 : refused(err, path, "cannot use the key");
}

/* Sessions are resumed without looking at the client's certificate again: only where the same CA is
 * trusted for the same purpose, on the same address. */
static int set_session_context(SSL_CTX *ssl, const struct tls_setting *s, const struct source *ca,
                               struct errmsg *err)
{
    _cleanup_(EVP_MD_CTX_freep) EVP_MD_CTX *md = EVP_MD_CTX_new();
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    bool good = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(md, s->address, strlen(s->address) + 1) == 1 &&
                EVP_DigestUpdate(md, s->client_required ? "!" : "?", 1) == 1 &&
                EVP_DigestUpdate(md, ca->text, ca->len) == 1 &&
                EVP_DigestFinal_ex(md, digest, &len) == 1 &&
                SSL_CTX_set_session_id_context(ssl, digest, len) == 1;

    return good ? 0 : refused(err, s->text, "cannot set up sessions");
}

/* Clients shall show a certificate of one of the authorities in @ca; those who have none are let in
 * if that is not required, those who have a bad one never are. */
static int ask_clients(SSL_CTX *ssl, const struct tls_setting *s, const struct source *ca,
                       struct errmsg *err)
{
    const char *path = s->client_ca_file;
    size_t n = 0;

    for (;; n++) {
        _cleanup_(X509_freep) X509 *x = NULL;
        int r = next_certificate(ca, path, &x, err);
        if (r < 0)
            return r;
        if (!x)
            break;
        if (X509_STORE_add_cert(SSL_CTX_get_cert_store(ssl), x) != 1 ||
            SSL_CTX_add_client_CA(ssl, x) != 1)
            return refused(err, path, "cannot use the certificate");
    }
    if (n == 0)
        return errmsg_set(err, -EINVAL, "%s: there is no certificate in PEM format in it", path);
    int mode = SSL_VERIFY_PEER | (s->client_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
    SSL_CTX_set_verify(ssl, mode, NULL);
    return 0;
}

static int set_clients(SSL_CTX *ssl, const struct tls_setting *s, struct errmsg *err)
{
    _cleanup_(source_done) struct source ca = {0};
    int r = 0;

    if (s->client_ca_file) {
        r = source_open(&ca, s->client_ca_file, err);
        if (r == 0)
            r = ask_clients(ssl, s, &ca, err);
    }
    return r < 0 ? r : set_session_context(ssl, s, &ca, err);
}

/* RFC 7301: a client that names protocols and has none of ours in its list wants something else
 * than HTTP/1, and is told so by an alert. */
static int select_protocol(SSL *ssl, const unsigned char **ret, unsigned char *ret_len,
                           const unsigned char *offered, unsigned offered_len, void *data)
{
    static const unsigned char ours[] = "\x08http/1.1\x08http/1.0";
    unsigned char *chosen = NULL;

    (void)ssl;
    (void)data;
    if (SSL_select_next_proto(&chosen, ret_len, ours, sizeof(ours) - 1, offered, offered_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int set_ciphers(SSL_CTX *ssl, const struct tls_setting *s, struct errmsg *err)
{
    const char *ciphers = s->ciphers ? s->ciphers : DEFAULT_CIPHERS;

    /* Whoever lists ciphers means the order too, as uWSGI has it. */
    if (s->ciphers)
        (void)SSL_CTX_set_options(ssl, SSL_OP_CIPHER_SERVER_PREFERENCE);
    if (SSL_CTX_set_cipher_list(ssl, ciphers) == 1)
        return 0;
    return refused(err, ciphers, "cannot use the ciphers ('openssl ciphers LIST' checks a list)");
}

static int set_up(SSL_CTX *ssl, const struct tls_setting *s, const struct tls_ticket_key *key,
                  struct errmsg *err)
{
    unsigned char ticket_key[sizeof(key->bytes)];

    memcpy(ticket_key, key->bytes, sizeof(ticket_key));
    bool good = SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1 &&
                SSL_CTX_set_dh_auto(ssl, 1) == 1 &&
                SSL_CTX_set_tlsext_ticket_keys(ssl, ticket_key, sizeof(ticket_key)) == 1;
    OPENSSL_cleanse(ticket_key, sizeof(ticket_key));
    if (!good)
        return refused(err, s->text, "cannot set up TLS");
    (void)SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    /* Idle connections hold no buffers, and a write that has to wait may be repeated from memory
     * that has moved. What is sent of a chain is what is in the certificate's file. */
    (void)SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
    (void)SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF); /* tickets do it */
    SSL_CTX_set_default_passwd_cb(ssl, refuse_password);
    SSL_CTX_set_alpn_select_cb(ssl, select_protocol, NULL);

    int r = set_ciphers(ssl, s, err);
    if (r == 0)
        r = use_certificates(ssl, s->cert_file, err);
    if (r == 0)
        r = use_key(ssl, s, err);
    if (r == 0)
        r = set_clients(ssl, s, err);
    return r;
}

int tls_ticket_key_make(struct tls_ticket_key *ret)
{
    struct tls_ticket_key key;
    ssize_t n = getrandom(key.bytes, sizeof(key.bytes), 0);

    if (n < 0)
        return -errno;
    if (n != (ssize_t)sizeof(key.bytes)) /* getrandom(2): not for so few */
        return -EIO;
    *ret = key;
    return 0;
}

int tls_context_new(const struct tls_setting *s, const struct tls_ticket_key *key,
                    struct tls_context **ret, struct errmsg *err)
{
    struct tls_context *c = calloc(1, sizeof(*c));
    int r = 0;

    if (!c)
        return errmsg_set(err, -ENOMEM, "out of memory");
    ERR_clear_error();
    /* Its exit handler would free what threads of the application still use. */
    if (OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT, NULL) == 1)
        c->ssl = SSL_CTX_new(TLS_server_method());
    c->n_refs = 1;
    c->text = strdup(s->text);
    if (c->ssl && c->text)
        r = set_up(c->ssl, s, key, err);
    else
        r = refused(err, s->text, "cannot start OpenSSL");
    if (r < 0) {
        tls_context_unref(c);
        return r;
    }
    *ret = c;
    return 0;
}

struct tls_context *tls_context_ref(struct tls_context *c)
{
    c->n_refs++;
    return c;
}

struct tls_context *tls_context_unref(struct tls_context *c)
{
    if (!c || --c->n_refs > 0)
        return NULL;
    SSL_CTX_free(c->ssl);
    free(c->text);
    free(c);
    return NULL;
}

const char *tls_context_text(const struct tls_context *c)
{
    return c->text;
}
