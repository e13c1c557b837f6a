/* SPDX-License-Identifier: MIT */
/* What is a network, what is not, and who belongs to it. */
#include "base/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/un.h>

#include "unit.h"

static struct net_addr addr(const char *text)
{
    struct net_addr a = {.family = AF_UNIX};

    if (strcmp(text, "unix") != 0 && net_addr_parse(text, strlen(text), &a) < 0)
        fail_msg("'%s' is no address", text);
    return a;
}

static const struct {
    const char *text, *shown;
    sa_family_t family;
} addresses[] = {
    {"192.0.2.1", "192.0.2.1", AF_INET},
    {"0.0.0.0", "0.0.0.0", AF_INET},
    {"2001:DB8:0:0::1", "2001:db8::1", AF_INET6},
    {"::", "::", AF_INET6},
    {"::ffff:192.0.2.1", "192.0.2.1", AF_INET},
    {"::FFFF:c000:201", "192.0.2.1", AF_INET},
    {"::192.0.2.1", "::192.0.2.1", AF_INET6}, /* not mapped: RFC 4291 section 2.5.5.1 */
    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe",
     AF_INET6},
};

static void test_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(addresses); i++) {
        char text[NET_ADDR_TEXT];
        struct net_addr a = addr(addresses[i].text);

        assert_int_equal(a.family, addresses[i].family);
        assert_string_equal(net_addr_format(&a, text), addresses[i].shown);
    }
}

static const char *const no_addresses[] = {
    "",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.04",
    "1.2.3.256",
    "0x1.2.3.4",
    "1.2.3.4 ",
    " 1.2.3.4",
    "localhost",
    "fe80::1%lo",
    "[::1]",
    "1.2.3.4:80",
    "1::2::3",
    "12345::",
    ":::",
    "1:2:3:4:5:6:7",
    "unix",
    "-1.2.3.4",
    "0000:0000:0000:0000:0000:ffff:192.168.100.228x",
};

static void test_no_addresses(void **state)
{
    struct net_addr a = {.family = 77};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(no_addresses); i++)
        if (net_addr_parse(no_addresses[i], strlen(no_addresses[i]), &a) != -EINVAL)
            fail_msg("'%s' was taken", no_addresses[i]);
    assert_int_equal(net_addr_parse("1.2.3.4\0x", 9, &a), -EINVAL);
    assert_int_equal(a.family, 77);
}

static void test_of_sockets(void **state)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(4711)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(65535)};
    const struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/x"};
    const struct sockaddr none = {.sa_family = AF_UNSPEC};
    struct net_addr a, b;
    char text[NET_ADDR_TEXT];

    (void)state;
    assert_int_equal(inet_pton(AF_INET, "192.0.2.1", &in.sin_addr), 1);
    assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.1", &in6.sin6_addr), 1);
    net_addr_of((struct sockaddr *)&in, &a);
    net_addr_of((struct sockaddr *)&in6, &b);
    assert_true(net_addr_equal(&a, &b));
    assert_int_equal(inet_pton(AF_INET6, "::1", &in6.sin6_addr), 1);
    net_addr_of((struct sockaddr *)&in6, &b);
    assert_false(net_addr_equal(&a, &b));
    assert_string_equal(net_addr_format(&b, text), "::1");
    net_addr_of((const struct sockaddr *)&un, &a);
    assert_int_equal(a.family, AF_UNIX);
    assert_string_equal(net_addr_format(&a, text), "");
    assert_int_equal(net_port_of((struct sockaddr *)&in), 4711);
    assert_int_equal(net_port_of((struct sockaddr *)&in6), 65535);
    assert_int_equal(net_port_of((const struct sockaddr *)&un), 0);
    net_addr_of(&none, &a);
    assert_int_equal(a.family, AF_UNSPEC);
    assert_string_equal(net_addr_format(&a, text), "");
}

static const struct {
    const char *list, *in, *out; /* addresses, separated by blanks */
} members[] = {
    {"192.0.2.1", "192.0.2.1 ::ffff:192.0.2.1", "192.0.2.0 192.0.2.2 ::1 unix"},
    {"10.0.0.0/8", "10.0.0.0 10.255.255.255 ::ffff:10.1.2.3", "9.255.255.255 11.0.0.0 ::10.0.0.1"},
    {"192.0.2.128/25", "192.0.2.128 192.0.2.255", "192.0.2.127"},
    {"192.0.2.4/31", "192.0.2.4 192.0.2.5", "192.0.2.6 192.0.2.3"},
    {"192.0.2.4/32", "192.0.2.4", "192.0.2.5"},
    {"0.0.0.0/0", "1.2.3.4 ::ffff:1.2.3.4", "::1 unix"},
    {"::/0", "::1 2001:db8::1", "1.2.3.4 ::ffff:1.2.3.4 unix"},
    {"2001:db8::/32", "2001:db8:: 2001:db8:ffff::1", "2001:db7:: 2001:db9::"},
    {"2001:db8::1", "2001:db8:0::1", "2001:db8::2"},
    {"2001:db8:8000::/33", "2001:db8:ffff::", "2001:db8:7fff::"},
    {"::ffff:10.0.0.0/104", "10.1.2.3", "11.0.0.0"},
    {"::ffff:0:0/96", "10.1.2.3", "::1"},
    {"unix", "unix", "127.0.0.1 ::1"},
    {"all", "unix 1.2.3.4 ::1", ""},
    {"none", "", "unix 1.2.3.4 ::1"},
    {"10.0.0.0/8, 192.0.2.1 ,unix\t::1", "10.0.0.1 192.0.2.1 unix ::1", "127.0.0.1 ::2"},
    {"none,10.0.0.1", "10.0.0.1", "unix"},
};

