/* SPDX-License-Identifier: MIT */
/* The INI grammar, alone: what lines it finds in which bytes. */
#include "conf/ini.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf-fixture.h"

static const struct lines_case cases[] = {
    {"", "", 0},
    {"\n\r\n  \t\n", "", 0},
    {"[uwsgi]\nmaster = true\n", "[uwsgi]uwsgi|master|true|2;", 0},
    {"[uwsgi]\nmaster=true", "[uwsgi]uwsgi|master|true|2;", 0},
    {"[a]\r\n key\t=\tvalue \r\n", "[a]a|key|value|2;", 0},
    {"[a]\nx = 1\n   y = 2\n", "[a]a|x|1|2;a|y|2|3;", 0}, /* indented: no continuation */
    {"[a]\nflag\n", "[a]a|flag||2;", 0},
    {"[a]\nempty =\n", "[a]a|empty||2;", 0},
    {"[a]\nx = a=b == c\n", "[a]a|x|a=b == c|2;", 0},
    {"[a]\nx = 1 ; no comment # either\n", "[a]a|x|1 ; no comment # either|2;", 0},
    {"[a]\n; comment\n  # comment\nx\n", "[a]a|x||4;", 0},
    {"[a]\nx = \"quoted\" \\\ny\n", "[a]a|x|\"quoted\" \\|2;a|y||3;", 0},
    {"[a] ; comment\nx\n", "[a]a|x||2;", 0},
    {"  [a]\nx\n[b]\ny\n", "[a]a|x||2;[b]b|y||4;", 0},
    {"x = 1\n[a]\n", "|x|1|1;[a]", 0},
    {"\xef\xbb\xbf[a]\nx\n", "[a]a|x||2;", 0},
    {"[a]\n\xff\xfe\x01 = \x80\n", "[a]a|\xff\xfe\x01|\x80|2;", 0},
    {"[]\nx\n", "[]|x||2;", 0},
    {"[a]\n[b\n", "f.ini:2: this section line has no ']'", -EINVAL},
    {"[a]x\n", "f.ini:1: there is text after the ']' of a section line", -EINVAL},
    {"[a]\n\n= x\n", "f.ini:3: there is no name before the '='", -EINVAL},
    {"[stop]\nx\n", "", -ECANCELED},
};

static void test_lines(void **state)
{
    (void)state;
    assert_lines(ini_parse, "f.ini", cases, COUNT_OF(cases));
}

static int count_value(void *userdata, const struct conf_line *line, struct errmsg *err)
{
    (void)err;
    if (line->key)
        *(size_t *)userdata += strlen(line->value);
    return 0;
}

static void test_nul(void **state)
{
    char text[] = "[a]\nx = 1\0 2\n";
    size_t total = 0;
    struct errmsg err = {""};

    (void)state;
    assert_int_equal(ini_parse("f.ini", text, sizeof(text) - 1, count_value, &total, &err),
                     -EINVAL);
    assert_string_equal(err.text, "f.ini:2: there is a NUL byte (is this UTF-16?)");
}

static void test_long_line(void **state)
{
    enum { LEN = 1 << 20 };
    char *text = malloc(LEN + 16);
    size_t total = 0;
    struct errmsg err = {""};

    (void)state;
    assert_non_null(text);
    memcpy(text, "[a]\nx=", 6);
    memset(text + 6, 'y', LEN);
    text[LEN + 6] = '\0';
    assert_int_equal(ini_parse("f.ini", text, LEN + 6, count_value, &total, &err), 0);
    assert_int_equal(total, LEN);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_long_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
