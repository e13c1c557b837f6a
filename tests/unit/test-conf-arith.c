/* SPDX-License-Identifier: MIT */
/* The arithmetic of placeholders. */
#include "conf/arith.h"

#include <errno.h>
#include <string.h>

#include "conf-fixture.h"

static int lookup(void *userdata, const char *name, const char **ret, struct errmsg *err)
{
    static const char *const known[][2] = {
        {"a", "5"}, {"b", "3"}, {"text", "abc"}, {"max", "9223372036854775807"}, {"none", ""},
    };

    (void)userdata;
    if (strcmp(name, "broken") == 0)
        return errmsg_set(err, -ELOOP, "broken");
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (strcmp(known[i][0], name) == 0) {
            *ret = known[i][1];
            return 1;
        }
    return 0;
}

static const struct {
    const char *text;
    int result;
    const char *value; /* or the message */
} cases[] = {
    {"a + 2 * 3", 0, "21"}, /* from left to right */
    {"a b", 0, "53"},
    {"a b + 1", 0, "54"},
    {"a ++", 0, "6"},
    {"a -- --", 0, "3"},
    {"5 + 1", 0, "6"},
    {"nope + 1", 0, "1"},
    {"nope a", 0, "5"},
    {"none + 1", 0, "1"},
    {"+ 2", 0, "2"},
    {"- 2", 0, "-2"},
    {"a - 9", 0, "-4"},
    {"a * -2", 0, "-10"},
    {"a / 2", 0, "2"},
    {"a / 0", 0, "0"},
    {"-7 / 2", 0, "-3"},
    {" \t a \t ", 0, "5"},
    {"text a", 0, "abc5"},
    {"-9223372036854775808 + 0", 0, "-9223372036854775808"},
    {"", 0, ""},
    {"max + 1", -ERANGE, "9223372036854775807 + 1 does not fit in 64 bits"},
    {"max * 2", -ERANGE, "9223372036854775807 * 2 does not fit in 64 bits"},
    {"max * -1 - 2", -ERANGE, "-9223372036854775807 - 2 does not fit in 64 bits"},
    {"max ++", -ERANGE, "9223372036854775807 + 1 does not fit in 64 bits"},
    {"-9223372036854775808 / -1", -ERANGE, "-9223372036854775808 / -1 does not fit in 64 bits"},
    {"9223372036854775808 + 1", -ERANGE, "'9223372036854775808' does not fit in 64 bits"},
    {"text + 1", -EINVAL, "'abc' is not a number"},
    {"1 + text", -EINVAL, "'abc' is not a number"},
    {"a +", -EINVAL, "an operand is missing after '+'"},
    {"a + * 2", -EINVAL, "an operand is missing between '+' and '*'"},
    {"a + ++", -EINVAL, "an operand is missing between '+' and '++'"},
    {"a + broken", -ELOOP, "broken"},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf out = {0};
        struct errmsg err = {""};

        int r = arith_eval(cases[i].text, strlen(cases[i].text), lookup, NULL, &out, &err);
        assert_int_equal(r, cases[i].result);
        assert_int_equal(buf_append(&out, "", 1), 0);
        assert_string_equal(r < 0 ? err.text : buf_at(&out), cases[i].value);
        buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