static void check_members(const struct net_list *l, const char *texts, bool in)
{
    char copy[128];

    assert_true(strlen(texts) < sizeof(copy));
    memcpy(copy, texts, strlen(texts) + 1);
    for (char *save = NULL, *t = strtok_r(copy, " ", &save); t; t = strtok_r(NULL, " ", &save)) {
        struct net_addr a = addr(t);
        if (net_list_has(l, &a) != in)
            fail_msg("%s is %s", t, in ? "out" : "in");
    }
}

static void test_members(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        struct net_list l = {0};
        struct errmsg err = {""};

        if (net_list_add(&l, members[i].list, &err) < 0)
            fail_msg("%s: %s", members[i].list, err.text);
        check_members(&l, members[i].in, true);
        check_members(&l, members[i].out, false);
        net_list_done(&l);
    }
}

/* Hops in a field that somebody wrote are not peers: "all" says nothing about them. */
static void test_names(void **state)
{
    struct net_list l = {0};
    struct net_addr a = addr("10.0.0.1"), b = addr("192.0.2.1"), none = {.family = AF_UNSPEC};

    (void)state;
    assert_int_equal(net_list_add(&l, "all,10.0.0.0/8", NULL), 0);
    assert_true(net_list_names(&l, &a));
    assert_false(net_list_names(&l, &b));
    assert_false(net_list_names(&l, &none));
    assert_true(net_list_has(&l, &b));
    assert_true(net_list_has(&l, &none));
    net_list_done(&l);
}

static const struct {
    const char *text, *message;
} bad[] = {
    {"", "a network is missing; accepted are addresses"},
    {" , ", "a network is missing"},
    {"*", "'*' is no network; accepted are addresses (192.0.2.1, 2001:db8::1), networks "
          "(10.0.0.0/8, 2001:db8::/32), unix (UNIX sockets), all (every peer) and none"},
    {"10.0.0.0/33", "'10.0.0.0/33' is no network"},
    {"10.0.0.0/", "'10.0.0.0/' is no network"},
    {"10.0.0.0/08", "'10.0.0.0/08' is no network"},
    {"10.0.0.0/-1", "'10.0.0.0/-1' is no network"},
    {"10.0.0.0/8x", "'10.0.0.0/8x' is no network"},
    {"10.0.0.0/255.0.0.0", "'10.0.0.0/255.0.0.0' is no network"},
    {"10.0.0.0/8/8", "'10.0.0.0/8/8' is no network"},
    {"/8", "'/8' is no network"},
    {"10/8", "'10/8' is no network"},
    {"::/129", "'::/129' is no network"},
    {"::ffff:0:0/95", "'::ffff:0:0/95' is no network"},
    {"proxy.example.org", "'proxy.example.org' is no network"},
    {"127.0.0.1:80", "'127.0.0.1:80' is no network"},
    {"UNIX", "'UNIX' is no network"},
    {"10.0.0.1/8",
     "'10.0.0.1/8' is an address in the network 10.0.0.0/8: write that, or the address alone"},
    {"2001:db8::1/32", "'2001:db8::1/32' is an address in the network 2001:db8::/32"},
    {"::ffff:10.0.0.1/104", "'::ffff:10.0.0.1/104' is an address in the network 10.0.0.0/8"},
    {"10.0.0.1, nonsense", "'nonsense' is no network"},
};

static void test_bad(void **state)
{
    struct net_list l = {0};

    (void)state;
    assert_int_equal(net_list_add(&l, "192.0.2.1", NULL), 0);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct errmsg err = {""};

        assert_int_equal(net_list_add(&l, bad[i].text, &err), -EINVAL);
        if (strncmp(err.text, bad[i].message, strlen(bad[i].message)) != 0)
            fail_msg("'%s': %s", bad[i].text, err.text);
        assert_int_equal(l.n_items, 1);
    }
    net_list_done(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),  cmocka_unit_test(test_no_addresses),
        cmocka_unit_test(test_of_sockets), cmocka_unit_test(test_members),
        cmocka_unit_test(test_names),      cmocka_unit_test(test_bad),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
