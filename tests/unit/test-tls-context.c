/* SPDX-License-Identifier: MIT */
/* From files to a context: what is taken, and how what is wrong with a file is told. */
#include "tls/tls-context.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "tls-fixture.h"

/* Fields of a setting; those with a '.' in them are files of the fixture. */
struct files {
    const char *cert, *key, *ciphers, *ca;
};

static int try(const struct files *f, struct errmsg *err)
{
    struct tls_ticket_key key;
    struct tls_context *c = NULL;
    const struct tls_setting s = {
        .text = (char *)"the setting",
        .address = ":443",
        .cert_file = tls_fixture_path(f->cert),
        .key_file = tls_fixture_path(f->key),
        .ciphers = f->ciphers,
        .client_ca_file = f->ca ? tls_fixture_path(f->ca) : NULL,
    };

    assert_int_equal(tls_ticket_key_make(&key), 0);
    int r = tls_context_new(&s, &key, &c, err);
    assert_int_equal(ERR_peek_error(), 0);
    if (r == 0)
        assert_string_equal(tls_context_text(c), "the setting");
    else
        assert_null(c);
    (void)tls_context_unref(c);
    return r;
}

static void test_accepted(void **state)
{
    const struct files cases[] = {
        {"server.pem", "server.key", NULL, NULL},
        {"server.pem", "server.key", "HIGH", NULL},
        {"server.pem", "server.key", "ECDHE-ECDSA-AES128-GCM-SHA256", "ca.pem"},
        {"server.pem", "server.key", NULL, "server.pem"}, /* several authorities in a file */
        {"client.pem", "client.key", NULL, "other-ca.pem"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct errmsg err = {""};
        if (try(&cases[i], &err) != 0)
            fail_msg("%zu: %s", i, err.text);
    }
}

static void test_refused(void **state)
{
    const struct {
        struct files files;
        int error;
        const char *says;
    } cases[] = {
        {{"no.pem", "server.key", NULL, NULL}, -ENOENT, "/no.pem: No such file"},
        {{"server.pem", "no.key", NULL, NULL}, -ENOENT, "/no.key: No such file"},
        {{"server.pem", "server.key", NULL, "no.pem"}, -ENOENT, "/no.pem: No such file"},
        {{"", "server.key", NULL, NULL}, -EISDIR, "Is a directory"},
        {{"empty.pem", "server.key", NULL, NULL}, -EINVAL, "empty.pem: there is no certificate"},
        {{"server.key", "server.key", NULL, NULL}, -EINVAL, "server.key: there is no certificate"},
        {{"broken.pem", "server.key", NULL, NULL}, -EINVAL, "broken.pem: cannot read a cert"},
        {{"server.pem", "server.pem", NULL, NULL}, -EINVAL, "server.pem: no private key in PEM"},
        {{"server.pem", "locked.key", NULL, NULL}, -EINVAL, "locked.key: the key is protected by"},
        {{"server.pem", "password.key", NULL, NULL}, -EINVAL, "password.key does not belong to"},
        {{"weak.pem", "weak.key", NULL, NULL}, -EINVAL, "ee key too small"},
        {{"server.pem", "server.key", "ROT13", NULL}, -EINVAL, "ROT13: cannot use the ciphers"},
        {{"server.pem", "server.key", NULL, "empty.pem"}, -EINVAL, "empty.pem: there is no cert"},
        {{"server.pem", "server.key", NULL, "broken.pem"}, -EINVAL, "broken.pem: cannot read"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct errmsg err = {""};
        assert_int_equal(try(&cases[i].files, &err), cases[i].error);
        if (!strstr(err.text, cases[i].says))
            fail_msg("%zu: '%s' is not in '%s'", i, cases[i].says, err.text);
    }
}

static void test_ticket_keys_differ(void **state)
{
    struct tls_ticket_key a, b;

    (void)state;
    assert_int_equal(tls_ticket_key_make(&a), 0);
    assert_int_equal(tls_ticket_key_make(&b), 0);
    assert_memory_not_equal(&a, &b, sizeof(a));
}

static void test_references(void **state)
{
    struct tls_context *c = tls_fixture_context("", NULL);

    (void)state;
    assert_ptr_equal(tls_context_ref(c), c);
    assert_null(tls_context_unref(c));
    assert_non_null(strstr(tls_context_text(c), "server.pem"));
    assert_null(tls_context_unref(c));
    assert_null(tls_context_unref(NULL));
}

/* The client gets what is in the certificate's file, no more: not the authority of the clients. */
static void test_chain(void **state)
{
    struct tls_context *c = tls_fixture_context(",,%/ca.pem", NULL);
    SSL_CTX *client = tls_fixture_client(NULL);
    struct tls_pair p;

    (void)state;
    tls_pair_connect(&p, c, client);
    assert_int_equal(sk_X509_num(SSL_get_peer_cert_chain(p.client)), 2);
    tls_pair_close(&p);
    SSL_CTX_free(client);
    (void)tls_context_unref(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),   cmocka_unit_test(test_refused),
        cmocka_unit_test(test_references), cmocka_unit_test(test_ticket_keys_differ),
        cmocka_unit_test(test_chain),
    };

    return cmocka_run_group_tests(tests, tls_fixture_set_up, tls_fixture_tear_down);
}
