/* SPDX-License-Identifier: MIT */
/* How many processors can be used: affinity, and quotas of control groups in made-up folders. */
#include "base/cpu.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "unit.h"

static char root[] = UNIT_FOLDER;

/* Makes @root/@path with the folders above it. */
static void make(const char *path, const char *text)
{
    char name[512];

    (void)snprintf(name, sizeof(name), "%s%s", root, path);
    for (char *p = name + strlen(root) + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        (void)mkdir(name, 0755);
        *p = '/';
    }
    FILE *f = fopen(name, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

struct file {
    const char *path, *text;
};

/* clang-format off */
static const struct {
    const char *groups; /* /proc/self/cgroup */
    struct file files[4];
    uint64_t milli;
} cases[] = {
    { "", {{0}}, 0 },
    { "garbage\n7\n::\n", {{0}}, 0 },
    { "0::/\n", {{0}}, 0 },
    { "0::/\n", {{"/sys/fs/cgroup/cpu.max", "max 100000\n"}}, 0 },
    { "0::/\n", {{"/sys/fs/cgroup/cpu.max", "100000 100000\n"}}, 1000 },
    { "0::/\n", {{"/sys/fs/cgroup/cpu.max", "nonsense\n"}}, 0 },
    { "0::/\n", {{"/sys/fs/cgroup/cpu.max", "5 0\n"}}, 0 },
    { "0::/a/b\n", {{"/sys/fs/cgroup/a/b/cpu.max", "50000 100000\n"}}, 500 },
    { "0::/a/b\n", {{"/sys/fs/cgroup/a/cpu.max", "150000 100000\n"}}, 1500 },
    { "0::/a/b\n", {{"/sys/fs/cgroup/a/cpu.max", "150000 100000\n"},
                    {"/sys/fs/cgroup/a/b/cpu.max", "400000 100000\n"}}, 1500 },
    { "0::/a/b\n", {{"/sys/fs/cgroup/a/cpu.max", "max 100000\n"},
                    {"/sys/fs/cgroup/a/b/cpu.max", "400000 100000\n"}}, 4000 },
    /* a container that sees its own group as the root */
    { "0::/docker/f00\n", {{"/sys/fs/cgroup/cpu.max", "200000 100000\n"}}, 2000 },
    { "0::/c\n", {{"/sys/fs/cgroup/unified/c/cpu.max", "10000 100000\n"}}, 100 },
    { "4:cpu,cpuacct:/x\n1:name=systemd:/\n", {{"/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "25000\n"},
        {"/sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "50000\n"}}, 500 },
    { "4:cpuacct,cpu:/x\n", {{"/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "-1\n"},
        {"/sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000\n"}}, 0 },
    { "4:cpuset:/x\n", {{"/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "1000\n"},
        {"/sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000\n"}}, 0 },
    { "4:cpu:/x\n", {{"/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "1000\n"}}, 0 },
    { "0::/\n", {{"/sys/fs/cgroup/cpu.max", "1 1000000\n"}}, 1 },
};
/* clang-format on */

static void remove_root(void)
{
    char command[sizeof(root) + 16];

    (void)snprintf(command, sizeof(command), "rm -r %s", root);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): a fixed command */
}

static void test_quotas(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct cpu_limits l;

        memcpy(root, UNIT_FOLDER, sizeof(root));
        unit_make_folder(root);
        make("/proc/self/cgroup", cases[i].groups);
        for (size_t f = 0; f < COUNT_OF(cases[i].files) && cases[i].files[f].path; f++)
            make(cases[i].files[f].path, cases[i].files[f].text);
        cpu_limits_get(root, &l);
        remove_root();
        if (l.quota_milli != cases[i].milli)
            fail_msg("case %zu: %u thousandths, not %u", i, (unsigned)l.quota_milli,
                     (unsigned)cases[i].milli);
        unsigned by_quota = (unsigned)((l.quota_milli + 999) / 1000);
        assert_true(l.n >= 1 && l.n <= l.n_affinity);
        assert_true(l.quota_milli == 0 ? l.n == l.n_affinity : l.n == MIN(by_quota, l.n_affinity));
    }
}

static void test_affinity(void **state)
{
    cpu_set_t all, one;
    struct cpu_limits l;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
    CPU_ZERO(&one);
    for (int i = 0; CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &all))
            CPU_SET(i, &one);
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    cpu_limits_get("/nowhere", &l);
    assert_int_equal(l.n, 1);
    assert_int_equal(l.n_affinity, 1);
    assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

static void test_describe(void **state)
{
    static const struct {
        struct cpu_limits l;
        const char *text;
    } described[] = {
        {{.n = 1, .n_affinity = 1}, "1 processor"},
        {{.n = 4, .n_affinity = 4, .quota_milli = 9000}, "4 processors"},
        {{.n = 1, .n_affinity = 2, .quota_milli = 500},
         "1 processor by the quota of its control group (0.500)"},
        {{.n = 2, .n_affinity = 8, .quota_milli = 1250},
         "2 processors by the quota of its control group (1.250)"},
    };
    char text[128];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(described); i++)
        assert_string_equal(cpu_limits_describe(&described[i].l, text, sizeof(text)),
                            described[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quotas),
        cmocka_unit_test(test_affinity),
        cmocka_unit_test(test_describe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
