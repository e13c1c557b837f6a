/* SPDX-License-Identifier: MIT */
/* YAML, alone: what lines it finds in which bytes. */
#include "conf/yaml.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conf-fixture.h"

static const struct lines_case cases[] = {
    {"", "", 0},
    {"# nothing\n", "", 0},
    {"---\n...\n", "", 0},
    {"liege:\n", "[liege]", 0},
    {"liege: {}\nuwsgi: null\nx: ~\n", "[liege][uwsgi][x]", 0},
    {"uwsgi:\n  master: true\n  processes: 4\n", "[uwsgi]uwsgi|master|true|2;uwsgi|processes|4|3;",
     0},
    {"uwsgi:\r\n  a: x\r\n\r\n  b: y\r\n", "[uwsgi]uwsgi|a|x|2;uwsgi|b|y|4;", 0},
    {"\xef\xbb\xbfuwsgi:\n  a: x\n", "[uwsgi]uwsgi|a|x|2;", 0},
    {"u:\n  flag:\n  text: ''\n  none: ~\n  nil: null\n  word: 'null'\n",
     "[u]u|flag||2;u|text||3;u|word|null|6;", 0},
    {"u:\n  socket:\n  - :3031\n  - \"@x\" # why\n  -\n",
     "[u]u|socket|:3031|3;u|socket|@x|4;u|socket||5;", 0},
    {"u:\n  socket: [a, b,\n    c]\n  x: 1\n", "[u]u|socket|a|2;u|socket|b|2;u|socket|c|3;u|x|1|4;",
     0},
    {"u:\n  mode: 0660\n  n: 1e3\n  t: 12:30\n  no: no\n",
     "[u]u|mode|0660|2;u|n|1e3|3;u|t|12:30|4;u|no|no|5;", 0}, /* as they are written */
    {"u:\n  a: |\n    1\n    2\n  b: >-\n    3\n    4\n", "[u]u|a|1\n2\n|2;u|b|3 4|5;", 0},
    {"u:\n  a: \"\\u00e9\\n\"\n  'b c': x\n", "[u]u|a|\xc3\xa9\n|2;u|b c|x|3;", 0},
    {"u:\n  a: !!str 1\n  b: ! 2\n  c: &anchor 3\n", "[u]u|a|1|2;u|b|2|3;u|c|3|4;", 0},
    {"u:\n  a: 1\n  a: 2\n", "[u]u|a|1|2;u|a|2|3;", 0}, /* a repeated option */
    {"skip:\n  a: {b: [c, {d: e}]}\n  f: *g\nu: {x: 1}\n", "[skip][u]u|x|1|4;", 0},
    {"skip: [1, 2]\nu: {x: 1}\n", "[skip][u]u|x|1|2;", 0},
    {"{\"u\":{\"x\":\"1\"}}", "[u]u|x|1|1;", 0},
    {"u: {a: 1}\n---\nu: {a: 2}\n--- ~\n---\nx:\n", "[u]u|a|1|1;1:[u]1:u|a|2|3;3:[x]", 0},
    {"stop:\n  a: 1\n  b: 2\n", "", -ECANCELED},
    {"u:\n  a: {b: c}\n", "f.yml:2: this is nested too deep: a value is a text or a list of texts",
     -EINVAL},
    {"u:\n  a:\n  - b\n  - [c]\n",
     "f.yml:4: this is nested too deep: a value is a text or a list of texts", -EINVAL},
    {"u:\n  a: &a x\n  b: *a\n", "f.yml:3: aliases are not supported: write the value itself",
     -EINVAL},
    {"a: &a {x: 1}\nu: *a\n",
     "f.yml:2: a section is a mapping of options, 'name: value' in a line each", -EINVAL},
    {"u:\n  <<: *a\n", "f.yml:2: aliases are not supported: write the value itself", -EINVAL},
    {"u:\n  a: !secret b\n", "f.yml:2: the tag '!secret' is not known: leave it out", -EINVAL},
    {"u:\n  a: \"b\\0c\"\n", "f.yml:2: there is a NUL byte in the text", -EINVAL},
    {"u:\n  '': x\n", "f.yml:2: there is no name before the ':'", -EINVAL},
    {"u:\n  [a]: x\n", "f.yml:2: the name of an option is a text", -EINVAL},
    {"{[a]: x}\n", "f.yml:1: the name of a section is a text", -EINVAL},
    {"\nu: x\n", "f.yml:2: a section is a mapping of options, 'name: value' in a line each",
     -EINVAL},
    {"- u\n", "f.yml:1: a configuration is a mapping of sections: start with 'liege:'", -EINVAL},
    {"processes = 4\n", "f.yml:1: a configuration is a mapping of sections: start with 'liege:'",
     -EINVAL},
    {"u:\n  a: b\n c: d\n", "f.yml:3: this is not YAML: did not find expected key", -EINVAL},
    {"u:\n\ta: b\n", "f.yml:2: this is not YAML: found character that cannot start any token",
     -EINVAL},
    {"u:\n  a: 'b\n", "f.yml:3: this is not YAML: found unexpected end of stream", -EINVAL},
    {"u:\n  a: \x01\n", "f.yml:2: this is not YAML: control characters are not allowed", -EINVAL},
    {"u:\n  a: \xff\n", "f.yml:2: this is not YAML: invalid leading UTF-8 octet", -EINVAL},
};

static void test_lines(void **state)
{
    (void)state;
    assert_lines(yaml_parse, "f.yml", cases, COUNT_OF(cases));
}

static int ignore(void *userdata, const struct conf_line *line, struct errmsg *err)
{
    (void)userdata;
    (void)err;
    return !line->key;
}

/* What nests without an end is refused before it costs anything. */
static void test_depth(void **state)
{
    static char text[100000];
    struct errmsg err = {""};

    (void)state;
    memset(text, '[', sizeof(text) - 1);
    memcpy(text, "u: ", 3);
    assert_int_equal(yaml_parse("f.yml", text, sizeof(text) - 1, ignore, NULL, &err), -EINVAL);
    assert_string_equal(err.text, "f.yml:1: this is nested too deep");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_depth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
