/* SPDX-License-Identifier: MIT */
/* Files, options and loads for the tests of src/conf. */
#include "conf-fixture.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct sample sample;
char fixture_warnings[4096];

#define FIELD(f) .offset = offsetof(struct sample, f)

/* clang-format off */
static const struct liege_option rows[] = {
    { .name = "master", .aliases = "M", .type = LIEGE_OPTION_FLAG, FIELD(master),
      .help = "keep a master process" },
    { .name = "lazy-apps", .aliases = "z lazy", .type = LIEGE_OPTION_FLAG, FIELD(lazy),
      .help = "load the application in each worker" },
    { .name = "workers", .aliases = "p processes", .type = LIEGE_OPTION_UINT, FIELD(workers),
      .min = 1, .max = 1024, .dflt = "1", .arg = "N", .help = "number of worker processes" },
    { .name = "threads", .type = LIEGE_OPTION_UINT, FIELD(threads), .flags = LIEGE_OPTION_AUTO,
      .min = 1, .max = 64, .dflt = "auto", .arg = "N", .help = "threads of a worker" },
    { .name = "size", .type = LIEGE_OPTION_BYTES, FIELD(size), .min = 4096, .max = 1ULL << 30,
      .dflt = "8k", .arg = "BYTES", .help = "size of something | something else" },
    { .name = "limit", .type = LIEGE_OPTION_MEBIBYTES, FIELD(limit), .max = 1ULL << 40,
      .arg = "MIB", .help = "how large a thing may become" },
    { .name = "timeout", .aliases = "t", .type = LIEGE_OPTION_SECONDS, FIELD(timeout_us),
      .min = 1000000, .max = 86400000000ULL, .dflt = "30", .arg = "SECONDS",
      .help = "how long to wait for a thing that takes so long that the sentence about it does not "
              "fit into the line" },
    { .name = "delay", .type = LIEGE_OPTION_MSECS, FIELD(delay_us), .arg = "MS", .help = "a pause" },
    { .name = "chmod-socket", .aliases = "C chmod", .type = LIEGE_OPTION_MODE, FIELD(mode),
      .flags = LIEGE_OPTION_VALUELESS, .max = 07777, .arg = "MODE", .help = "socket permissions" },
    { .name = "module", .aliases = "w wsgi", .type = LIEGE_OPTION_STRING, FIELD(module),
      .arg = "NAME", .help = "the application" },
    { .name = "stats", .type = LIEGE_OPTION_STRING, FIELD(stats), .flags = LIEGE_OPTION_VALUELESS,
      .arg = "ADDRESS", .help = "where to show numbers" },
    { .name = "socket", .aliases = "s uwsgi-socket", .type = LIEGE_OPTION_LIST, FIELD(sockets),
      .arg = "ADDRESS", .help = "where to listen" },
    { .name = "hook", .type = LIEGE_OPTION_LIST, FIELD(hooks), .dflt = "none", .arg = "HOOK",
      .help = "what to run" },
    { .name = "no-orphans", .type = LIEGE_OPTION_ALWAYS, .help = "no worker outlives its master" },
    { .name = "log-format", .aliases = "logformat", .type = LIEGE_OPTION_STRING, FIELD(module),
      .arg = "FORMAT", .help = "a line of the request log" },
};
const struct conf_table sample_tables[1] = {
    { .title = "Sample", .options = rows, .n_options = sizeof(rows) / sizeof(rows[0]),
      .object = &sample },
};
/* clang-format on */

int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (!f)
        return -1;
    (void)snprintf(f->folder, sizeof(f->folder), "/tmp/liege-conf-XXXXXX");
    *state = f;
    return mkdtemp(f->folder) ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;

    (void)nftw(f->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    conf_done(&f->conf);
    conf_release(sample_tables, 1);
    free(f);
    return 0;
}

void fixture_write_bytes(const struct fixture *f, const char *name, const void *data, size_t len)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", f->folder, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

