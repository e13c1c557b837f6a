/* SPDX-License-Identifier: MIT */
/* Who a process shall become, and becoming it. Dropping privileges is tried in forked children,
 * and only by root. */
#include "base/cred.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

#define NOBODY "nobody" /* 65534 in Debian, with the group nogroup (65534) */

static const struct {
    const char *user, *group;
    struct cred cred;
} good[] = {
    {NULL, NULL, {0}},
    {"root", NULL, {.set_uid = true, .set_gid = true}},
    {"0", "0", {.set_uid = true, .set_gid = true}},
    {NOBODY, NULL, {.set_uid = true, .set_gid = true, .uid = 65534, .gid = 65534}},
    {"65534", NULL, {.set_uid = true, .set_gid = true, .uid = 65534, .gid = 65534}},
    {NOBODY, "root", {.set_uid = true, .set_gid = true, .uid = 65534}},
    {NULL, "nogroup", {.set_gid = true, .gid = 65534}},
    {"3999999999", NULL, {.set_uid = true, .uid = 3999999999}}, /* nobody's: the group stays */
    {"3999999999", "12", {.set_uid = true, .set_gid = true, .uid = 3999999999, .gid = 12}},
};

static void test_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        const struct cred *want = &good[i].cred;
        struct errmsg err = {""};
        struct cred c = {0};

        if (cred_parse(good[i].user, good[i].group, &c, &err) != 0)
            fail_msg("case %zu: %s", i, err.text);
        assert_int_equal(c.set_uid, want->set_uid);
        assert_int_equal(c.set_gid, want->set_gid);
        assert_int_equal(c.uid, want->uid);
        assert_int_equal(c.gid, want->gid);
    }
}

static void test_refusals(void **state)
{
    /* (uid_t)-1 means "leave it" to the kernel: it is no user. */
    static const char *const bad[] = {
        "no-such-name",         "",   "-1", "12x", "4294967295", "4294967296",
        "99999999999999999999", " 0", "0 "};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct cred c = {.uid = 7, .gid = 7};
        struct errmsg err = {""};

        assert_int_equal(cred_parse(bad[i], NULL, &c, &err), -EINVAL);
        assert_non_null(strstr(err.text, "there is no user '"));
        assert_non_null(strstr(err.text, bad[i]));
        assert_int_equal(cred_parse(NOBODY, bad[i], &c, &err), -EINVAL);
        assert_non_null(strstr(err.text, "there is no group '"));
        assert_int_equal(c.uid, 7);
        assert_int_equal(c.gid, 7);
    }
}

static void test_owner(void **state)
{
    static const struct {
        const char *text;
        uid_t uid;
        gid_t gid;
    } cases[] = {
        {NOBODY, 65534, (gid_t)-1},     {NOBODY ":", 65534, 65534}, {NOBODY ":root", 65534, 0},
        {":nogroup", (uid_t)-1, 65534}, {"12:34", 12, 34},          {"0", 0, (gid_t)-1},
    };
    uid_t uid = 5;
    gid_t gid = 6;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(cred_parse_owner(cases[i].text, &uid, &gid, NULL), 0);
        assert_int_equal(uid, cases[i].uid);
        assert_int_equal(gid, cases[i].gid);
    }
    uid = 5;
    assert_int_equal(cred_parse_owner("no-such-name:root", &uid, &gid, NULL), -EINVAL);
    assert_int_equal(cred_parse_owner("root:no-such-name", &uid, &gid, NULL), -EINVAL);
    assert_int_equal(uid, 5);
}

static void become(void *data)
{
    const struct cred *want = data;
    uid_t ru = 0, eu = 0, su = 0;
    gid_t rg = 0, eg = 0, sg = 0;
    gid_t groups[64];

    UNIT_CHECK(setgroups(1, &(gid_t){77}) == 0);
    UNIT_CHECK(cred_drop(want, NULL) == 0);
    UNIT_CHECK(getresuid(&ru, &eu, &su) == 0 && getresgid(&rg, &eg, &sg) == 0);
    UNIT_CHECK(ru == want->uid && eu == want->uid && su == want->uid);
    UNIT_CHECK(rg == want->gid && eg == want->gid && sg == want->gid);
    int n = getgroups(64, groups);
    for (int i = 0; i < n; i++)
        UNIT_CHECK(groups[i] != 77 && groups[i] != 0);
    UNIT_CHECK(setuid(0) < 0 && setgid(0) < 0);
}

/* As an unprivileged user there is no way to become somebody else, and that is said. */
static void fail_to_become(void *data)
{
    struct errmsg err = {""};

    become(data);
    UNIT_CHECK(cred_drop(&(struct cred){.set_uid = true, .uid = 12}, &err) == -EPERM);
    UNIT_CHECK(strstr(err.text, "cannot become user 12"));
    UNIT_CHECK(cred_drop(&(struct cred){.set_gid = true, .gid = 12}, &err) == -EPERM);
    UNIT_CHECK(strstr(err.text, "cannot become group 12"));
    UNIT_CHECK(cred_drop(&(struct cred){0}, &err) == 0);
}

static void test_drop(void **state)
{
    struct cred with_entry = {.set_uid = true, .set_gid = true, .uid = 65534, .gid = 65534};
    struct cred without = {.set_uid = true, .set_gid = true, .uid = 3999999, .gid = 3999998};

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(unit_run_child(become, &with_entry), 0);
    assert_int_equal(unit_run_child(become, &without), 0);
    assert_int_equal(unit_run_child(fail_to_become, &without), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_owner),
        cmocka_unit_test(test_drop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
