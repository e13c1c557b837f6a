/* SPDX-License-Identifier: MIT */
/* Certificates of an instance: loaded, refused with place and cause, kept when they may not be read
 * any more. */
#include "instance/certificates.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strv.h"
#include "tls-fixture.h"

static struct tls_ticket_key key;

static int set_up(void **state)
{
    return tls_ticket_key_make(&key) < 0 ? -1 : tls_fixture_set_up(state);
}

static struct liege_list settings_of(const char *const *rests, size_t n)
{
    struct liege_list l = {0};

    for (size_t i = 0; i < n; i++) {
        _cleanup_free_ char *text = tls_fixture_setting(rests[i]);
        assert_int_equal(strv_append(&l, text), 0);
    }
    return l;
}

static void test_loading(void **state)
{
    static const char *const rests[] = {"", ",HIGH", ",,!%/ca.pem"};
    _cleanup_(strv_done) struct liege_list l = settings_of(rests, COUNT_OF(rests));
    struct certificates c = {0};
    struct errmsg err = {""};

    (void)state;
    assert_null(certificates_find(&c, l.items[0]));
    if (certificates_load(&c, &l, NULL, &key, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(c.n_items, 3);
    for (size_t i = 0; i < 3; i++)
        assert_ptr_equal(certificates_find(&c, l.items[i]), c.items[i]);
    assert_null(certificates_find(&c, "another"));
    certificates_release(&c);
    certificates_release(&c);
}

static void test_refusals(void **state)
{
    const struct {
        const char *rest;
        int error;
        const char *says;
    } cases[] = {
        {",ROT13", -EINVAL, "https-socket: ROT13: cannot use"},
        {",,%/none.pem", -ENOENT, "none.pem: No such file"},
        {",,,,", -EINVAL, "https-socket: ':443,"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *const rests[] = {"", cases[i].rest};
        _cleanup_(strv_done) struct liege_list l = settings_of(rests, COUNT_OF(rests));
        struct certificates c = {0};
        struct errmsg err = {""};
        assert_int_equal(certificates_load(&c, &l, NULL, &key, &err), cases[i].error);
        if (!strstr(err.text, cases[i].says))
            fail_msg("%zu: '%s' is not in '%s'", i, cases[i].says, err.text);
        certificates_release(&c);
    }
}

static struct certificates loaded;
static struct liege_list one;

static void as_nobody(void *data)
{
    struct certificates again = {0};
    struct errmsg err = {""};

    (void)data;
    UNIT_CHECK(setresuid(65534, 65534, 65534) == 0);
    UNIT_CHECK(certificates_load(&again, &one, NULL, &key, &err) == -EACCES);
    certificates_release(&again);
    unit_begin_capture();
    int r = certificates_load(&again, &one, &loaded, &key, &err);
    char *said = unit_end_capture();
    UNIT_CHECK(r == 0);
    UNIT_CHECK(again.n_items == 1 && again.items[0] == loaded.items[0]);
    UNIT_CHECK(strstr(said, "server.key: Permission denied: what was read with more privileges"));
    free(said);
    certificates_release(&again);
}

/* A reload after the privileges have gone goes on with what was read before. */
static void test_keeping(void **state)
{
    static const char *const rests[] = {""};
    struct errmsg err = {""};

    (void)state;
    if (geteuid() != 0)
        skip();
    one = settings_of(rests, 1);
    assert_int_equal(certificates_load(&loaded, &one, NULL, &key, &err), 0);
    assert_int_equal(chmod(tls_fixture_path("."), 0755), 0);
    assert_int_equal(chmod(tls_fixture_path("server.key"), 0600), 0);
    assert_int_equal(unit_run_child(as_nobody, NULL), 0);
    certificates_release(&loaded);
    strv_done(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loading),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_keeping),
    };

    return cmocka_run_group_tests(tests, set_up, tls_fixture_tear_down);
}
