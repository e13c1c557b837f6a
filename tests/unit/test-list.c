/* SPDX-License-Identifier: MIT */
/* Lists: order, and removing while walking. */
#include "base/list.h"

#include "unit.h"

struct thing {
    int number;
    struct list link;
};

static void fill(struct list *head, struct thing *things, int n)
{
    list_init(head);
    for (int i = 0; i < n; i++) {
        things[i].number = i;
        list_append(head, &things[i].link);
    }
}

static void test_order(void **state)
{
    struct thing things[5];
    struct list head;
    int expected = 0;

    (void)state;
    fill(&head, things, 5);
    LIST_FOREACH (item, &head)
        assert_int_equal(container_of(item, struct thing, link)->number, expected++);
    assert_int_equal(expected, 5);
    assert_ptr_equal(list_first(&head), &things[0].link);
}

static void test_remove(void **state)
{
    struct thing things[5];
    struct list head;
    int sum = 0;

    (void)state;
    fill(&head, things, 5);
    list_remove(&things[0].link);
    list_remove(&things[2].link);
    list_remove(&things[4].link);
    list_remove(&things[4].link); /* is in no list any more: nothing happens */
    LIST_FOREACH (item, &head)
        sum = sum * 10 + container_of(item, struct thing, link)->number;
    assert_int_equal(sum, 13);
    list_append(&head, &things[0].link);
    assert_ptr_equal(head.prev, &things[0].link);
}

static void test_remove_while_walking(void **state)
{
    struct thing things[5];
    struct list head;
    int n = 0;

    (void)state;
    fill(&head, things, 5);
    LIST_FOREACH (item, &head) {
        list_remove(item);
        n++;
    }
    assert_int_equal(n, 5);
    assert_true(list_empty(&head));
    assert_null(list_first(&head));
    LIST_FOREACH (item, &head)
        fail_msg("%p is in an empty list", (void *)item);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_remove_while_walking),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
