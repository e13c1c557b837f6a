/* SPDX-License-Identifier: MIT */
#include "http/mime.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/text.h"

#define UNKNOWN "application/octet-stream"

static const char list[] = "# a comment\n"
                           "text/x-one\tone  two\r\n"
                           "text/x-late one # first wins\n"
                           "\n"
                           "text/none\n"
                           "no-type three\n"
                           "bad/ty\x01pe four\n"
                           "/half five\n"
                           "half/ six\n"
                           "text/x-style css UPPER\n"
                           "text/x-last seven";

static const struct {
    const char *name, *builtin, *under, *over; /* without the list, with it after and before */
} cases[] = {
    {"a.css", "text/css", "text/css", "text/x-style"},
    {"dir.css/a", UNKNOWN, UNKNOWN, UNKNOWN},
    {"/dir/A.CSS", "text/css", "text/css", "text/x-style"},
    {"a.one", UNKNOWN, "text/x-one", "text/x-one"},
    {"a.two", UNKNOWN, "text/x-one", "text/x-one"},
    {"a.three", UNKNOWN, UNKNOWN, UNKNOWN},
    {"a.four", UNKNOWN, UNKNOWN, UNKNOWN},
    {"a.five", UNKNOWN, UNKNOWN, UNKNOWN},
    {"a.six", UNKNOWN, UNKNOWN, UNKNOWN},
    {"a.seven", UNKNOWN, "text/x-last", "text/x-last"},
    {"a.upper", UNKNOWN, "text/x-style", "text/x-style"},
    {"a.tar.gz", "application/gzip", "application/gzip", "application/gzip"},
    {"index.html", "text/html", "text/html", "text/html"},
    {"app.mjs", "text/javascript", "text/javascript", "text/javascript"},
    {"a.", UNKNOWN, UNKNOWN, UNKNOWN},
    {".css", UNKNOWN, UNKNOWN, UNKNOWN},
    {"css", UNKNOWN, UNKNOWN, UNKNOWN},
    {"", UNKNOWN, UNKNOWN, UNKNOWN},
    {"a.an-extension-that-is-longer-than-any", UNKNOWN, UNKNOWN, UNKNOWN},
};

static void test_types(void **state)
{
    struct http_mime builtin = {0}, under = {0}, over = {0};

    (void)state;
    assert_int_equal(http_mime_add(&under, list, sizeof(list) - 1, false), 0);
    assert_int_equal(http_mime_add(&over, list, sizeof(list) - 1, true), 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_string_equal(http_mime_type(&builtin, cases[i].name), cases[i].builtin);
        assert_string_equal(http_mime_type(&under, cases[i].name), cases[i].under);
        assert_string_equal(http_mime_type(&over, cases[i].name), cases[i].over);
    }
    http_mime_done(&builtin);
    http_mime_done(&under);
    http_mime_done(&over);
}

/* The table of built-in types is searched by halves: each must be found. */
static void test_table_is_sorted(void **state)
{
    static const char *const known[] = {
        "aac",         "apng", "atom",   "avif",  "bmp",   "br",   "bz2",  "css",  "csv",
        "eot",         "flac", "gif",    "gz",    "htm",   "html", "ico",  "jpeg", "jpg",
        "js",          "json", "jsonld", "m3u8",  "m4a",   "md",   "mjs",  "mp3",  "mp4",
        "oga",         "ogg",  "ogv",    "otf",   "pdf",   "png",  "rss",  "svg",  "tar",
        "tif",         "tiff", "ts",     "ttf",   "txt",   "vtt",  "wasm", "wav",  "webm",
        "webmanifest", "webp", "woff",   "woff2", "xhtml", "xml",  "xz",   "zip",  "zst",
    };
    const struct http_mime none = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        char name[32] = "a.";
        strcat(name, known[i]);
        assert_string_not_equal(http_mime_type(&none, name), UNKNOWN);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_table_is_sorted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
