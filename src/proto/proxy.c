/* SPDX-License-Identifier: MIT */
/* The PROXY protocol. What does not match it exactly is refused at the first byte that shows it, as
 * its specification demands: whoever must send a header and does not is misconfigured, or is not
 * who we think. A header is parsed anew with each piece of it that comes; version 1 has 107 bytes
 * at most, and of version 2 only the first 16 are looked at before it is complete. Workers call it
 * before the first request of a connection. */
#include "proto/proxy.h"

#include <string.h>

#include "http/text.h"

#define V1_MAX_BYTES 107 /* section 2.1, with CRLF */
#define V2_FIXED     16  /* section 2.2: signature, version and command, family, length */

enum {
    COMMAND_LOCAL = 0,
    COMMAND_PROXY = 1,
    COMMAND_COUNT,
};

enum {
    TRANSPORT_UNSPEC = 0,
    TRANSPORT_COUNT = 3, /* STREAM and DGRAM */
};

enum {
    TLV_CRC32C = 0x03,
    TLV_SSL = 0x20,
    TLV_HEAD = 3,  /* type and length */
    SSL_FIXED = 5, /* client and verify, before the TLVs within */
    SSL_CLIENT_SSL = 0x01,
};

static const char v1_start[6] = {'P', 'R', 'O', 'X', 'Y', ' '};
static const char v2_start[12] = {'\r', '\n', '\r', '\n', '\0', '\r',
                                  '\n', 'Q',  'U',  'I',  'T',  '\n'};

/* clang-format off */
static const struct family {
    sa_family_t family;
    uint8_t address_len;
    uint8_t ports_len; /* of both */
} families[] = {
    { .family = AF_UNSPEC },
    { .family = AF_INET,  .address_len = 4,   .ports_len = 4 },
    { .family = AF_INET6, .address_len = 16,  .ports_len = 4 },
    { .family = AF_UNIX,  .address_len = 108 },
};
/* clang-format on */

static enum proxy_state refuse(struct proxy_header *ret, const char *reason)
{
    ret->reason = reason;
    return PROXY_REFUSED;
}

static uint16_t read_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t read_u32(const uint8_t *at)
{
    return (uint32_t)read_u16(at) << 16 | read_u16(at + 2);
}

/* Version 1 */

/* Takes the word up to the next blank or the end. */
static struct liege_str take_word(struct liege_str *rest)
{
    const char *blank = memchr(rest->data, ' ', rest->len);
    size_t len = blank ? (size_t)(blank - rest->data) : rest->len, used = blank ? len + 1 : len;
    struct liege_str word = http_str(rest->data, len);

    *rest = http_str(rest->data + used, rest->len - used);
    return word;
}

static bool read_v1_address(struct liege_str word, bool v6, struct net_addr *ret)
{
    bool colon = memchr(word.data, ':', word.len);

    return colon == v6 && net_addr_parse(word.data, word.len, ret) == 0;
}

static bool read_v1_port(struct liege_str word, uint16_t *ret)
{
    uint32_t n = 0;

    if (word.len < 1 || word.len > 5 || (word.len > 1 && *word.data == '0') ||
        !http_all(word.data, word.len, HTTP_CLASS_DIGIT))
        return false;
    for (size_t i = 0; i < word.len; i++)
        n = 10 * n + (uint32_t)(word.data[i] - '0');
    *ret = (uint16_t)n;
    return n <= UINT16_MAX;
}

static bool is_word(struct liege_str word, const char *text)
{
    return word.len == strlen(text) && memcmp(word.data, text, word.len) == 0;
}

/* @line: without CRLF. */
static enum proxy_state read_v1(struct liege_str line, struct proxy_header *ret)
{
    struct proxy_header h = {.len = line.len + 2, .has_addresses = true};

    (void)take_word(&line); /* PROXY */
    struct liege_str family = take_word(&line);
    bool v6 = is_word(family, "TCP6");
    if (is_word(family, "UNKNOWN")) { /* what follows is to be ignored */
        *ret = (struct proxy_header){.len = h.len};
        return PROXY_DONE;
    }
    if (!v6 && !is_word(family, "TCP4"))
        return refuse(ret, "PROXY line with a protocol other than TCP4, TCP6 and UNKNOWN");
    /* a blank at the end is one too many, and so leaves something */
    bool blank_last = line.len > 0 && line.data[line.len - 1] == ' ';
    if (!read_v1_address(take_word(&line), v6, &h.source) ||
        !read_v1_address(take_word(&line), v6, &h.destination) ||
        !read_v1_port(take_word(&line), &h.source_port) ||
        !read_v1_port(take_word(&line), &h.destination_port) || line.len > 0 || blank_last)
        return refuse(ret, "PROXY line with a malformed address or port");
    *ret = h;
    return PROXY_DONE;
}

static enum proxy_state parse_v1(const char *data, size_t len, struct proxy_header *ret)
{
    size_t seen = MIN(len, (size_t)V1_MAX_BYTES);
    const char *end = memchr(data, '\n', seen), *cr = memchr(data, '\r', seen);

