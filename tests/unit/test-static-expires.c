/* SPDX-License-Identifier: MIT */
#include "static/expires.h"

#include <errno.h>
#include <string.h>

#include "base/strv.h"
#include "http/text.h"
#include "static/check.h"
#include "static/pattern.h"
#include "static/static-conf.h"
#include "unit.h"

#define NOW   1000000
#define MTIME 900000

static struct liege_str str(const char *text)
{
    return http_str(text, strlen(text));
}

static const struct {
    const char *option, *value;
    int result;
    const char *says; /* is in the message */
} values[] = {
    {"static-expires", "\\.css$ 3600", 0, ""},
    {"static-expires", "\\.css$=3600", 0, ""},
    {"static-expires", "a b  3600", 0, ""},
    {"static-expires-uri-mtime", "^/static/[a-f0-9]{12}=?x 0", 0, ""},
    {"static-expires-type", "image/svg+xml=86400", 0, ""},
    {"static-expires", "\\.css$", -EINVAL, "static-expires: '\\.css$' is not REGEXP SECONDS"},
    {"static-expires", " 3600", -EINVAL, "is not REGEXP SECONDS"},
    {"static-expires", "a 1h", -EINVAL, "is not REGEXP SECONDS"},
    {"static-expires", "a -1", -EINVAL, "is not REGEXP SECONDS"},
    {"static-expires", "a 99999999999", -EINVAL, "is not REGEXP SECONDS"},
    {"static-expires", "a 3153600001", -EINVAL, "up to 3153600000"},
    {"static-expires-path-info", "a( 1", -EINVAL,
     "static-expires-path-info: 'a(' is not a regular expression: missing closing parenthesis, at "
     "character 3"},
    {"static-expires-type", "text/css 3600", -EINVAL, "is not TYPE=SECONDS"},
    {"static-expires-type-mtime", "=3600", -EINVAL, "is not TYPE=SECONDS"},
    {"static-gzip", "\\.(css|js)$", 0, ""},
    {"static-gzip", "*", -EINVAL, "static-gzip: '*' is not a regular expression"},
    {"static-map", "/a=b", 0, ""},
    {"static-map2", "/=/b", 0, ""},
    {"static-map", "/a", -EINVAL, "static-map: '/a' is not /PREFIX=PATH"},
    {"static-map", "a=b", -EINVAL, "is not /PREFIX=PATH"},
    {"static-map2", "/a=", -EINVAL, "is not /PREFIX=PATH"},
    {"static-index", "index.html", 0, ""},
    {"static-index", "../index.html", -EINVAL, "is not a file's name"},
    {"static-safe", "anything", 0, ""},
};

static void test_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        struct errmsg err = {""};

        print_message("%s = %s\n", values[i].option, values[i].value);
        assert_int_equal(static_check(values[i].option, values[i].value, &err), values[i].result);
        assert_non_null(strstr(err.text, values[i].says));
    }
}

static const struct {
    const char *file, *path, *uri, *type;
    time_t at; /* 0: no rule */
} subjects[] = {
    {"/srv/a.css", "/x", "/x", "text/css", NOW + 1},
    {"/srv/a.txt", "/a.css", "/x", "text/plain", 0},
    {"/srv/old.txt", "/x", "/x", "text/plain", MTIME + 2},
    {"/srv/x", "/p/1", "/u/1", "text/css", NOW + 3},
    {"/srv/x", "/x", "/x?u", "text/css", NOW + 4},
    {"/srv/x", "/x", "/x", "Text/CSS", NOW + 5},
    {"/srv/x", "/x", "/x", "text/cssx", 0},
    {"/srv/x", "/x", "/x", "image/png", MTIME + 6},
};

static void test_first_rule_that_fits(void **state)
{
    struct static_conf conf = {0};
    struct static_expires e = {0};
    struct errmsg err = {""};

    (void)state;
    assert_int_equal(strv_append(&conf.expires, "\\.css$ 1"), 0);
    assert_int_equal(strv_append(&conf.expires_mtime, "old 2"), 0);
    assert_int_equal(strv_append(&conf.expires_path_info, "^/p/ 3"), 0);
    assert_int_equal(strv_append(&conf.expires_uri, "\\?u 4"), 0);
    assert_int_equal(strv_append(&conf.expires_uri, "^/u/ 7"), 0);
    assert_int_equal(strv_append(&conf.expires_type, "text/css=5"), 0);
    assert_int_equal(strv_append(&conf.expires_type_mtime, "image/png=6"), 0);
    assert_int_equal(static_expires_init(&e, &conf, &err), 0);
    for (size_t i = 0; i < COUNT_OF(subjects); i++) {
        const struct static_subject s = {
            .file = str(subjects[i].file),
            .path_info = str(subjects[i].path),
            .uri = str(subjects[i].uri),
            .type = str(subjects[i].type),
            .mtime = MTIME,
            .now = NOW,
        };
        time_t at = 0;

        assert_int_equal(static_expires_find(&e, &s, &at), subjects[i].at != 0);
        assert_int_equal(at, subjects[i].at);
    }
    static_expires_done(&e);
    for (size_t i = 0; i < static_n_options; i++)
        if (static_options[i].type == LIEGE_OPTION_LIST)
            strv_done((void *)((char *)&conf + static_options[i].offset));
}

/* An expression that would run for ages gives up. */
static void test_bounded_work(void **state)
{
    struct static_pattern *p = NULL;
    struct errmsg err = {""};
    char text[64];

    (void)state;
    memset(text, 'a', sizeof(text));
    assert_int_equal(static_pattern_new("^(a+)+$", 7, &p, &err), 0);
    assert_true(static_pattern_matches(p, http_str(text, sizeof(text))));
    text[sizeof(text) - 1] = '!';
    assert_false(static_pattern_matches(p, http_str(text, sizeof(text))));
    assert_false(static_pattern_matches(p, http_str(NULL, 0)));
    assert_null(static_pattern_free(p));
    assert_null(static_pattern_free(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_first_rule_that_fits),
        cmocka_unit_test(test_bounded_work),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
