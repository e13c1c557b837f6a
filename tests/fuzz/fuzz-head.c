/* SPDX-License-Identifier: MIT */
/* Any bytes as what an application wants in its response: the first byte says what the request was,
 * the rest are names and values, separated by 0xff. What is written is one head whose lines are the
 * fields that were given, or nothing. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "http/head.h"
#include "http/text.h"

#define MAX_FIELDS 16
#define ADDED      4 /* lines: Server, Date, framing, Connection */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct liege_str next_word(const char **at, const char *end)
{
    const char *start = *at, *stop = memchr(start, 0xff, (size_t)(end - start));

    *at = stop ? stop + 1 : end;
    return http_str(start, (size_t)((stop ? stop : end) - start));
}

static void check_head(const char *text, size_t len, size_t n_fields)
{
    struct http_controls n;

    http_count_controls(text, len, &n);
    assert(n.n_other == 0 && n.n_cr == n.n_lf && n.n_lf <= n_fields + ADDED + 2);
    assert(memmem(text, len, "\r\n\r\n", 4) == text + len - 4);
    for (const char *p = text; (p = memchr(p, '\n', len - (size_t)(p - text))); p++)
        assert(p[-1] == '\r');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct liege_field fields[MAX_FIELDS];
    struct liege_head head = {.fields = fields};
    struct http_framed framed = {0};
    struct errmsg err = {""};
    struct buf out = {0};

    if (size < 2)
        return 0;
    const char *at = (const char *)data + 2, *end = (const char *)data + size;
    const struct http_exchange ex = {
        .minor = data[0] & 1,
        .head_request = data[0] & 2,
        .keep_alive = data[0] & 4,
        .length_known = data[0] & 8,
        .length = data[0],
        .date = "Sun, 06 Nov 1994 08:49:37 GMT",
    };
    head.status = 200 + data[1];
    head.reason = next_word(&at, end);
    while (at < end && head.n_fields < MAX_FIELDS) {
        struct liege_field *f = &fields[head.n_fields++];
        f->name = next_word(&at, end);
        f->value = next_word(&at, end);
    }

    int r = http_head_write(&out, (enum http_style)(data[0] >> 4 & 3), &head, &ex, &framed, &err);
    if (r == 0)
        check_head(buf_at(&out), buf_len(&out), head.n_fields);
    else
        assert(buf_len(&out) == 0 && err.text[0] != '\0');
    buf_done(&out);
    return 0;
}