    if (end ? cr != end - 1 : cr && cr != data + seen - 1)
        return refuse(ret, "PROXY line with a bare CR or LF");
    if (!end && seen == V1_MAX_BYTES)
        return refuse(ret, "PROXY line longer than 107 bytes");
    return end ? read_v1(http_str(data, (size_t)(end - 1 - data)), ret) : PROXY_MORE;
}

/* Version 2 */

/* CRC32c (RFC 4960 appendix B; reflected polynomial 0x82f63b78), bit by bit: a header that has one
 * comes once a connection. */
static uint32_t crc32c(uint32_t crc, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78U : 0);
    }
    return crc;
}

/* True if @at, which is in the header of @len bytes, holds the sum of all with zeros there. */
static bool is_crc_good(const uint8_t *header, size_t len, const uint8_t *at)
{
    static const uint8_t zeros[4];
    const uint8_t *after = at + sizeof(zeros);
    uint32_t crc = crc32c(UINT32_MAX, header, (size_t)(at - header));

    crc = crc32c(crc, zeros, sizeof(zeros));
    crc = crc32c(crc, after, (size_t)(header + len - after));
    return ~crc == read_u32(at);
}

/* Reads the TLVs from @at to the end of the header. Returns NULL or what is wrong. */
static const char *read_tlvs(const uint8_t *header, size_t len, size_t at, struct proxy_header *h)
{
    bool summed = false;

    while (at < len) {
        const uint8_t *tlv = header + at;
        if (len - at < TLV_HEAD || len - at - TLV_HEAD < read_u16(tlv + 1))
            return "PROXY header with a TLV that is cut off";
        size_t value_len = read_u16(tlv + 1);
        if (tlv[0] == TLV_CRC32C) {
            if (summed || value_len != 4 || !is_crc_good(header, len, tlv + TLV_HEAD))
                return "PROXY header with a wrong CRC32c";
            summed = true;
        } else if (tlv[0] == TLV_SSL) {
            if (h->has_tls || value_len < SSL_FIXED)
                return "PROXY header with a malformed TLV about TLS";
            h->has_tls = true;
            h->tls = tlv[TLV_HEAD] & SSL_CLIENT_SSL;
        }
        at += TLV_HEAD + value_len;
    }
    return NULL;
}

static void read_addresses(const uint8_t *at, const struct family *f, struct proxy_header *h)
{
    h->has_addresses = true;
    if (f->family == AF_UNIX) {
        h->source = h->destination = (struct net_addr){.family = AF_UNIX};
        return;
    }
    net_addr_of_bytes(at, f->address_len, &h->source);
    net_addr_of_bytes(at + f->address_len, f->address_len, &h->destination);
    at += (size_t)2 * f->address_len;
    h->source_port = read_u16(at);
    h->destination_port = read_u16(at + 2);
}

/* @data: the complete header. */
static enum proxy_state read_v2(const uint8_t *data, size_t len, struct proxy_header *ret)
{
    const struct family *f = NULL;
    struct proxy_header h = {.len = len};
    unsigned command = data[12] & 0x0f, family = data[13] >> 4, transport = data[13] & 0x0f;

    if (command == COMMAND_LOCAL) { /* the rest is to be ignored, the family too */
        *ret = h;
        return PROXY_DONE;
    }
    if (family >= COUNT_OF(families) || transport >= TRANSPORT_COUNT)
        return refuse(ret, "PROXY header with an unknown family or transport");
    f = &families[family];
    if (f->family == AF_UNSPEC || transport == TRANSPORT_UNSPEC) {
        *ret = h;
        return PROXY_DONE;
    }
    size_t block = (size_t)2 * f->address_len + f->ports_len;
    if (len - V2_FIXED < block)
        return refuse(ret, "PROXY header too short for its addresses");
    read_addresses(data + V2_FIXED, f, &h);
    const char *wrong = read_tlvs(data, len, V2_FIXED + block, &h);
    if (wrong)
        return refuse(ret, wrong);
    *ret = h;
    return PROXY_DONE;
}

static enum proxy_state parse_v2(const uint8_t *data, size_t len, struct proxy_header *ret)
{
    if (len > 12 && (data[12] >> 4 != 2 || (data[12] & 0x0f) >= COMMAND_COUNT))
        return refuse(ret, "PROXY header with an unknown version or command");
    if (len < V2_FIXED)
        return PROXY_MORE;

    size_t whole = (size_t)V2_FIXED + read_u16(data + 14);
    if (whole > PROXY_MAX_BYTES)
        return refuse(ret, "PROXY header longer than 4096 bytes");
    return len < whole ? PROXY_MORE : read_v2(data, whole, ret);
}

enum proxy_state proxy_parse(const char *data, size_t len, struct proxy_header *ret)
{
    if (memcmp(data, v1_start, MIN(len, sizeof(v1_start))) == 0)
        return len < sizeof(v1_start) ? PROXY_MORE : parse_v1(data, len, ret);
    if (memcmp(data, v2_start, MIN(len, sizeof(v2_start))) == 0)
        return len < sizeof(v2_start) ? PROXY_MORE : parse_v2((const uint8_t *)data, len, ret);
    return refuse(ret, "no PROXY header");
}
