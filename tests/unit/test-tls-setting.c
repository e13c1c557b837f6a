/* SPDX-License-Identifier: MIT */
/* The value of https-socket: what is in it, and what is refused. */
#include "tls/tls-setting.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "unit.h"

static void assert_same(const char *a, const char *b)
{
    if (!a || !b)
        assert_ptr_equal(a, b);
    else
        assert_string_equal(a, b);
}

static void test_accepted(void **state)
{
    const struct {
        const char *text, *address, *cert, *key, *ciphers, *ca;
        bool required;
    } cases[] = {
        {":443,c.pem,c.key", ":443", "c.pem", "c.key", NULL, NULL, false},
        {"[::1]:443,/a b/c.pem,/d/e", "[::1]:443", "/a b/c.pem", "/d/e", NULL, NULL, false},
        {"/run/s,both.pem,both.pem,HIGH", "/run/s", "both.pem", "both.pem", "HIGH", NULL, false},
        {":443,c,k,", ":443", "c", "k", NULL, NULL, false},
        {":443,c,k,,ca.pem", ":443", "c", "k", NULL, "ca.pem", false},
        {":443,c,k,HIGH:!aNULL,!ca.pem", ":443", "c", "k", "HIGH:!aNULL", "ca.pem", true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        _cleanup_(tls_setting_done) struct tls_setting s = {0};
        struct errmsg err = {""};
        if (tls_setting_parse(cases[i].text, &s, &err) != 0)
            fail_msg("%s", err.text);
        assert_same(s.text, cases[i].text);
        assert_same(s.address, cases[i].address);
        assert_same(s.cert_file, cases[i].cert);
        assert_same(s.key_file, cases[i].key);
        assert_same(s.ciphers, cases[i].ciphers);
        assert_same(s.client_ca_file, cases[i].ca);
        assert_int_equal(s.client_required, cases[i].required);
    }
}

static void test_refused(void **state)
{
    const struct {
        const char *text, *says;
    } cases[] = {
        {"", "the address is missing"},
        {":443", "the certificate's file is missing"},
        {":443,", "the certificate's file is missing"},
        {":443,c.pem", "':443,c.pem': the key's file is missing; accepted is ADDRESS,CERTIFICATE"},
        {":443,,k", "the certificate's file is missing"},
        {",c,k", "the address is missing"},
        {":443,c,k,HIGH,", "the client CA's file is missing"},
        {":443,c,k,HIGH,!", "the client CA's file is missing"},
        {":443,c,k,HIGH,ca,more", "too many fields"},
        {":443,c,k,HIGH,ca,more,and,more", "too many fields"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct tls_setting s = {.text = (char *)"untouched"};
        struct errmsg err = {""};
        assert_int_equal(tls_setting_parse(cases[i].text, &s, &err), -EINVAL);
        if (!strstr(err.text, cases[i].says))
            fail_msg("'%s': '%s' is not in '%s'", cases[i].text, cases[i].says, err.text);
        assert_string_equal(s.text, "untouched");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
