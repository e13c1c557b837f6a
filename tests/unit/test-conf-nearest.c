/* SPDX-License-Identifier: MIT */
/* Which names are near enough to suggest. */
#include "conf/nearest.h"

#include <string.h>

#include "base/macro.h"
#include "conf-fixture.h"

static const struct {
    const char *wanted, *found;
} cases[] = {
    {"workers", "workers"},
    {"wrokers", "workers"},
    {"worker", "workers"},
    {"wworkers", "workers"},
    {"WORKERS", "workers"},
    {"http_socket", "http-socket"},
    {"htpsocket", "http-socket"},
    {"mastre", "master"},
    {"m", ""},
    {"ms", ""},
    {"xyzzy", ""},
    {"completely-different", ""},
    {"", ""},
};

static void test_cases(void **state)
{
    static const char *const names[] = {"master", "workers", "http-socket", "p", "socket"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct nearest n;

        nearest_start(&n, cases[i].wanted);
        for (size_t k = 0; k < COUNT_OF(names); k++)
            nearest_offer(&n, names[k], strlen(names[k]));
        assert_string_equal(n.name, cases[i].found);
    }
}

static void test_long_names(void **state)
{
    char name[200];
    struct nearest n;

    (void)state;
    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    nearest_start(&n, name);
    nearest_offer(&n, name, strlen(name));
    assert_string_equal(n.name, "");
    name[63] = '\0';
    nearest_start(&n, name);
    nearest_offer(&n, name, 63);
    assert_string_equal(n.name, name);
    nearest_offer(&n, name, 64); /* too long for the buffer, were it better */
    assert_string_equal(n.name, name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_long_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
