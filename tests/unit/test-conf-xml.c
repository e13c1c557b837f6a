/* SPDX-License-Identifier: MIT */
/* XML, alone: what lines it finds in which bytes. */
#include "conf/xml.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conf-fixture.h"

static const struct lines_case cases[] = {
    {"<liege/>", "[liege]", 0},
    {"<uwsgi>\n<master/>\n<processes>4</processes></uwsgi>\n",
     "[uwsgi]uwsgi|master||2;uwsgi|processes|4|3;", 0},
    {"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- c -->\n<uwsgi>\n <a> x </a>\n</uwsgi>\n",
     "[uwsgi]uwsgi|a|x|4;", 0},
    {"<uwsgi><a>\n  x y\n  </a>\n<b> </b></uwsgi>", "[uwsgi]uwsgi|a|x y|1;uwsgi|b||4;", 0},
    {"<uwsgi><a>1</a><a>2</a></uwsgi>", "[uwsgi]uwsgi|a|1|1;uwsgi|a|2|1;", 0},
    {"<uwsgi><a>&lt;&amp;&#233;<![CDATA[<b>]]>.<!-- x -->.</a></uwsgi>",
     "[uwsgi]uwsgi|a|<&\xc3\xa9<b>..|1;", 0},
    {"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><uwsgi><a>\xe9</a></uwsgi>",
     "[uwsgi]uwsgi|a|\xc3\xa9|1;", 0},
    {"<uwsgi id=\"x\"><a>1</a></uwsgi>", "[x]x|a|1|1;", 0},
    {"<cfg>\n<other><a>1<b/></a></other>text<uwsgi id=\"x\">\n<a>1</a></uwsgi>\n"
     "<liege><a>2</a></liege></cfg>",
     "[x]x|a|1|3;[liege]liege|a|2|4;", 0},
    {"<cfg><d><uwsgi><a>1</a></uwsgi></d></cfg>", "", 0}, /* too deep to be meant */
    {"<uwsgi><a mode=\"test\">1</a><a>2</a></uwsgi>", "[uwsgi](test)uwsgi|a|1|1;uwsgi|a|2|1;", 0},
    {"<c><uwsgi id=\"skip\" x=\"y\">text<a b=\"c\"><d/></a></uwsgi><uwsgi><a/></uwsgi></c>",
     "[skip][uwsgi]uwsgi|a||1;", 0},
    {"<uwsgi><a>1</a></uwsgi>\n<liege>\n<a>2</a></liege>\n\n<?xml version=\"1.0\"?>\n<uwsgi/>",
     "[uwsgi]uwsgi|a|1|1;1:[liege]1:liege|a|2|3;2:[uwsgi]", 0},
    {"<c><uwsgi id=\"stop\"><a/></uwsgi></c>", "", -ECANCELED},
    {"<uwsgi>\n<a>x<b/></a></uwsgi>",
     "f.xml:2: <b>: an element inside of an option's: a value is text", -EINVAL},
    {"<uwsgi>\n<a x=\"1\"/></uwsgi>", "f.xml:2: <a>: an option has no attribute but mode", -EINVAL},
    {"<uwsgi>\n<a mode=\"1\" x=\"2\"/></uwsgi>",
     "f.xml:2: <a>: an option has no attribute but mode", -EINVAL},
    {"<uwsgi>\n<a/>\nx</uwsgi>", "f.xml:3: <uwsgi>: text outside of an option's element", -EINVAL},
    {"<!DOCTYPE u SYSTEM \"file:///etc/passwd\"><uwsgi/>",
     "f.xml:1: a document type is not accepted: remove it", -EINVAL},
    {"<?xml version=\"1.0\"?>\n<!DOCTYPE u [\n<!ENTITY a \"x\"><!ENTITY b \"&a;&a;\">]>\n"
     "<uwsgi><a>&b;</a></uwsgi>",
     "f.xml:2: a document type is not accepted: remove it", -EINVAL},
    {"<uwsgi><a>&b;</a></uwsgi>", "f.xml:1: this is not XML: undefined entity", -EINVAL},
    {"", "f.xml:1: this is not XML: no element found", -EINVAL},
    {"[uwsgi]\nmaster = 1\n", "f.xml:1: this is not XML: syntax error", -EINVAL},
    {"<uwsgi>\n<a>1</b>\n</uwsgi>", "f.xml:2: this is not XML: mismatched tag", -EINVAL},
    {"<uwsgi>\n<a>\n", "f.xml:3: this is not XML: no element found", -EINVAL},
    {"<uwsgi/>\ntext\n", "f.xml:2: this is not XML: syntax error", -EINVAL},
    {"<uwsgi><a>\xff</a></uwsgi>", "f.xml:1: this is not XML: not well-formed (invalid token)",
     -EINVAL},
};

static void test_lines(void **state)
{
    (void)state;
    assert_lines(xml_parse, "f.xml", cases, COUNT_OF(cases));
}

static int ignore(void *userdata, const struct conf_line *line, struct errmsg *err)
{
    (void)userdata;
    (void)line;
    (void)err;
    return 0;
}

static void test_many_roots(void **state)
{
    static char text[4 * 20000 + 1];
    struct errmsg err = {""};

    (void)state;
    for (size_t i = 0; i < sizeof(text) - 1; i += 4)
        memcpy(text + i, "<a/>", 5);
    assert_int_equal(xml_parse("f.xml", text, sizeof(text) - 1, ignore, NULL, &err), -E2BIG);
    assert_string_equal(err.text, "f.xml: more than 10000 roots");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_many_roots),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
