/* SPDX-License-Identifier: MIT */
/* What can be opened below a directory and what cannot, on a tree of files and links. */
#include "static/root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "unit.h"

static char base[sizeof(UNIT_FOLDER)];

static const char *in_base(const char *name)
{
    static char path[4][PATH_MAX];
    static unsigned next;
    char *p = path[next++ % COUNT_OF(path)];

    (void)snprintf(p, PATH_MAX, "%s%s%s", base, *name ? "/" : "", name);
    return p;
}

static void write_file(const char *name, const char *text)
{
    _cleanup_close_ int fd = open(in_base(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void make_link(const char *to, const char *name)
{
    assert_int_equal(symlink(to, in_base(name)), 0);
}

/* base/root is served, base/safe is safe, base/out is neither. */
static int set_up(void **state)
{
    (void)state;
    unit_make_folder(base);
    for (const char *const *d = (const char *const[]){"root", "root/dir", "safe", "out", NULL}; *d;
         d++)
        assert_int_equal(mkdir(in_base(*d), 0755), 0);
    write_file("root/file", "in root");
    write_file("root/file.gz", "zipped");
    write_file("root/dir/file", "in dir");
    write_file("safe/file", "in safe");
    write_file("out/file", "outside");
    make_link("dir/file", "root/inward");
    make_link("../file", "root/dir/up");
    make_link("../../out/file", "root/dir/far-up");
    make_link("../out/file", "root/outward");
    make_link("../out", "root/out-dir");
    make_link(in_base("root/dir"), "root/absolute-inward");
    make_link(in_base("out/file"), "root/absolute-outward");
    make_link(in_base("safe/file"), "root/to-safe");
    make_link("../safe", "root/safe-dir");
    make_link("loop", "root/loop");
    make_link("/proc/self/root/etc/passwd", "root/magic");
    make_link("/proc/self/cwd", "root/magic-cwd");
    make_link("nothing", "root/dangling");
    assert_int_equal(mkfifo(in_base("root/fifo"), 0644), 0);
    return 0;
}

static int tear_down(void **state)
{
    char command[PATH_MAX + 16];

    (void)state;
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", base);
    return system(command); /* NOLINT(cert-env33-c): a test's own folder */
}

static const struct {
    const char *name;
    int plain, safe; /* 0 or a negative errno; without and with a safe directory */
    const char *text;
} cases[] = {
    {"file", 0, 0, "in root"},
    {"dir/file", 0, 0, "in dir"},
    {"dir//file", 0, 0, "in dir"},
    {"dir", 0, 0, NULL},
    {"dir/", 0, 0, NULL},
    {"", 0, 0, NULL},
    {"fifo", 0, 0, NULL},
    {"inward", 0, 0, "in dir"},
    {"dir/up", 0, 0, "in root"},
    {"absolute-inward/file", 0, 0, "in dir"},
    {"absolute-inward/up", 0, 0, "in root"},
    {"file/", -ENOTDIR, -ENOTDIR, NULL},
    {"file/x", -ENOTDIR, -ENOTDIR, NULL},
    {"missing", -ENOENT, -ENOENT, NULL},
    {"dangling", -ENOENT, -ENOENT, NULL},
    {"loop", -ELOOP, -ELOOP, NULL},
    {"outward", -EXDEV, -EXDEV, NULL},
    {"out-dir/file", -EXDEV, -EXDEV, NULL},
    {"dir/far-up", -EXDEV, -EXDEV, NULL},
    {"absolute-outward", -EXDEV, -EXDEV, NULL},
    {"/etc/passwd", -EXDEV, -EXDEV, NULL},
    {"../out/file", -EXDEV, -EXDEV, NULL},
    {"to-safe", -EXDEV, 0, "in safe"},
    {"safe-dir/file", -EXDEV, 0, "in safe"},
    {"magic", -ELOOP, -ELOOP, NULL},
    {"magic-cwd/out/file", -ELOOP, -ELOOP, NULL},
};

static int open_and_compare(const struct static_root *root, const struct static_root *safe,
                            const char *name, const char *text)
{
    struct static_file file = {.fd = -EBADF};
    char got[64] = "";
    int r = static_root_open(root, name, "", safe, safe != NULL, &file);

    if (r == 0 && text) {
        assert_true(S_ISREG(file.st.st_mode));
        assert_int_equal(read(file.fd, got, sizeof(got) - 1), strlen(text));
        assert_string_equal(got, text);
    } else if (r == 0) {
        assert_false(S_ISREG(file.st.st_mode));
    }
    closep(&file.fd);
    return r;
}

static void init(struct static_root *root, const char *name, int want)
{
    int error = 0;

    assert_int_equal(static_root_init(root, in_base(name), &error), want);
    assert_int_equal(error, want == 0 ? 0 : -ENOENT);
}

static void test_what_opens(void **state)
{
    struct static_root root, safe;
    size_t n_fds = unit_count_fds();

    (void)state;
    init(&root, "root", 0);
    init(&safe, "safe", 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        print_message("%s\n", cases[i].name);
        assert_int_equal(open_and_compare(&root, NULL, cases[i].name, cases[i].text),
                         cases[i].plain);
        assert_int_equal(open_and_compare(&root, &safe, cases[i].name, cases[i].text),
                         cases[i].safe);
    }
    static_root_done(&root);
    static_root_done(&safe);
    assert_int_equal(unit_count_fds(), n_fds);
}

static void test_suffix(void **state)
{
    struct static_root root, one;
    struct static_file file;
    char name[PATH_MAX];

    (void)state;
    init(&root, "root", 0);
    assert_int_equal(static_root_open(&root, "file", ".gz", NULL, 0, &file), 0);
    closep(&file.fd);
    assert_int_equal(static_root_open(&root, "file", ".br", NULL, 0, &file), -ENOENT);
    memset(name, 'a', sizeof(name));
    name[sizeof(name) - 2] = '\0';
    assert_int_equal(static_root_open(&root, name, ".gz", NULL, 0, &file), -ENAMETOOLONG);
    static_root_done(&root);

    init(&one, "root/file", 0);
    assert_int_equal(open_and_compare(&one, NULL, "", "in root"), 0);
    assert_int_equal(static_root_open(&one, "", ".gz", NULL, 0, &file), 0);
    closep(&file.fd);
    assert_int_equal(open_and_compare(&one, NULL, "x", NULL), -ENOENT);
    static_root_done(&one);
}

/* A directory that comes later, and one that is replaced. */
static void test_new_directory(void **state)
{
    struct static_root root;

    (void)state;
    init(&root, "later", 1);
    assert_int_equal(open_and_compare(&root, NULL, "file", NULL), -ENOENT);
    assert_int_equal(mkdir(in_base("later"), 0755), 0);
    write_file("later/file", "first");
    assert_int_equal(open_and_compare(&root, NULL, "file", "first"), 0);
    static_root_done(&root);

    init(&root, "later", 0);
    assert_int_equal(unlink(in_base("later/file")), 0);
    assert_int_equal(rmdir(in_base("later")), 0);
    assert_int_equal(open_and_compare(&root, NULL, "file", NULL), -ENOENT);
    assert_int_equal(mkdir(in_base("later"), 0755), 0);
    write_file("later/file", "second");
    assert_int_equal(open_and_compare(&root, NULL, "file", "second"), 0);
    static_root_done(&root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_opens),
        cmocka_unit_test(test_suffix),
        cmocka_unit_test(test_new_directory),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
