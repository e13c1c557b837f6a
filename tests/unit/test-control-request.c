/* SPDX-License-Identifier: MIT */
/* Requests of the control socket, and the refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "emperor/control-request.h"

static void test_a_whole_request(void **state)
{
    static const char text[] = "{\"v\": 1, \"command\": \"log\", \"vassal\": \"sh\\u00f6p.ini\", "
                               "\"lines\": 50, \"follow\": true, \"wait\": true}";
    struct control_request r = {0};
    struct errmsg err;

    (void)state;
    assert_int_equal(control_request_parse(text, strlen(text), &r, &err), 0);
    assert_string_equal(r.command, "log");
    assert_string_equal(r.vassal, "sh\xc3\xb6p.ini");
    assert_int_equal(r.lines, 50);
    assert_true(r.follow && r.wait);
}

static void test_what_is_left_out(void **state)
{
    static const char text[] = "{\"command\":\"status\",\"v\":1}\r";
    struct control_request r = {.follow = true, .wait = true};
    struct errmsg err;

    (void)state;
    assert_int_equal(control_request_parse(text, strlen(text), &r, &err), 0);
    assert_string_equal(r.vassal, "");
    assert_int_equal(r.lines, 10);
    assert_false(r.follow || r.wait);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "one JSON object"},
        {"x", "one JSON object"},
        {"[]", "one JSON object"},
        {"[[[[[[", "one JSON object"},
        {"{\"v\":1,\"command\":\"status\"", "one JSON object"},
        {"{\"v\":1,\"command\":\"status\"} {}", "one JSON object"},
        {"{\"v\":1,\"v\":1,\"command\":\"status\"}", "one JSON object"},
        {"{\"v\":1,\"command\":\"\xff\"}", "one JSON object"},
        {"{\"v\":1,\"command\":\"a\\u0000b\"}", "one JSON object"},
        {"{\"v\":2,\"command\":\"status\"}", "version 1"},
        {"{\"v\":\"1\",\"command\":\"status\"}", "version 1"},
        {"{\"command\":\"status\"}", "no \"v\""},
        {"{\"v\":1}", "no \"command\""},
        {"{\"v\":1,\"command\":7}", "command has to be a string"},
        {"{\"v\":1,\"command\":\"01234567890123456789012345678901\"}", "at most 31 bytes"},
        {"{\"v\":1,\"command\":\"log\",\"vassal\":null}", "vassal has to be a string"},
        {"{\"v\":1,\"command\":\"log\",\"lines\":-1}", "lines has to be"},
        {"{\"v\":1,\"command\":\"log\",\"lines\":1000001}", "lines has to be"},
        {"{\"v\":1,\"command\":\"log\",\"lines\":1.5}", "lines has to be"},
        {"{\"v\":1,\"command\":\"log\",\"follow\":1}", "follow has to be true or false"},
        {"{\"v\":1,\"command\":\"log\",\"wait\":\"yes\"}", "wait has to be true or false"},
        {"{\"v\":1,\"command\":\"log\",\"folow\":true}", "\"folow\" means nothing"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct control_request r = {.command = "untouched"};
        struct errmsg err = {.text = ""};
        if (control_request_parse(cases[i].text, strlen(cases[i].text), &r, &err) >= 0)
            fail_msg("taken: %s", cases[i].text);
        if (!strstr(err.text, cases[i].why))
            fail_msg("%s: %s", cases[i].text, err.text);
        assert_string_equal(r.command, "untouched");
    }
}

static void test_a_name_that_is_too_long(void **state)
{
    char text[2048], name[600];
    struct control_request r = {0};
    struct errmsg err;

    (void)state;
    for (size_t len = 510; len < 514; len++) {
        memset(name, 'a', len);
        name[len] = '\0';
        (void)snprintf(text, sizeof(text), "{\"v\":1,\"command\":\"log\",\"vassal\":\"%s\"}", name);
        assert_int_equal(control_request_parse(text, strlen(text), &r, &err) == 0, len < 512);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_whole_request),
        cmocka_unit_test(test_what_is_left_out),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_a_name_that_is_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
