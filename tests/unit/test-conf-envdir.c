/* SPDX-License-Identifier: MIT */
/* Folders of variables: what their files say, and what becomes of it. */
#include "conf/envdir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf-fixture.h"

static void make_folder(const struct fixture *f, const char *name)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", f->folder, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

/* Each variable as "NAME=VALUE;", or "-NAME;" */
static int note(void *userdata, const char *name, const char *value)
{
    char *text = userdata;
    size_t used = strlen(text);

    (void)snprintf(text + used, 512 - used, value ? "%s=%s;" : "-%s;", name, value);
    return strcmp(name, "STOP") == 0 ? -ECANCELED : 0;
}

static void test_files(void **state)
{
    struct trust trust = {0};
    static const char nuls[] = "a\0b\0 \nmore";
    struct fixture *f = *state;
    struct errmsg err = {""};
    char text[512] = "", path[256];

    make_folder(f, "env");
    make_folder(f, "env/FOLDER");
    fixture_write(f, "env/B", "two words \t\r\nsecond line\n");
    fixture_write(f, "env/A", "1");
    fixture_write(f, "env/BLANK", "\n");
    fixture_write(f, "env/GONE", "");
    fixture_write(f, "env/.hidden", "x");
    fixture_write_bytes(f, "env/NULS", nuls, sizeof(nuls) - 1);
    (void)snprintf(path, sizeof(path), "%s/env/FIFO", f->folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(envdir_read(f->folder, "env", note, text, &trust, &err), 0);
    assert_string_equal(text, "A=1;B=two words;BLANK=;-GONE;NULS=a\nb\n;");

    fixture_write(f, "env/C=D", "x");
    assert_int_equal(envdir_read("/", f->folder, note, text, &trust, &err), 0);
    (void)snprintf(path, sizeof(path), "%s/env", f->folder);
    assert_int_equal(envdir_read("/nonexistent", path, note, text, &trust, &err), -EINVAL);
    assert_non_null(strstr(err.text, "/env/C=D: the name of a variable has no '='"));
    assert_int_equal(envdir_read(f->folder, "none", note, text, &trust, &err), -ENOENT);
    assert_non_null(strstr(err.text, "cannot read the folder "));
    make_folder(f, "stop");
    fixture_write(f, "stop/STOP", "x");
    fixture_write(f, "stop/Z", "x");
    text[0] = '\0';
    assert_int_equal(envdir_read(f->folder, "stop", note, text, &trust, &err), -ECANCELED);
    assert_string_equal(text, "STOP=x;");

    /* What others may write is not trusted, nor what is made of it. */
    assert_int_equal(trust.flaw, TRUST_NO_FLAW);
    (void)snprintf(path, sizeof(path), "%s/stop/STOP", f->folder);
    assert_int_equal(chmod(path, 0666), 0);
    assert_int_equal(envdir_read(f->folder, "stop", note, text, &trust, &err), -ECANCELED);
    assert_int_equal(trust.flaw, TRUST_WRITABLE);
}

static void test_options(void **state)
{
    struct fixture *f = *state;

    make_folder(f, "env");
    fixture_write(f, "env/A", "one $(HOME)\n");
    fixture_write(f, "env/GONE", "");
    f->environ[0] = "DIR=env";
    assert_int_equal(fixture_load_text(f, "[uwsgi]\nenv = A=0\nenv = GONE=1\nenvdir = $(DIR)\n"
                                          "env = B=$(A)\n"),
                     0);
    assert_int_equal(f->conf.env.n_items, 2);
    assert_string_equal(f->conf.env.items[0], "A=one $(HOME)"); /* as it is */
    assert_string_equal(f->conf.env.items[1], "B=$(A)");
    assert_int_equal(f->conf.unenv.n_items, 1);
    assert_string_equal(f->conf.unenv.items[0], "GONE");

    assert_int_equal(fixture_load_text(f, "[uwsgi]\nearly-envdir = $(DIR)\nx = <$(A)>\n"
                                          "env = A=2\n"),
                     0);
    assert_setting(f, "x", "<one $(HOME)>");
    assert_int_equal(f->conf.env.n_items, 1);
    assert_string_equal(f->conf.env.items[0], "A=2");
    assert_int_equal(fixture_load_text(f, "[uwsgi]\n\nenvdir = none\n"), -ENOENT);
    assert_memory_equal(f->err.text, "app.ini:3: cannot read the folder ", 34);
    assert_int_equal(fixture_load_text(f, "[uwsgi]\nearly-envdir = none\n"), -ENOENT);
    assert_memory_equal(f->err.text, "app.ini:2: cannot read the folder ", 34);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_files),
        TEST(test_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
