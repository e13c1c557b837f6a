/* SPDX-License-Identifier: MIT */
/* The tables of liegectl: how wide columns are, what is cut, and what is not let through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "cli/ctl.h"

/* Two columns, two rows. */
static void check(const char *const cells[4], bool coloured, size_t width, size_t max_rows,
                  const char *expected)
{
    struct ctl_table t;
    struct buf out = {0};

    ctl_table_begin(&t, 2);
    for (size_t i = 0; i < 4; i++)
        ctl_table_put(&t, cells[i], i == 2 ? "32" : "");
    ctl_table_write(&t, coloured, width, max_rows, &out);
    assert_int_equal(buf_append(&out, "", 1), 0);
    assert_string_equal(buf_at(&out), expected);
    buf_done(&out);
    ctl_table_done(&t);
}

static void test_columns(void **state)
{
    static const char *const cells[] = {"NAME", "REASON", "a", "because"};
    static const char *const wide[] = {"N", "R", "\xc3\xa4\xc3\xb6", "x"};
    static const char *const evil[] = {"a\033[2Jb", "c\nd", "e\tf", "g\x7fh"};

    (void)state;
    check(cells, false, 0, SIZE_MAX, "NAME  REASON\na     because\n");
    check(cells, true, 0, SIZE_MAX, "NAME  REASON\n\033[32ma\033[0m     because\n");
    check(cells, false, 0, 1, "NAME  REASON\n");
    check(cells, false, 0, 0, "");
    check(cells, false, 9, SIZE_MAX, "NAME  REA\na     bec\n");
    check(cells, false, 5, SIZE_MAX, "NAME \na    \n");
    check(cells, false, 3, SIZE_MAX, "NAM\na  \n");
    check(wide, false, 0, SIZE_MAX, "N   R\n\xc3\xa4\xc3\xb6  x\n");
    check(wide, false, 1, SIZE_MAX, "N\n\xc3\xa4\n");
    check(evil, false, 0, SIZE_MAX, "a?[2Jb  c?d\ne?f     g?h\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
