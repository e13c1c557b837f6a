/* SPDX-License-Identifier: MIT */
/* When a vassal calls for reinforcement: sequences of samples, a tenth of a second apart. */
#include "instance/sos.h"

#include "base/clock.h"
#include "unit.h"

/* clang-format off */
static const struct {
    const char *name;
    struct sos_conf conf;
    struct sos_sample sample; /* all the time */
    unsigned calls[3];        /* in which samples there is a call; 0: no more */
} cases[] = {
    { "busy",          { .interval_us = 2 * US_PER_SEC, .n_workers = 2 }, { .n_ready = 2 }, { 5, 25, 45 } },
    { "one is idle",   { .interval_us = 2 * US_PER_SEC, .n_workers = 2 }, { .n_ready = 2, .n_idle = 1 }, { 0 } },
    { "could be more", { .interval_us = 2 * US_PER_SEC, .n_workers = 3 }, { .n_ready = 2 }, { 0 } },
    { "has more",      { .interval_us = 2 * US_PER_SEC, .n_workers = 2 }, { .n_ready = 3 }, { 5, 25, 45 } },
    { "not asked for", { .n_workers = 2 }, { .n_ready = 2, .n_waiting = 99 }, { 0 } },
    { "backlog",       { .backlog = 9, .n_workers = 2 }, { .n_ready = 2, .n_waiting = 9 }, { 1, 11, 21 } },
    { "less of it",    { .backlog = 9, .n_workers = 2 }, { .n_ready = 2, .n_waiting = 8 }, { 0 } },
    { "both",          { .interval_us = US_PER_SEC, .backlog = 9, .n_workers = 2 }, { .n_ready = 2, .n_waiting = 9 }, { 1, 5, 11 } },
};
/* clang-format on */

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct sos_memory m = {0};
        struct sos_sample x = cases[i].sample;
        size_t n = 0;

        for (unsigned k = 1; k <= 50; k++) {
            x.now_us = (100 + k) * 100 * US_PER_MS;
            if (!sos_decide(&m, &cases[i].conf, &x))
                continue;
            if (n < COUNT_OF(cases[i].calls) && cases[i].calls[n] != k)
                fail_msg("%s: call %zu in sample %u", cases[i].name, n + 1, k);
            n++;
        }
        if (n < COUNT_OF(cases[i].calls) && cases[i].calls[n] != 0)
            fail_msg("%s: %zu calls", cases[i].name, n);
    }
}

/* Busy now and then is not busy. */
static void test_interruption(void **state)
{
    const struct sos_conf conf = {.interval_us = US_PER_SEC, .n_workers = 1};
    struct sos_memory m = {0};

    (void)state;
    for (unsigned k = 1; k <= 50; k++) {
        const struct sos_sample x = {
            .now_us = (100 + k) * 100 * US_PER_MS, .n_ready = 1, .n_idle = k % 5 == 0};
        assert_null(sos_decide(&m, &conf, &x));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_interruption),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
