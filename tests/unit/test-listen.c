/* SPDX-License-Identifier: MIT */
/* Sockets that generations share: which are made when, which stay, which go. */
#include "instance/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/strv.h"
#include "tls-fixture.h"
#include "unit.h"

static char folder[sizeof(UNIT_FOLDER)];
static size_t n_fds_before;

/* A configuration that names a, b ... in the folder; "tcp" is a port that the kernel chooses. */
static struct instance_conf conf;

static int set_up(void **state)
{
    (void)state;
    unit_make_folder(folder);
    n_fds_before = unit_count_fds();
    conf = (struct instance_conf){.backlog = 8, .chmod_socket = 0600, .vacuum = true};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    strv_done(&conf.http_sockets);
    strv_done(&conf.uwsgi_sockets);
    strv_done(&conf.fastcgi_sockets);
    strv_done(&conf.scgi_sockets);
    strv_done(&conf.https_sockets);
    assert_int_equal(unit_count_fds(), n_fds_before);
    unit_remove_folder(folder);
    return 0;
}

/* The path of @name; good until the next call. */
static const char *in_folder(const char *name)
{
    static char path[64];

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

/* @names: separated by blanks. */
static void set_sockets(const char *names)
{
    char copy[128];

    strv_done(&conf.http_sockets);
    (void)snprintf(copy, sizeof(copy), "%s", names);
    for (const char *name = strtok(copy, " "); name; name = strtok(NULL, " "))
        assert_int_equal(strv_append(&conf.http_sockets,
                                     strcmp(name, "tcp") == 0 ? "127.0.0.1:0" : in_folder(name)),
                         0);
}

static void must_open(struct listeners *l, const struct listeners *old, enum listen_phase phase)
{
    struct errmsg err = {""};

    if (listeners_open(l, &conf, old, phase, &err) != 0)
        fail_msg("%s", err.text);
}

static bool is_there(const char *name)
{
    return access(in_folder(name), F_OK) == 0;
}

static bool can_connect(const struct listener *l)
{
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof(sa);

    if (getsockname(l->fd, (struct sockaddr *)&sa, &len) < 0)
        return false;
    /* A socket's file was renamed after it was bound: its name is the configuration's. */
    const struct sockaddr *to = sa.ss_family == AF_UNIX ? &l->addr.sa.any : (struct sockaddr *)&sa;
    if (sa.ss_family == AF_UNIX)
        len = l->addr.len;
    int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good = connect(fd, to, len) == 0;
    (void)close(fd);
    return good;
}

static void test_open_and_release(void **state)
{
    struct listeners l = {0};

    (void)state;
    set_sockets("a tcp b a");
    must_open(&l, NULL, LISTEN_ALL);
    assert_int_equal(l.n_items, 3); /* one that is named twice is one */
    assert_string_equal(l.items[0]->text, in_folder("a"));
    assert_string_equal(l.items[1]->text, "127.0.0.1:0");
    for (size_t i = 0; i < l.n_items; i++)
        assert_true(can_connect(l.items[i]));
    listeners_release(&l);
    assert_int_equal(l.n_items, 0);
    assert_false(is_there("a"));
    listeners_release(&l);
}

static void test_no_vacuum(void **state)
{
    struct listeners l = {0};

    (void)state;
    conf.vacuum = false;
    set_sockets("a");
    must_open(&l, NULL, LISTEN_ALL);
    listeners_release(&l);
    assert_true(is_there("a"));
}

/* A reload: a stays the same socket, never closed; b goes when the old generation has gone. */
static void test_sharing(void **state)
{
    struct listeners old = {0}, new = {0};

    (void)state;
    set_sockets("a b tcp");
    must_open(&old, NULL, LISTEN_ALL);
    int fd_a = old.items[0]->fd;
    set_sockets("c a tcp");
    must_open(&new, &old, LISTEN_ALL);
    assert_int_equal(new.n_items, 3);
    assert_int_equal(new.items[1]->fd, fd_a);
    assert_ptr_equal(new.items[2], old.items[2]);
    assert_true(is_there("b"));

    listeners_release(&old);
    assert_false(is_there("b"));
    assert_true(is_there("a"));
    assert_true(is_there("c"));
    for (size_t i = 0; i < new.n_items; i++)
        assert_true(can_connect(new.items[i]));
    listeners_release(&new);
    assert_false(is_there("a"));
}

/* A reload that fails: what it made is gone, what serves is as it was. */
static void test_failed_reload(void **state)
{
    struct listeners old = {0}, new = {0};
    struct errmsg err = {""};

    (void)state;
    set_sockets("a");
    must_open(&old, NULL, LISTEN_ALL);
    set_sockets("a b nowhere/c");
    assert_int_equal(listeners_open(&new, &conf, &old, LISTEN_ALL, &err), -ENOENT);
    assert_non_null(strstr(err.text, "http-socket: cannot bind "));
    assert_true(is_there("b"));
    listeners_release(&new);
    assert_false(is_there("b"));
    assert_true(can_connect(old.items[0]));
    listeners_release(&old);
}

/* A socket that stays gets the mode that the new configuration says, but not before its generation
 * takes over: it may never do. */
static void test_mode_changes(void **state)
{
    struct listeners old = {0}, new = {0};
    struct errmsg err = {""};
    struct stat st;

    (void)state;
    set_sockets("a");
    must_open(&old, NULL, LISTEN_ALL);
    conf.chmod_socket = 0666;
    must_open(&new, &old, LISTEN_ALL);
    assert_int_equal(stat(in_folder("a"), &st), 0);
    assert_int_not_equal(st.st_mode & 0777, 0666);
    assert_int_equal(listeners_adjust(&new, &conf, &err), 0);
    assert_int_equal(stat(in_folder("a"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0666);
    listeners_release(&old);
    listeners_release(&new);
}

/* Somebody removed the socket's file: a reload brings it back. */
static void test_removed_file(void **state)
{
    struct listeners old = {0}, new = {0};

    (void)state;
    set_sockets("a");
    must_open(&old, NULL, LISTEN_ALL);
    assert_int_equal(unlink(in_folder("a")), 0);
    must_open(&new, &old, LISTEN_ALL);
    assert_true(is_there("a"));
    assert_ptr_not_equal(old.items[0], new.items[0]);
    listeners_release(&old);
    assert_true(is_there("a"));
    listeners_release(&new);
}

/* Before the privileges are dropped only what may need them is made. */
static void test_phases(void **state)
{
    struct listeners l = {0};
    char nobody[] = "nobody";
    struct stat st;

    (void)state;
    set_sockets("a tcp");
    must_open(&l, NULL, LISTEN_PRIVILEGED);
    assert_int_equal(l.n_items, 1);
    assert_string_equal(l.items[0]->text, "127.0.0.1:0");
    assert_false(is_there("a"));
    const struct listener *tcp = l.items[0];
    must_open(&l, NULL, LISTEN_ALL);
    assert_int_equal(l.n_items, 2);
    assert_ptr_equal(l.items[0], tcp);
    listeners_release(&l);

    if (geteuid() != 0)
        return;
    conf.chown_socket = nobody;
    must_open(&l, NULL, LISTEN_PRIVILEGED);
    assert_int_equal(l.n_items, 2);
    assert_int_equal(stat(in_folder("a"), &st), 0);
    assert_int_equal(st.st_uid, 65534);
    listeners_release(&l);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *address, *owner;
        int error;
        const char *said;
    } cases[] = {
        {"example.org:80", NULL, -EINVAL, "http-socket: 'example.org:80' is not an address"},
        {"fd://999", NULL, -EBADF, "http-socket: fd://999"},
        {"127.0.0.1:0", "no-such-user", -EINVAL, "chown-socket: there is no user 'no-such-user'"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct listeners l = {0};
        struct errmsg err = {""};
        char owner[32] = "";

        strv_done(&conf.http_sockets);
        assert_int_equal(strv_append(&conf.http_sockets, cases[i].address), 0);
        if (cases[i].owner)
            (void)snprintf(owner, sizeof(owner), "%s", cases[i].owner);
        conf.chown_socket = cases[i].owner ? owner : NULL;
        assert_int_equal(listeners_open(&l, &conf, NULL, LISTEN_ALL, &err), cases[i].error);
        if (!strstr(err.text, cases[i].said))
            fail_msg("said was: %s", err.text);
        listeners_release(&l);
    }
    conf.chown_socket = NULL;
}

/* What is spoken where; a reload may say something else of a socket that stays. */
static void test_protocols(void **state)
{
    struct listeners old = {0}, new = {0};
    struct errmsg err = {""};

    (void)state;
    set_sockets("a");
    assert_int_equal(strv_append(&conf.uwsgi_sockets, in_folder("b")), 0);
    assert_int_equal(strv_append(&conf.fastcgi_sockets, in_folder("c")), 0);
    assert_int_equal(strv_append(&conf.scgi_sockets, in_folder("d")), 0);
    must_open(&old, NULL, LISTEN_ALL);
    assert_int_equal(old.n_items, 4);
    for (size_t i = 0; i < 4; i++) {
        char name[2] = {(char)('a' + i), '\0'};
        assert_string_equal(old.items[i]->text, in_folder(name));
        assert_int_equal(old.protocols[i], PROTO_HTTP + i);
    }
    strv_done(&conf.uwsgi_sockets);
    set_sockets("b");
    must_open(&new, &old, LISTEN_ALL);
    assert_ptr_equal(new.items[0], old.items[1]);
    assert_int_equal(new.protocols[0], PROTO_HTTP);
    assert_int_equal(old.protocols[1], PROTO_UWSGI);
    listeners_release(&old);
    listeners_release(&new);

    assert_int_equal(strv_append(&conf.scgi_sockets, in_folder("b")), 0);
    assert_int_equal(listeners_open(&new, &conf, NULL, LISTEN_ALL, &err), -EINVAL);
    assert_non_null(strstr(err.text, "scgi-socket: "));
    assert_non_null(strstr(err.text, "is there for another protocol too (http-socket)"));
    listeners_release(&new);
}

static void test_too_many(void **state)
{
    struct listeners l = {0};
    struct errmsg err = {""};

    (void)state;
    for (int i = 0; i <= LISTEN_MAX_SOCKETS; i++)
        assert_int_equal(strv_appendf(&conf.http_sockets, "@%s/%d", folder, i), 0);
    assert_int_equal(listeners_open(&l, &conf, NULL, LISTEN_ALL, &err), -E2BIG);
    assert_int_equal(l.n_items, LISTEN_MAX_SOCKETS);
    listeners_release(&l);
}

/* An https-socket is a socket with its certificates; an address serves one thing. */
static void test_https(void **state)
{
    struct tls_ticket_key key;
    struct listeners l = {0};
    struct errmsg err = {""};

    assert_int_equal(tls_fixture_set_up(state), 0);
    char *text = tls_fixture_setting("");
    assert_int_equal(tls_ticket_key_make(&key), 0);
    text[1] = '0'; /* a port that the kernel chooses */
    memmove(text + 2, strchr(text, ','), strlen(strchr(text, ',')) + 1);
    set_sockets("a");
    for (int i = 0; i < 2; i++) /* the same twice is once */
        assert_int_equal(strv_append(&conf.https_sockets, text), 0);
    assert_int_equal(certificates_load(&l.certificates, &conf.https_sockets, NULL, &key, &err), 0);
    must_open(&l, NULL, LISTEN_PRIVILEGED);
    assert_int_equal(l.n_items, 1);
    must_open(&l, NULL, LISTEN_ALL);
    assert_int_equal(l.n_items, 2);
    assert_string_equal(l.items[0]->text, ":0");
    assert_ptr_equal(l.tls[0], l.certificates.items[0]);
    assert_null(l.tls[1]);

    assert_int_equal(strv_append(&conf.http_sockets, ":0"), 0);
    assert_int_equal(listeners_open(&l, &conf, NULL, LISTEN_ALL, &err), -EINVAL);
    assert_string_equal(err.text,
                        "http-socket: :0 is there for another protocol too (https-socket)");
    listeners_release(&l);
    free(text);
    assert_int_equal(tls_fixture_tear_down(state), 0);
}

static int make_socket(const char *name)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", in_folder(name));
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

/* Sockets that somebody else has bound go from generation to generation, and are left as they are.
 */
static void test_given(void **state)
{
    char http[] = "http";
    struct listeners given = {0}, first = {0}, old = {0}, new = {0};
    struct errmsg err = {""};

    (void)state;
    assert_int_equal(listeners_give(&given, make_socket("b"), 0, &err), 0);
    assert_int_equal(listeners_give(&given, make_socket("x"), -1, &err), 0);
    int again = dup(given.items[0]->fd);
    assert_int_equal(listeners_give(&given, again, -1, &err), 0); /* is there */
    assert_int_equal(given.n_items, 2);
    assert_int_equal(fcntl(again, F_GETFD), -1);

    set_sockets("a b");
    must_open(&first, &given, LISTEN_PRIVILEGED);
    must_open(&old, &first, LISTEN_ALL);
    listeners_release(&given);
    listeners_release(&first);
    assert_int_equal(old.n_items, 3);
    assert_string_equal(old.items[2]->text, in_folder("x"));
    assert_string_equal(listeners_protocol(&old, 1), "http");
    assert_string_equal(listeners_protocol(&old, 2), "uwsgi");
    assert_int_equal(listeners_adjust(&old, &conf, &err), 0);

    set_sockets("c");
    assert_int_equal(strv_append(&conf.http_sockets, "fd://0"), 0);
    conf.protocol = http;
    must_open(&new, &old, LISTEN_ALL);
    assert_int_equal(new.n_items, 3);
    assert_ptr_equal(new.items[1], old.items[1]);
    assert_string_equal(listeners_protocol(&new, 2), "http");
    listeners_release(&old);
    assert_false(is_there("a"));
    for (size_t i = 0; i < new.n_items; i++)
        assert_true(can_connect(new.items[i]));
    listeners_release(&new);
    assert_true(is_there("b") && is_there("x"));
}

static void test_given_refusals(void **state)
{
    struct listeners l = {0};
    struct errmsg err = {""};

    (void)state;
    assert_int_equal(listeners_give(&l, open("/dev/null", O_RDONLY), -1, &err), -ENOTSOCK);
    assert_int_equal(listeners_give(&l, socket(AF_INET, SOCK_STREAM, 0), -1, &err), -EINVAL);
    assert_int_equal(l.n_items, 0);
}

#define LISTEN_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LISTEN_TEST(test_open_and_release),
        LISTEN_TEST(test_no_vacuum),
        LISTEN_TEST(test_sharing),
        LISTEN_TEST(test_failed_reload),
        LISTEN_TEST(test_mode_changes),
        LISTEN_TEST(test_removed_file),
        LISTEN_TEST(test_phases),
        LISTEN_TEST(test_refusals),
        LISTEN_TEST(test_protocols),
        LISTEN_TEST(test_too_many),
        LISTEN_TEST(test_https),
        LISTEN_TEST(test_given),
        LISTEN_TEST(test_given_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
