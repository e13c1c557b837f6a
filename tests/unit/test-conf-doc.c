/* SPDX-License-Identifier: MIT */
/* Texts made from the tables. */
#include "conf/doc.h"

#include <string.h>

#include "conf-fixture.h"

typedef int doc_fn(const struct conf_table *tables, size_t n_tables, struct buf *out);

static const char *text_of(struct buf *out, doc_fn *fn, const struct conf_table *table)
{
    buf_consume(out, buf_len(out));
    assert_int_equal(fn(table, 1, out), 0);
    assert_int_equal(buf_append(out, "", 1), 0);
    return buf_at(out);
}

static void assert_has(const char *text, const char *part)
{
    bool found = strstr(text, part) != NULL;

    if (!found)
        print_error("'%s' is not in:\n%s\n", part, text);
    assert_true(found);
}

static void test_help(void **state)
{
    struct buf out = {0};
    const char *text = text_of(&out, doc_help, &sample_tables[0]);

    (void)state;
    assert_has(text, "\nSample:\n  -M, --master              keep a master process\n");
    assert_has(text, "\n  -p, --workers, --processes N\n"
                     "                            number of worker processes; default 1; a whole\n"
                     "                            number from 1 to 1024\n");
    assert_has(text, "\n  --stats[=ADDRESS]         where to show numbers\n");
    assert_has(text, "  --no-orphans              no worker outlives its master; always so\n");
    assert_has(text, "  -s, --socket, --uwsgi-socket ADDRESS\n"
                     "                            where to listen; may be repeated\n");
    for (const char *line = text; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        assert_true(len <= 80);
        line += len + (line[len] == '\n');
    }
    buf_done(&out);
}

static void test_markdown(void **state)
{
    struct buf out = {0};
    const char *text = text_of(&out, doc_markdown, &sample_tables[0]);

    (void)state;
    assert_has(text, "\n## Sample\n\n| option | meaning |\n|---|---|\n| `-M, --master` | keep a ");
    assert_has(text,
               "\n| `--size BYTES` | size of something \\| something else; default 8k; a size "
               "from 4k to 1g (bytes, or with k, m, g or t) |\n");
    buf_done(&out);
}

static void test_roff(void **state)
{
    struct buf out = {0};
    const char *text = text_of(&out, doc_roff, &sample_tables[0]);

    (void)state;
    assert_has(text, ".SH OPTIONS\n.SS Sample\n.TP\n.B \\-M, \\-\\-master\n\\&keep a master");
    assert_has(text, ".B \\-z, \\-\\-lazy\\-apps, \\-\\-lazy\n");
    buf_done(&out);
}

static void test_words(void **state)
{
    struct buf out = {0};
    const char *text = text_of(&out, doc_words, &sample_tables[0]);

    (void)state;
    assert_has(text, "--master\n-M\n--lazy-apps\n-z\n--lazy\n--workers\n");
    buf_done(&out);
}

static void test_meta_table(void **state)
{
    struct buf out = {0};
    const char *text = text_of(&out, doc_help, &conf_meta_table);

    (void)state;
    assert_has(text, "\nConfiguration:\n  --ini FILE[:SECTION]      read an INI file;");
    assert_has(text, "  -S, --set NAME=VALUE");
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help),       cmocka_unit_test(test_markdown),
        cmocka_unit_test(test_roff),       cmocka_unit_test(test_words),
        cmocka_unit_test(test_meta_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
