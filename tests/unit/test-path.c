/* SPDX-License-Identifier: MIT */
#include "base/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "unit.h"

static void assert_absolute(const char *path, const char *expected)
{
    char *absolute = path_make_absolute(path);

    assert_non_null(absolute);
    assert_string_equal(absolute, expected);
    free(absolute);
}

static void relative_ones_begin_in_the_current_directory(void **state)
{
    (void)state;
    assert_int_equal(chdir("/proc/self"), 0);
    char *here = getcwd(NULL, 0);
    char expected[64];
    assert_non_null(here);
    (void)snprintf(expected, sizeof(expected), "%s/../a", here);
    assert_absolute("../a", expected);
    free(here);
}

static void absolute_ones_stay_as_they_are(void **state)
{
    (void)state;
    assert_absolute("/tmp/./a/../b", "/tmp/./a/../b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(relative_ones_begin_in_the_current_directory),
        cmocka_unit_test(absolute_ones_stay_as_they_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
