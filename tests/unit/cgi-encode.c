/* SPDX-License-Identifier: MIT */
/* What web servers send, for the tests of the parsers; written from the specifications and not from
 * the parsers, and able to write what no web server would. */
#include "cgi-encode.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void cgi_text_add(struct cgi_text *t, const void *data, size_t len)
{
    assert(len <= sizeof(t->data) - t->len);
    if (len > 0)
        memcpy(t->data + t->len, data, len);
    t->len += len;
}

void cgi_text_add_record(struct cgi_text *t, enum fastcgi_type type, uint16_t id,
                         const void *content, size_t len, uint8_t padding)
{
    static const char zeros[255];
    const unsigned char head[] = {
        1,
        (unsigned char)type,
        (unsigned char)(id >> 8),
        (unsigned char)id,
        (unsigned char)(len >> 8),
        (unsigned char)len,
        padding,
        0,
    };

    assert(len <= 65535);
    cgi_text_add(t, head, sizeof(head));
    cgi_text_add(t, content, len);
    cgi_text_add(t, zeros, padding);
}

void cgi_text_add_begin(struct cgi_text *t, uint16_t id, uint8_t role, uint8_t flags)
{
    const unsigned char content[8] = {0, role, flags};

    cgi_text_add_record(t, FASTCGI_BEGIN_REQUEST, id, content, sizeof(content), 0);
}

static void add_fastcgi_len(struct cgi_text *t, size_t len)
{
    unsigned char bytes[] = {
        (unsigned char)(0x80 | len >> 24),
        (unsigned char)(len >> 16),
        (unsigned char)(len >> 8),
        (unsigned char)len,
    };

    if (len < 0x80)
        cgi_text_add(t, bytes + 3, 1);
    else
        cgi_text_add(t, bytes, 4);
}

static void add_u16(struct cgi_text *t, size_t n)
{
    const unsigned char bytes[] = {(unsigned char)n, (unsigned char)(n >> 8)};

    assert(n <= 65535);
    cgi_text_add(t, bytes, 2);
}

void cgi_text_add_pair(struct cgi_text *t, enum proto_id id, const char *name, size_t name_len,
                       const char *value, size_t value_len)
{
    if (id == PROTO_FASTCGI) {
        add_fastcgi_len(t, name_len);
        add_fastcgi_len(t, value_len);
    }
    if (id == PROTO_UWSGI)
        add_u16(t, name_len);
    cgi_text_add(t, name, name_len);
    if (id == PROTO_SCGI)
        cgi_text_add(t, "", 1);
    if (id == PROTO_UWSGI)
        add_u16(t, value_len);
    cgi_text_add(t, value, value_len);
    if (id == PROTO_SCGI)
        cgi_text_add(t, "", 1);
}

static void add_pairs(struct cgi_text *t, enum proto_id id, const char *vars)
{
    while (*vars) {
        size_t len = strcspn(vars, "\n"), name_len = strcspn(vars, "=");
        assert(name_len < len);
        cgi_text_add_pair(t, id, vars, name_len, vars + name_len + 1, len - name_len - 1);
        vars += len + (vars[len] == '\n');
    }
}

static void encode_uwsgi(const struct cgi_text *pairs, struct cgi_text *ret)
{
    cgi_text_add(ret, "", 1);
    add_u16(ret, pairs->len);
    cgi_text_add(ret, "", 1);
    cgi_text_add(ret, pairs->data, pairs->len);
}

static void encode_scgi(const struct cgi_text *pairs, struct cgi_text *ret)
{
    char head[32];
    int len = snprintf(head, sizeof(head), "%zu:", pairs->len);

    cgi_text_add(ret, head, (size_t)len);
    cgi_text_add(ret, pairs->data, pairs->len);
    cgi_text_add(ret, ",", 1);
}

static void encode_fastcgi(const struct cgi_text *pairs, const char *body, struct cgi_text *ret)
{
    cgi_text_add_begin(ret, 1, 1, 1);
    for (size_t at = 0; at < pairs->len; at += 65535)
        cgi_text_add_record(ret, FASTCGI_PARAMS, 1, pairs->data + at,
                            pairs->len - at < 65535 ? pairs->len - at : 65535, 3);
    cgi_text_add_record(ret, FASTCGI_PARAMS, 1, NULL, 0, 0);
    if (body && *body)
        cgi_text_add_record(ret, FASTCGI_STDIN, 1, body, strlen(body), 5);
    cgi_text_add_record(ret, FASTCGI_STDIN, 1, NULL, 0, 0);
}

void cgi_encode(enum proto_id id, const char *vars, const char *body, struct cgi_text *ret)
{
    static struct cgi_text pairs;
    const char *length = strstr(vars, "CONTENT_LENGTH=");

    if (length && length != vars && length[-1] != '\n')
        length = NULL;
    pairs.len = ret->len = 0;
    if (id == PROTO_SCGI && !length)
        add_pairs(&pairs, id, "CONTENT_LENGTH=0");
    if (id == PROTO_SCGI && length)
        assert(length == vars);
    add_pairs(&pairs, id, vars);
    if (id == PROTO_SCGI && !strstr(vars, "SCGI="))
        add_pairs(&pairs, id, "SCGI=1");
    if (id == PROTO_UWSGI)
        encode_uwsgi(&pairs, ret);
    else if (id == PROTO_SCGI)
        encode_scgi(&pairs, ret);
    else
        encode_fastcgi(&pairs, body, ret);
    if (id != PROTO_FASTCGI && body)
        cgi_text_add(ret, body, strlen(body));
}
