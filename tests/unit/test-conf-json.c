/* SPDX-License-Identifier: MIT */
/* JSON, alone: what lines it finds in which bytes. */
#include "conf/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conf-fixture.h"

#define TOO_DEEP                                                                                   \
    "this is nested too deep: a value is a text, a number, true, false, null, or a list of these"

static const struct lines_case cases[] = {
    {"{}", "", 0},
    {"[]", "", 0},
    {" [ { } , { } ] ", "", 0},
    {"{\"liege\": {}}", "[liege]", 0},
    {"{\"uwsgi\":{\"master\":true,\"processes\":4}}",
     "[uwsgi]uwsgi|master|1|1;uwsgi|processes|4|1;", 0},
    {"{\r\n \"u\" : {\n\n\t\"a\" :\n \"x\" ,\n\"b\":\"y\"}\n}\n", "[u]u|a|x|5;u|b|y|6;", 0},
    {"\xef\xbb\xbf{\"u\": {\"a\": \"x\"}}", "[u]u|a|x|1;", 0},
    {"{\"u\": {\"t\": true, \"f\": false, \"n\": null, \"e\": \"\"}}", "[u]u|t|1|1;u|f|0|1;u|e||1;",
     0},
    {"{\"u\": {\"a\": -1, \"b\": 1.50, \"c\": 1e3, \"d\": 9007199254740993}}",
     "[u]u|a|-1|1;u|b|1.50|1;u|c|1e3|1;u|d|9007199254740993|1;", 0}, /* as they are written */
    {"{\"u\": {\"s\": [\":1\", 2,\n true, null, \"@x\"], \"e\": [ ], \"x\": \"y\"}}",
     "[u]u|s|:1|1;u|s|2|1;u|s|1|2;u|s|@x|2;u|x|y|2;", 0},
    {"{\"u\": {\"a\\u00e9\": \"\\ud83d\\ude00\\n\\/\\\"}\"}}",
     "[u]u|a\xc3\xa9|\xf0\x9f\x98\x80\n/\"}|1;", 0},
    {"{\"u\": {\"}\\\"{\": \",]\"}, \"v\": {\"b\": \"1\"}}", "[u]u|}\"{|,]|1;[v]v|b|1|1;", 0},
    {"{\"skip\": {\"a\": {\"b\": [[\n]]}}, \"v\": {\"b\": \"1\"}}", "[skip][v]v|b|1|2;", 0},
    {"{\"skip\": 3, \"v\": {\"b\": \"1\"}}", "[skip][v]v|b|1|1;", 0},
    {"[{\"u\": {\"a\": 1}},\n{\"u\": {\"a\": 2}}]", "[u]u|a|1|1;1:[u]1:u|a|2|2;", 0},
    {"{\"u\": {\"a\": 1,\n\"a\": 2}}", "[u]u|a|1|1;u|a|2|2;", 0}, /* a repeated option */
    {"{\"stop\": {\"a\": 1}}", "", -ECANCELED},
    {"{\"u\": {\n\"a\": {\"b\": 1}}}", "f.json:2: " TOO_DEEP, -EINVAL},
    {"{\"u\": {\"a\": [1,\n[2]]}}", "f.json:2: " TOO_DEEP, -EINVAL},
    {"{\"u\":\n 1}", "f.json:2: a section is an object: {\"option\": \"value\"}", -EINVAL},
    {"[1]", "f.json:1: a configuration is an object: {\"liege\": {...}}", -EINVAL},
    {"[[]]", "f.json:1: a configuration is an object: {\"liege\": {...}}", -EINVAL},
    {"{\"u\": {\n\"\": 1}}", "f.json:2: there is no name before the ':'", -EINVAL},
    {"", "f.json:1: this is not JSON: '[' or '{' expected near end of file", -EINVAL},
    {"[uwsgi]\n", "f.json:1: this is not JSON: invalid token near 'uwsgi'", -EINVAL},
    {"{\"u\": {\"a\": 1,}\n}", "f.json:1: this is not JSON: string or '}' expected near '}'",
     -EINVAL},
    {"{\"u\": {\"a\": 1\n\"b\": 2}}", "f.json:2: this is not JSON: '}' expected near '\"b\"'",
     -EINVAL},
    {"{\"u\": {\"a\": \"\\u0000\"}}",
     "f.json:1: this is not JSON: \\u0000 is not allowed "
     "without JSON_ALLOW_NUL near '\"\\u0000\"'",
     -EINVAL},
    {"{\"u\": {\"a\": 1}}\n{}", "f.json:2: this is not JSON: end of file expected near '{'",
     -EINVAL},
    {"{\"u\": {\"a\": \"\xff\"}}",
     "f.json:1: this is not JSON: unable to decode byte 0xff near '\"'", -EINVAL},
};

static void test_lines(void **state)
{
    (void)state;
    assert_lines(json_parse, "f.json", cases, COUNT_OF(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
