/* SPDX-License-Identifier: MIT */
/* PROXY protocol headers: what they say, what is refused, and at which byte. */
#include "proto/proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"

#define BYTES(text) text, sizeof(text) - 1

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
/* command and version, family and transport, length */
#define V2(command, family, len) SIGNATURE command family len
#define IP4                                                                                        \
    "\xc0\0\2\1"                                                                                   \
    "\xc6\x33\x64\2"                                                                               \
    "\x30\x39"                                                                                     \
    "\1\xbb"
#define IP6                                                                                        \
    "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"                                                       \
    "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2"                                                       \
    "\xff\xff"                                                                                     \
    "\0\x50"
#define MAPPED                                                                                     \
    "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1"                                                       \
    "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc6\x33\x64\2"                                                   \
    "\0\1"                                                                                         \
    "\0\x50"
#define UNIX54                                                                                     \
    "/run/a.sock\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"              \
    "\0\0\0\0\0\0\0\0\0"
#define UNIX216 UNIX54 UNIX54 UNIX54 UNIX54

static const struct {
    const char *data;
    size_t len;
    const char *source, *destination; /* NULL: no addresses */
    uint16_t source_port, destination_port;
    bool has_tls, tls;
} good[] = {
    {BYTES("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"), "192.0.2.1", "198.51.100.2", 56324,
     443, false, false},
    {BYTES("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), "255.255.255.255",
     "255.255.255.255", 65535, 65535, false, false},
    {BYTES("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"), "0.0.0.0", "0.0.0.0", 0, 0, false, false},
    {BYTES("PROXY TCP6 2001:DB8::1 ::1 1 80\r\n"), "2001:db8::1", "::1", 1, 80, false, false},
    {BYTES("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535,
     65535, false, false},
    {BYTES("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 1 2\r\n"), "192.0.2.1", "198.51.100.2",
     1, 2, false, false},
    {BYTES("PROXY UNKNOWN\r\n"), NULL, NULL, 0, 0, false, false},
    {BYTES("PROXY UNKNOWN ffff:f any \1thing 65535\r\n"), NULL, NULL, 0, 0, false, false},

    {BYTES(V2("\x21", "\x11", "\0\x0c") IP4), "192.0.2.1", "198.51.100.2", 12345, 443, false,
     false},
    {BYTES(V2("\x21", "\x12", "\0\x0c") IP4), "192.0.2.1", "198.51.100.2", 12345, 443, false,
     false},
    {BYTES(V2("\x21", "\x21", "\0\x24") IP6), "2001:db8::1", "2001:db8::2", 65535, 80, false,
     false},
    {BYTES(V2("\x21", "\x21", "\0\x24") MAPPED), "192.0.2.1", "198.51.100.2", 1, 80, false, false},
    {BYTES(V2("\x21", "\x31", "\0\xd8") UNIX216), "", "", 0, 0, false, false},
    /* health checks, and what nobody knows */
    {BYTES(V2("\x20", "\0", "\0\0")), NULL, NULL, 0, 0, false, false},
    {BYTES(V2("\x20", "\xff", "\0\3") "abc"), NULL, NULL, 0, 0, false, false},
    {BYTES(V2("\x21", "\0", "\0\0")), NULL, NULL, 0, 0, false, false},
    {BYTES(V2("\x21", "\0", "\0\2") "ab"), NULL, NULL, 0, 0, false, false},
    {BYTES(V2("\x21", "\x10", "\0\x0c") IP4), NULL, NULL, 0, 0, false, false},
    {BYTES(V2("\x21", "\1", "\0\0")), NULL, NULL, 0, 0, false, false},
    /* TLVs: NOOP and an unknown one are skipped; TLS; nested ones are not looked at */
    {BYTES(V2("\x21", "\x11", "\0\x15") IP4 "\4\0\3abc"
                                            "\xea\0\0"),
     "192.0.2.1", "198.51.100.2", 12345, 443, false, false},
    {BYTES(V2("\x21", "\x11", "\0\x14") IP4 "\x20\0\5"
                                            "\1\0\0\0\1"),
     "192.0.2.1", "198.51.100.2", 12345, 443, true, true},
    {BYTES(V2("\x21", "\x11", "\0\x1e") IP4 "\x20\0\x0f"
                                            "\7\0\0\0\0"
                                            "\x21\0\7TLSv1.3"),
     "192.0.2.1", "198.51.100.2", 12345, 443, true, true},
    {BYTES(V2("\x21", "\x11", "\0\x14") IP4 "\x20\0\5"
                                            "\0\0\0\0\1"),
     "192.0.2.1", "198.51.100.2", 12345, 443, true, false},
    {BYTES(V2("\x21", "\x11", "\0\x13") IP4 "\3\0\4"
                                            "\xc8\xcc\xd4\xb7"),
     "192.0.2.1", "198.51.100.2", 12345, 443, false, false},
};

/* In memory of its own, so that the sanitizer sees a read behind the end. */
static enum proxy_state parse(const char *data, size_t len, struct proxy_header *ret)
{
    char *copy = malloc(len + 1);

    assert_non_null(copy);
    memcpy(copy + 1, data, len);
    enum proxy_state state = proxy_parse(copy + 1, len, ret);
    free(copy);
    return state;
}

static void check_address(const struct net_addr *a, const char *expected)
{
    char text[NET_ADDR_TEXT];

    assert_string_equal(net_addr_format(a, text), expected);
    if (*expected == '\0')
        assert_int_equal(a->family, AF_UNIX);
}

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct proxy_header h = {0};
        char data[512];

        for (size_t len = 0; len < good[i].len; len++)
            if (parse(good[i].data, len, &h) != PROXY_MORE)
                fail_msg("case %zu: not MORE after %zu bytes: %s", i, len, h.reason);
        memcpy(data, good[i].data, good[i].len);
        memcpy(data + good[i].len, "GET", 3);
        for (size_t more = 0; more <= 3; more += 3) {
            if (parse(data, good[i].len + more, &h) != PROXY_DONE)
                fail_msg("case %zu: %s", i, h.reason);
            assert_int_equal(h.len, good[i].len);
        }
        assert_int_equal(h.has_addresses, good[i].source != NULL);
        assert_int_equal(h.has_tls, good[i].has_tls);
        assert_int_equal(h.tls, good[i].tls);
        assert_int_equal(h.source_port, good[i].source_port);
        assert_int_equal(h.destination_port, good[i].destination_port);
        if (good[i].source) {
            check_address(&h.source, good[i].source);
            check_address(&h.destination, good[i].destination);
        }
    }
}

