/* SPDX-License-Identifier: MIT */
#include "http/conditional.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"
#include "http/text.h"

#define MODIFIED 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */
#define DATE     "Sun, 06 Nov 1994 08:49:37 GMT"
#define EARLIER  "Sun, 06 Nov 1994 08:49:36 GMT"
#define LATER    "Sun, 06 Nov 1994 08:49:38 GMT"
#define TAG      "\"a,b\""

static struct liege_str str(const char *text)
{
    return text ? http_str(text, strlen(text)) : http_str(NULL, 0);
}

static const struct {
    const char *list;
    bool strong, weak; /* the tag is in it, by which comparison */
} lists[] = {
    {"*", true, true},
    {" * ", true, true},
    {TAG, true, true},
    {"W/" TAG, false, true},
    {"\"x\", " TAG, true, true},
    {"\"x\"," TAG ",\"y\"", true, true},
    {",, \"x\" ,\t" TAG, true, true},
    {"W/\"x\", W/" TAG, false, true},
    {"W/" TAG "," TAG, true, true},
    {"", false, false},
    {"\"a\"", false, false},
    {"\"b\"", false, false},
    {"a,b", false, false},
    {"\"a,b", false, false},
    {"\"a,bc\"", false, false},
    {"w/" TAG, false, false},
    {"\"x\" y " TAG, false, false},
    {"W/", false, false},
    {"W", false, false},
    {"\"", false, false},
    {"\"\"", false, false},
    {"**", false, false},
    {"*, " TAG, false, false},
};

static void test_lists(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        print_message("%s\n", lists[i].list);
        assert_int_equal(http_etag_in_list(str(lists[i].list), str(TAG), false), lists[i].strong);
        assert_int_equal(http_etag_in_list(str(lists[i].list), str(TAG), true), lists[i].weak);
    }
}

enum {
    GO_ON = HTTP_CONDITION_GO_ON,
    SAME = HTTP_CONDITION_NOT_MODIFIED,
    FAILED = HTTP_CONDITION_FAILED
};

static const struct {
    const char *match, *unmodified, *none, *modified;
    int result;
} conditions[] = {
    {NULL, NULL, NULL, NULL, GO_ON},
    {TAG, NULL, NULL, NULL, GO_ON},
    {"*", NULL, NULL, NULL, GO_ON},
    {"\"x\"", NULL, NULL, NULL, FAILED},
    {"W/" TAG, NULL, NULL, NULL, FAILED},
    {NULL, DATE, NULL, NULL, GO_ON},
    {NULL, LATER, NULL, NULL, GO_ON},
    {NULL, EARLIER, NULL, NULL, FAILED},
    {NULL, "yesterday", NULL, NULL, GO_ON},
    {NULL, NULL, TAG, NULL, SAME},
    {NULL, NULL, "W/" TAG, NULL, SAME},
    {NULL, NULL, "*", NULL, SAME},
    {NULL, NULL, "\"x\"", NULL, GO_ON},
    {NULL, NULL, NULL, DATE, SAME},
    {NULL, NULL, NULL, LATER, SAME},
    {NULL, NULL, NULL, EARLIER, GO_ON},
    {NULL, NULL, NULL, DATE ", " DATE, GO_ON},
    {NULL, NULL, NULL, "0", GO_ON},
    /* the tags count, the dates do not */
    {TAG, EARLIER, NULL, NULL, GO_ON},
    {"\"x\"", LATER, NULL, NULL, FAILED},
    {NULL, NULL, "\"x\"", LATER, GO_ON},
    {NULL, NULL, TAG, EARLIER, SAME},
    /* preconditions come first */
    {"\"x\"", NULL, TAG, NULL, FAILED},
    {NULL, EARLIER, TAG, LATER, FAILED},
    {TAG, NULL, TAG, NULL, SAME},
};

static size_t fill(struct liege_field *fields, const char *value, enum liege_field_id id)
{
    if (value)
        *fields = (struct liege_field){.id = id, .value = str(value)};
    return value != NULL;
}

static const struct http_validators validators = {
    .etag = {TAG, 5}, .last_modified = MODIFIED, .now = MODIFIED + 100};

static void test_conditions(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(conditions); i++) {
        struct liege_field f[4];
        size_t n = fill(f, conditions[i].match, LIEGE_FIELD_IF_MATCH);

        n += fill(f + n, conditions[i].unmodified, LIEGE_FIELD_IF_UNMODIFIED_SINCE);
        n += fill(f + n, conditions[i].none, LIEGE_FIELD_IF_NONE_MATCH);
        n += fill(f + n, conditions[i].modified, LIEGE_FIELD_IF_MODIFIED_SINCE);
        print_message("condition %zu\n", i);
        assert_int_equal(http_condition_evaluate(f, n, &validators), conditions[i].result);
    }
}

static const struct {
    const char *value;
    bool counts;
} if_ranges[] = {
    {NULL, true},   {TAG, true},           {" " TAG " ", true}, {"W/" TAG, false}, {"\"x\"", false},
    {"*", false},   {TAG ", " TAG, false}, {TAG "x", false},    {DATE, true},      {EARLIER, false},
    {LATER, false}, {"", false},           {"never", false},
};

static void test_if_range(void **state)
{
    struct http_validators fresh = validators;
    struct liege_field f;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(if_ranges); i++) {
        size_t n = fill(&f, if_ranges[i].value, LIEGE_FIELD_IF_RANGE);
        assert_int_equal(http_condition_if_range(&f, n, &validators), if_ranges[i].counts);
    }
    /* In the second of the change there may be another change: the date is a weak validator. */
    fresh.now = MODIFIED;
    assert_int_equal(fill(&f, DATE, LIEGE_FIELD_IF_RANGE), 1);
    assert_false(http_condition_if_range(&f, 1, &fresh));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_if_range),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
