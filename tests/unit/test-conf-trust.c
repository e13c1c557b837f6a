/* SPDX-License-Identifier: MIT */
/* Whose files may run commands and fetch. */
#include "conf/trust.h"

#include <errno.h>
#include <string.h>

#include "conf-fixture.h"

static void test_files(void **state)
{
    static const struct {
        uid_t owner, process;
        mode_t mode;
        enum trust_flaw flaw;
    } cases[] = {
        {0, 0, 0600, TRUST_NO_FLAW},    {0, 33, 0644, TRUST_NO_FLAW},
        {33, 33, 0755, TRUST_NO_FLAW},  {33, 0, 0600, TRUST_OWNER},
        {33, 34, 0600, TRUST_OWNER},    {0, 0, 0620, TRUST_WRITABLE},
        {0, 0, 0602, TRUST_WRITABLE},   {33, 33, 0664, TRUST_WRITABLE},
        {0, 33, 01777, TRUST_WRITABLE}, {33, 0, 0666, TRUST_OWNER},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct stat st = {.st_uid = cases[i].owner, .st_mode = S_IFREG | cases[i].mode};
        assert_int_equal(trust_of_file(&st, cases[i].process).flaw, cases[i].flaw);
    }
}

static void test_weaker(void **state)
{
    const struct trust good = {0}, bad = {.flaw = TRUST_OWNER, .owner = 7};

    (void)state;
    assert_int_equal(trust_weaker(good, good).flaw, TRUST_NO_FLAW);
    assert_int_equal(trust_weaker(good, bad).owner, 7);
    assert_int_equal(trust_weaker(bad, good).owner, 7);
}

static void test_sentences(void **state)
{
    static const char *const wanted[TRUST_FLAW_COUNT] = {
        [TRUST_OWNER] = "a file of user 7, ",
        [TRUST_WRITABLE] = "(mode 0622)",
        [TRUST_DISTANT] = "no file of this machine",
        [TRUST_NAME] = "rename it",
    };

    (void)state;
    for (int flaw = TRUST_OWNER; flaw < TRUST_FLAW_COUNT; flaw++) {
        const struct trust t = {.flaw = (enum trust_flaw)flaw, .owner = 7, .mode = 0622};
        struct errmsg err = {""};
        assert_int_equal(trust_check(&t, "exec://x", &err), -EPERM);
        assert_memory_equal(err.text, "'exec://x' ", 11);
        assert_non_null(strstr(err.text, wanted[flaw]));
    }
    assert_int_equal(trust_check(&(struct trust){0}, "exec://x", NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_weaker),
        cmocka_unit_test(test_sentences),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