#define NO      "no PROXY header"
#define FAMILY  "PROXY line with a protocol other than TCP4, TCP6 and UNKNOWN"
#define ADDRESS "PROXY line with a malformed address or port"
#define BARE    "PROXY line with a bare CR or LF"

static const struct {
    const char *data;
    size_t len;
    const char *reason;
    size_t at; /* bytes that suffice to see it; 0: all */
} bad[] = {
    {BYTES("GET / HTTP/1.1\r\n"), NO, 1},
    {BYTES("PROXI"), NO, 5},
    {BYTES("PROXY\tTCP4"), NO, 6},
    {BYTES("proxy TCP4 "), NO, 1},
    {BYTES("\r\n\r\nGET"), NO, 5},
    {BYTES("\r\n\r\n\0\r\nQUIX"), NO, 11},
    {BYTES("\x16\3\1"), NO, 1},
    {BYTES("PROXY  TCP4 1.2.3.4 1.2.3.4 1 1\r\n"), FAMILY, 0},
    {BYTES("PROXY TCP5 1.2.3.4 1.2.3.4 1 1\r\n"), FAMILY, 0},
    {BYTES("PROXY tcp4 1.2.3.4 1.2.3.4 1 1\r\n"), FAMILY, 0},
    {BYTES("PROXY UNKNOWNX\r\n"), FAMILY, 0},
    {BYTES("PROXY \r\n"), FAMILY, 0},
    {BYTES("PROXY TCP4\r\n"), ADDRESS, 0},
    {BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n"), ADDRESS, 0},
    {BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 1 \r\n"), ADDRESS, 0},
    {BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 1 1\r\n"), ADDRESS, 0},
    {BYTES("PROXY TCP4 1.2.3.4  1.2.3.4 1 1\r\n"), ADDRESS, 0},
    {BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1  1\r\n"), ADDRESS, 0},
    {BYTES("PROXY TCP4 1.2.3.04 1.2.3.4 1 1\r\n"), ADDRESS, 0},
    {BYTES("PROXY TCP4 1.2.3.4 1.2.3.256 1 1\r\n"), ADDRESS, 0},
    {BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 01 1\r\n"), ADDRESS, 0},
    {BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 65536 1\r\n"), ADDRESS, 0},
    {BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 -1\r\n"), ADDRESS, 0},
    {BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 100000\r\n"), ADDRESS, 0},
    {BYTES("PROXY TCP4 ::1 ::1 1 1\r\n"), ADDRESS, 0},
    {BYTES("PROXY TCP6 1.2.3.4 1.2.3.4 1 1\r\n"), ADDRESS, 0},
    {BYTES("PROXY TCP6 ::1%lo ::1 1 1\r\n"), ADDRESS, 0},
    {BYTES("PROXY TCP6 [::1] ::1 1 1\r\n"), ADDRESS, 0},
    {BYTES("PROXY TCP4 1.2.3.4\t1.2.3.4 1 1\r\n"), ADDRESS, 0},
    {BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 1\n"), BARE, 0},
    {BYTES("PROXY TCP4 1.2.3.4\r1.2.3.4 1 1\r\n"), BARE, 20},
    {BYTES("PROXY TCP4 1.2.3.4 1.2.3.4 1 1\r\r\n"), BARE, 32},
    {BYTES("PROXY \n"), BARE, 0},
    {BYTES("PROXY UNKNOWN aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
           "aaaaaa"
           "aaaaaaaaaaaaaaaaaaaaaa\r\n"),
     "PROXY line longer than 107 bytes", 107},

    {BYTES(SIGNATURE "\x11\x11\0\x0c" IP4), "PROXY header with an unknown version or command", 13},
    {BYTES(SIGNATURE "\x31\x11\0\x0c" IP4), "PROXY header with an unknown version or command", 13},
    {BYTES(SIGNATURE "\x22\x11\0\x0c" IP4), "PROXY header with an unknown version or command", 13},
    {BYTES(V2("\x21", "\x41", "\0\x0c") IP4), "PROXY header with an unknown family or transport",
     0},
    {BYTES(V2("\x21", "\x13", "\0\x0c") IP4), "PROXY header with an unknown family or transport",
     0},
    {BYTES(V2("\x21", "\x11", "\x0f\xf1")), "PROXY header longer than 4096 bytes", 16},
    {BYTES(V2("\x20", "\0", "\xff\xff")), "PROXY header longer than 4096 bytes", 16},
    {BYTES(V2("\x21", "\x11", "\0\x0b") "\xc0\0\2\1\xc6\x33\x64\2\x30\x39\1"),
     "PROXY header too short for its addresses", 0},
    {BYTES(V2("\x21", "\x21", "\0\x0c") IP4), "PROXY header too short for its addresses", 0},
    {BYTES(V2("\x21", "\x31", "\0\x0c") IP4), "PROXY header too short for its addresses", 0},
    {BYTES(V2("\x21", "\x11", "\0\x0d") IP4 "\4"), "PROXY header with a TLV that is cut off", 0},
    {BYTES(V2("\x21", "\x11", "\0\x0e") IP4 "\4\0"), "PROXY header with a TLV that is cut off", 0},
    {BYTES(V2("\x21", "\x11", "\0\x10") IP4 "\4\0\2a"), "PROXY header with a TLV that is cut off",
     0},
    {BYTES(V2("\x21", "\x11", "\0\x13") IP4 "\x20\0\4"
                                            "\1\0\0\0"),
     "PROXY header with a malformed TLV about TLS", 0},
    {BYTES(V2("\x21", "\x11", "\0\x1c") IP4 "\x20\0\5"
                                            "\0\0\0\0\1"
                                            "\x20\0\5"
                                            "\1\0\0\0\1"),
     "PROXY header with a malformed TLV about TLS", 0},
    {BYTES(V2("\x21", "\x11", "\0\x13") IP4 "\3\0\4"
                                            "\0\0\0\0"),
     "PROXY header with a wrong CRC32c", 0},
    {BYTES(V2("\x21", "\x11", "\0\x12") IP4 "\3\0\3"
                                            "\0\0\0"),
     "PROXY header with a wrong CRC32c", 0},
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        size_t at = bad[i].at > 0 ? bad[i].at : bad[i].len;
        struct proxy_header h = {.len = 77};

        if (parse(bad[i].data, at - 1, &h) != PROXY_MORE)
            fail_msg("case %zu is refused before byte %zu: %s", i, at, h.reason);
        for (size_t len = at; len <= bad[i].len; len++) {
            if (parse(bad[i].data, len, &h) != PROXY_REFUSED)
                fail_msg("case %zu is not refused after byte %zu", i, len);
            assert_string_equal(h.reason, bad[i].reason);
        }
        assert_int_equal(h.len, 77);
    }
}

/* Every flipped bit of a header with a sum is seen, wherever it is. */
static void test_every_bit_is_summed(void **state)
{
    static const char data[] = V2("\x21", "\x11", "\0\x17") IP4 "\4\0\1x"
                                                                "\3\0\4"
                                                                "\0\0\0\0";
    char copy[sizeof(data) - 1];
    struct proxy_header h = {0};
    uint32_t crc = UINT32_MAX;

    (void)state;
    memcpy(copy, data, sizeof(copy));
    for (size_t i = 0; i < sizeof(copy); i++) {
        crc ^= (unsigned char)copy[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0x82f63b78U : crc >> 1;
    }
    crc = __builtin_bswap32(~crc);
    memcpy(copy + sizeof(copy) - 4, &crc, 4);
    assert_int_equal(parse(copy, sizeof(copy), &h), PROXY_DONE);
    for (size_t bit = 0; bit < 8 * (8 + 4 + 1); bit++) { /* addresses, ports, NOOP's type */
        copy[16 + bit / 8] = (char)(copy[16 + bit / 8] ^ 1 << bit % 8);
        assert_int_equal(parse(copy, sizeof(copy), &h), PROXY_REFUSED);
        copy[16 + bit / 8] = (char)(copy[16 + bit / 8] ^ 1 << bit % 8);
    }
}

static void test_the_longest(void **state)
{
    static char data[PROXY_MAX_BYTES] = V2("\x21", "\x11", "\x0f\xf0") IP4 "\4\x0f\xe1";
    struct proxy_header h = {0};

    (void)state;
    assert_int_equal(parse(data, sizeof(data) - 1, &h), PROXY_MORE);
    assert_int_equal(parse(data, sizeof(data), &h), PROXY_DONE);
    assert_int_equal(h.len, PROXY_MAX_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_every_bit_is_summed),
        cmocka_unit_test(test_the_longest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
