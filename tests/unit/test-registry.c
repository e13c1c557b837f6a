/* SPDX-License-Identifier: MIT */
/* Which changes of the configuration a reload refuses. */
#include "instance/registry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strv.h"
#include "unit.h"

static const struct {
    const char *before, *after;
    bool refused;
} cases[] = {
    {NULL, NULL, false},      {"www-data", "www-data", false}, {"www-data", "nobody", true},
    {"www-data", NULL, true}, {NULL, "www-data", true},        {"", NULL, true},
};

static void set(struct registry *r, const struct liege_option *o, const char *value)
{
    if (o->type == LIEGE_OPTION_LIST) {
        struct liege_list *list = (void *)((char *)&r->instance + o->offset);
        strv_done(list);
        if (value)
            assert_int_equal(strv_append(list, value), 0);
        return;
    }
    char **field = (char **)(void *)((char *)&r->instance + o->offset);

    free(*field);
    *field = value ? strdup(value) : NULL;
}

/* Each option that needs a restart, by itself. */
static void test_restart_options(void **state)
{
    struct registry *old = calloc(1, sizeof(*old)), *new = calloc(1, sizeof(*new));
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < instance_n_options; i++) {
        const struct liege_option *o = &instance_options[i];
        if (!(o->flags & LIEGE_OPTION_RESTART))
            continue;
        n++;
        for (size_t k = 0; k < COUNT_OF(cases); k++) {
            struct errmsg err = {""};
            char start[64];

            set(old, o, cases[k].before);
            set(new, o, cases[k].after);
            assert_int_equal(registry_check_reload(old, new, &err), cases[k].refused ? -EBUSY : 0);
            (void)snprintf(start, sizeof(start), "%s changed from '%s'", o->name,
                           cases[k].before ? cases[k].before : "");
            assert_int_equal(strncmp(err.text, start, strlen(start)) == 0, cases[k].refused);
        }
        set(old, o, NULL);
        set(new, o, NULL);
    }
    assert_true(n >= 2); /* uid and gid at least */
    free(old);
    free(new);
}

/* Everything else may change. */
static void test_other_options(void **state)
{
    struct registry *old = calloc(1, sizeof(*old)), *new = calloc(1, sizeof(*new));
    char folder[] = "/srv";

    (void)state;
    new->instance.processes = 5;
    new->instance.chdir = folder;
    new->instance.lazy_apps = true;
    new->worker.max_body_bytes = 1;
    assert_int_equal(registry_check_reload(old, new, NULL), 0);
    free(old);
    free(new);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_restart_options),
        cmocka_unit_test(test_other_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
