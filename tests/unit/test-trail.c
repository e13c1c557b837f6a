/* SPDX-License-Identifier: MIT */
/* What a path goes through, over a small tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loop/trail.h"

static char root[64];
static char told[1024]; /* "link:/dir name", "end:...", "missing:..." below the root, in order */

static int tell(void *data, enum trail_kind kind, const char *dir, const char *name)
{
    static const char *const words[] = {
        [TRAIL_LINK] = "link", [TRAIL_MISSING] = "missing", [TRAIL_END] = "end"};
    size_t used = strlen(told);

    (void)data;
    assert_memory_equal(dir, root, strlen(root));
    (void)snprintf(told + used, sizeof(told) - used, "%s%s:%s/%s", used ? " " : "", words[kind],
                   dir + strlen(root), name);
    return 0;
}

static int refuse(void *data, enum trail_kind kind, const char *dir, const char *name)
{
    (void)data;
    (void)kind;
    (void)dir;
    (void)name;
    return -EPERM;
}

static int walk(const char *path)
{
    char full[256];

    told[0] = '\0';
    (void)snprintf(full, sizeof(full), "%s/%s", root, path);
    return trail_walk(full, tell, NULL);
}

static void test_paths(void **state)
{
    static const struct {
        const char *path, *told;
    } cases[] = {
        {"a/file", "end:/a/file"},
        {"a//./file", "end:/a/file"},
        {"a/../a/file", "end:/a/file"},
        {"a/", "end:/a"},
        {"a/none", "missing:/a/none"},
        {"none/of/it", "missing:/none"},
        {"relative", "link:/relative end:/a/file"},
        {"up", "link:/up link:/a/back end:/a/file"},
        {"dir/file", "link:/dir end:/a/file"},
        {"dangling", "link:/dangling missing:/a/none"},
        {"absolute", "link:/absolute end:/a/file"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(walk(cases[i].path), 0);
        assert_string_equal(told, cases[i].told);
    }
}

static void test_refusals(void **state)
{
    char path[PATH_MAX + 8];

    (void)state;
    assert_int_equal(walk("loop"), -ELOOP);
    assert_int_equal(trail_walk(root, refuse, NULL), -EPERM);
    memset(path, 'x', sizeof(path) - 1);
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(trail_walk(path, tell, NULL), -ENAMETOOLONG);
}

static void test_relative_to_where_we_are(void **state)
{
    (void)state;
    told[0] = '\0';
    assert_int_equal(chdir(root), 0);
    assert_int_equal(trail_walk("dir/file", tell, NULL), 0);
    assert_string_equal(told, "link:/dir end:/a/file");
    assert_int_equal(chdir("/"), 0);
}

static int set_up(void **state)
{
    char target[128];
    int r = 0;

    (void)state;
    (void)snprintf(root, sizeof(root), "/tmp/liege-trail-XXXXXX");
    if (!mkdtemp(root) || chdir(root) < 0)
        return -1;
    (void)snprintf(target, sizeof(target), "%s/a/file", root);
    r |= mkdir("a", 0755);
    r |= close(open("a/file", O_WRONLY | O_CREAT, 0644));
    r |= symlink("a/file", "relative");
    r |= symlink("a/back", "up");
    r |= symlink("../a/file", "a/back");
    r |= symlink("a", "dir");
    r |= symlink("a/none", "dangling");
    r |= symlink("loop", "loop");
    r |= symlink(target, "absolute");
    return r | chdir("/");
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_relative_to_where_we_are),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