void fixture_write(const struct fixture *f, const char *name, const char *text)
{
    fixture_write_bytes(f, name, text, strlen(text));
}

static bool has_plugin(const char *name)
{
    return strcmp(name, "python") == 0;
}

int fixture_load(struct fixture *f, ...)
{
    static const struct conf_suffix suffixes[] = {{".py .wsgi", "module"}, {".psgi", "stats"}};
    const char *argv[32] = {"liege"};
    size_t n = 1;
    va_list ap;

    va_start(ap, f);
    for (const char *word = NULL; (word = va_arg(ap, const char *));)
        argv[n++] = word;
    va_end(ap);

    const struct conf_input in = {
        .argv = argv,
        .environ = f->environ,
        .tables = sample_tables,
        .n_tables = 1,
        .suffixes = suffixes,
        .n_suffixes = 2,
        .has_plugin = has_plugin,
        .is_reload = f->is_reload,
        .cwd = f->folder,
        .binary = "/usr/bin/liege",
        .version = "1.2.3",
        .sources = f->sources,
        .receive = f->receive,
    };
    conf_done(&f->conf);
    return conf_load(&in, &f->conf, &f->err);
}

int fixture_load_text(struct fixture *f, const char *text)
{
    fixture_write(f, "app.ini", text);
    return fixture_load(f, "app.ini", NULL);
}

void assert_refused(struct fixture *f, const char *text, const char *message)
{
    char whole[8192];

    assert_true(snprintf(whole, sizeof(whole), "[uwsgi]\n%s", text) < (int)sizeof(whole));
    assert_true(fixture_load_text(f, whole) < 0);
    assert_string_equal(f->err.text, message);
}

void assert_setting(const struct fixture *f, const char *key, const char *value)
{
    const char *found = conf_get(&f->conf, key);

    if (f->err.text[0] != '\0' || !found)
        fail_msg("%s: %s", key, f->err.text[0] ? f->err.text : "not set");
    assert_string_equal(found, value);
}

void assert_settings(const struct fixture *f, const char *wanted)
{
    char text[1024] = "";

    assert_string_equal(f->err.text, "");
    for (size_t i = 0; i < f->conf.n_settings; i++)
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s=%s;",
                       f->conf.settings[i].key, f->conf.settings[i].value);
    assert_string_equal(text, wanted);
}

static void keep_warning(const char *text)
{
    size_t used = strlen(fixture_warnings);

    (void)snprintf(fixture_warnings + used, sizeof(fixture_warnings) - used, "%s\n", text);
}

int fixture_apply(struct fixture *f)
{
    conf_release(sample_tables, 1);
    fixture_warnings[0] = '\0';
    return conf_apply(&f->conf, sample_tables, 1, keep_warning, &f->err);
}

/* A conf_line_fn. */
static int note_line(void *userdata, const struct conf_line *line, struct errmsg *err)
{
    char *text = userdata;
    size_t used = strlen(text);

    (void)err;
    if (line->document > 0)
        used += (size_t)snprintf(text + used, 512 - used, "%u:", line->document);
    if (line->mode)
        used += (size_t)snprintf(text + used, 512 - used, "(%s)", line->mode);
    (void)snprintf(text + used, 512 - used, line->key ? "%s|%s|%s|%u;" : "[%s]", line->section,
                   line->key, line->value, line->number);
    if (strcmp(line->section, "stop") == 0)
        return -ECANCELED;
    return !line->key && strcmp(line->section, "skip") == 0;
}

void assert_lines(conf_parse_fn *parse, const char *file, const struct lines_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char lines[512] = "";
        struct errmsg err = {""};
        char *text = strdup(cases[i].text);

        assert_non_null(text);
        int r = parse(file, text, strlen(text), note_line, lines, &err);
        assert_string_equal(r == -EINVAL ? err.text : r < 0 ? "" : lines, cases[i].lines);
        assert_int_equal(r, cases[i].result);
        free(text);
    }
}
