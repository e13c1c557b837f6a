/* SPDX-License-Identifier: MIT */
/* Listening sockets: their files, and what happens when somebody is there already. */
#include "base/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/cred.h"
#include "base/fd.h"
#include "unit.h"

static const struct sock_options usual = {
    .backlog = 8, .mode = 0600, .uid = (uid_t)-1, .gid = (gid_t)-1};

static char folder[sizeof(UNIT_FOLDER)];
static char path[64]; /* of the socket, in the folder */

static int set_up(void **state)
{
    (void)state;
    unit_make_folder(folder);
    (void)snprintf(path, sizeof(path), "%s/s", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unit_remove_folder(folder);
    return 0;
}

static int try_listen(const char *text, const struct sock_options *o, struct sock_file *ret_file,
                      struct errmsg *err)
{
    struct addr a;
    int r = addr_parse(text, &a, err);

    return r < 0 ? r : sock_listen(&a, o, ret_file, err);
}

static int must_listen(const char *text, const struct sock_options *o, struct sock_file *ret_file)
{
    struct errmsg err = {""};
    int fd = try_listen(text, o, ret_file, &err);

    if (fd < 0)
        fail_msg("%s: %s", text, err.text);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    return fd;
}

static int connect_to(const char *text)
{
    struct addr a;

    if (addr_parse(text, &a, NULL) < 0)
        return -1;
    int fd = socket(a.sa.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, &a.sa.any, a.len) < 0) {
        (void)close(fd);
        return -1;
    }
    (void)send(fd, "x", 1, MSG_NOSIGNAL); /* who connects speaks first */
    return fd;
}

static bool accepts(int listener, const char *text)
{
    _cleanup_close_ int client = connect_to(text);
    _cleanup_close_ int server = client < 0 ? -1 : accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    return server >= 0;
}

static void test_file(void **state)
{
    static const mode_t modes[] = {0600, 0666, 0660, 0777, 0};
    struct stat st;

    (void)state;
    const mode_t old = umask(077); /* the option says the mode, not the umask */
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        struct sock_options o = usual;
        struct sock_file file = {0};

        o.mode = modes[i];
        _cleanup_close_ int fd = must_listen(path, &o, &file);
        assert_int_equal(lstat(path, &st), 0);
        assert_int_equal(st.st_mode, S_IFSOCK | modes[i]);
        assert_int_equal(st.st_ino, file.ino);
        assert_true(geteuid() != 0 || accepts(fd, path));
        sock_unlink(path, &file);
        assert_int_equal(lstat(path, &st), -1);
    }
    (void)umask(old);
}

static void test_owner(void **state)
{
    struct sock_options o = usual;
    struct sock_file file = {0};
    struct stat st;

    (void)state;
    if (geteuid() != 0)
        skip();
    o.uid = 65534;
    o.gid = 12;
    _cleanup_close_ int fd = must_listen(path, &o, &file);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_uid, 65534);
    assert_int_equal(st.st_gid, 12);
}

/* The file of a server that was killed is replaced, not bound again: it never is not there. */
static void test_stale_file(void **state)
{
    struct sock_file first = {0}, second = {0};

    (void)state;
    (void)close(must_listen(path, &usual, &first));
    _cleanup_close_ int fd = must_listen(path, &usual, &second);
    assert_true(accepts(fd, path));
    assert_true(first.ino != second.ino);
    sock_unlink(path, &first); /* what the first would remove is not there any more */
    assert_int_equal(access(path, F_OK), 0);
    sock_unlink(path, &second);
    assert_int_equal(access(path, F_OK), -1);
}

/* Who is passed a socket finds out where clients reach it, although its file was renamed. */
static void test_find_addr(void **state)
{
    static const char *const others[] = {"@liege-test-find-addr", "127.0.0.1:4711"};
    struct sock_file file;
    struct addr found, wanted;
    _cleanup_close_ int fd = must_listen(path, &usual, &file);

    (void)state;
    assert_int_equal(sock_find_addr(fd, &found), 0);
    assert_int_equal(addr_parse(path, &wanted, NULL), 0);
    assert_int_equal(found.len, wanted.len);
    assert_int_equal(found.fd, -1);
    assert_memory_equal(&found.sa, &wanted.sa, wanted.len);
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        _cleanup_close_ int other =
            socket(i == 0 ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(addr_parse(others[i], &wanted, NULL), 0);
        if (i == 1)
            wanted.sa.any.sa_data[0] = wanted.sa.any.sa_data[1] =
                0; /* a port of the kernel's choice */
        assert_int_equal(bind(other, &wanted.sa.any, wanted.len), 0);
        assert_int_equal(sock_find_addr(other, &found), -EINVAL); /* it does not listen yet */
        assert_int_equal(listen(other, 1), 0);
        assert_int_equal(sock_find_addr(other, &found), 0);
        assert_int_equal(found.len, wanted.len);
    }
    assert_int_equal(sock_find_addr(STDERR_FILENO + 500, &found), -EBADF);
    _cleanup_close_ int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(sock_find_addr(null, &found), -ENOTSOCK);
    _cleanup_close_ int datagrams = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(sock_find_addr(datagrams, &found), -EINVAL);
}

static void test_unlink_of_nothing(void **state)
{
    const struct sock_file none = {0};

    (void)state;
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    sock_unlink(path, &none);
    assert_int_equal(access(path, F_OK), 0);
}

static void test_refusals(void **state)
{
    const struct {
        const char *name; /* in the folder */
        int error;
        const char *said;
    } cases[] = {
        {"file", -EEXIST, "/file is there and is not a socket: remove it"},
        {".", -EEXIST, "is not a socket"},
        {"nowhere/s", -ENOENT, "cannot bind "},
        {"file/s", -ENOTDIR, "cannot bind "},
    };
    size_t before = unit_count_fds();

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/file", folder);
    (void)close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct sock_file file = {.ino = 77};
        struct errmsg err = {""};

        (void)snprintf(path, sizeof(path), "%s/%s", folder, cases[i].name);
        assert_int_equal(try_listen(path, &usual, &file, &err), cases[i].error);
        if (!strstr(err.text, cases[i].said))
            fail_msg("said was: %s", err.text);
        assert_int_equal(file.ino, 77);
    }
    assert_int_equal(unit_count_fds(), before);
}

/* A path that is an address, but too long for the name under which its file is made. */
static void test_long_path(void **state)
{
    struct sock_file file = {0};
    struct errmsg err = {""};
    char text[108] = "";

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    memcpy(text, folder, strlen(folder));
    text[strlen(folder)] = '/';
    assert_int_equal(try_listen(text, &usual, &file, &err), -ENAMETOOLONG);
    assert_non_null(strstr(err.text, "has at most "));
    text[90] = '\0';
    (void)close(must_listen(text, &usual, &file));
}

/* Asks for the address of a server that lives, @listener. */
static void ask_live_server(const char *text, int listener)
{
    struct sock_file file = {.ino = 77};
    struct errmsg err = {""};
    size_t before = unit_count_fds();

    UNIT_CHECK(try_listen(text, &usual, &file, &err) == -EADDRINUSE);
    UNIT_CHECK(strstr(err.text, "somebody else listens on "));
    UNIT_CHECK(strstr(err.text, text));
    UNIT_CHECK(file.ino == 77);
    UNIT_CHECK(unit_count_fds() == before);
    _cleanup_close_ int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    UNIT_CHECK(connection >= 0); /* the one that asked */
    UNIT_CHECK(accepts(listener, text));
}

static void check_live_path(void *data)
{
    struct sock_file file = {0};

    (void)data;
    ask_live_server(path, try_listen(path, &usual, &file, NULL));
}

static void check_live_abstract(void *data)
{
    struct sock_file file = {0};
    char text[64];

    (void)data;
    (void)snprintf(text, sizeof(text), "@%s/live", folder);
    ask_live_server(text, try_listen(text, &usual, &file, NULL));
}

static uint64_t cpu_us(void)
{
    struct timespec ts = {0};

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * US_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

/* A server whose backlog is full takes no connection, and is waited for without spinning: time goes
 * by, the processor's does not. */
static void check_full_backlog(void *data)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sock_file file = {0};
    struct errmsg err = {""};

    (void)data;
    (void)snprintf(un.sun_path, sizeof(un.sun_path), "%s/full", folder);
    _cleanup_close_ int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    UNIT_CHECK(bind(listener, (struct sockaddr *)&un, sizeof(un)) == 0);
    UNIT_CHECK(listen(listener, 0) == 0);
    _cleanup_close_ int filler = connect_to(un.sun_path);
    UNIT_CHECK(filler >= 0);

    const uint64_t began_us = cpu_us();
    UNIT_CHECK(try_listen(un.sun_path, &usual, &file, &err) == -EADDRINUSE);
    UNIT_CHECK(cpu_us() - began_us < 500 * US_PER_MS);
}

/* The address of a server that lives is refused, and the server is left alone. Each refusal takes
 * the whole time that a server may take to go away: they are waited for together. */
static void test_live_servers(void **state)
{
    static void (*const checks[])(void *) = {check_live_path, check_live_abstract,
                                             check_full_backlog};
    struct proc children[COUNT_OF(checks)];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(checks); i++)
        children[i] = unit_start_child(checks[i], NULL);
    for (size_t i = 0; i < COUNT_OF(checks); i++)
        assert_int_equal(unit_wait_child(&children[i]), 0);
}

struct dying {
    const char *text;
    int ready_fd;
};

/* A server that stops when its successor's connection is there. */
static void serve_once(void *data)
{
    const struct dying *d = data;
    struct sock_file file = {0};
    int fd = try_listen(d->text, &usual, &file, NULL);

    UNIT_CHECK(fd >= 0);
    UNIT_CHECK(fd_set_nonblock(fd, false) == 0);
    UNIT_CHECK(write(d->ready_fd, "x", 1) == 1);
    UNIT_CHECK(accept4(fd, NULL, NULL, SOCK_CLOEXEC) >= 0);
}

/* A server that goes away while its successor asks: the successor waits for its last moment, and no
 * longer. */
static void check_dying_server(const char *text)
{
    struct sock_file file = {0};
    int ready[2];

    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    struct dying d = {.text = text, .ready_fd = ready[1]};
    struct proc server = unit_start_child(serve_once, &d);
    (void)close(ready[1]);
    char byte = 0;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);

    const uint64_t began_us = clock_now_us();
    _cleanup_close_ int fd = must_listen(text, &usual, &file);
    assert_true(clock_now_us() - began_us < SOCK_TAKEOVER_MS * US_PER_MS);
    assert_true(accepts(fd, text));
    assert_int_equal(unit_wait_child(&server), 0);
}

static void test_dying_server(void **state)
{
    char abstract[64];

    (void)state;
    check_dying_server(path);
    (void)snprintf(abstract, sizeof(abstract), "@%s/dying", folder);
    check_dying_server(abstract);
}

/* A socket of another kind is somebody's too. */
static void test_other_kinds(void **state)
{
    static const int types[] = {SOCK_SEQPACKET, SOCK_DGRAM};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        struct sockaddr_un un = {.sun_family = AF_UNIX};
        struct sock_file file = {0};
        struct errmsg err = {""};

        memcpy(un.sun_path, path, strlen(path) + 1);
        _cleanup_close_ int fd = socket(AF_UNIX, types[i] | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
        (void)listen(fd, 1); /* a datagram socket does not */
        assert_int_equal(try_listen(path, &usual, &file, &err), -EADDRINUSE);
        assert_int_equal(unlink(path), 0);
    }
}

static void try_as_nobody(void *data)
{
    const struct cred nobody = {.set_uid = true, .set_gid = true, .uid = 65534, .gid = 65534};
    struct sock_file file = {0};
    struct errmsg err = {""};

    (void)data;
    UNIT_CHECK(cred_drop(&nobody, NULL) == 0);
    UNIT_CHECK(try_listen(path, &usual, &file, &err) == -EACCES);
    UNIT_CHECK(strstr(err.text, "cannot take over "));
}

/* Whoever may not ask a server whether it lives must not take its place. */
static void test_forbidden_server(void **state)
{
    struct sock_file file = {0};
    struct stat before, after;

    (void)state;
    if (geteuid() != 0)
        skip();
    _cleanup_close_ int fd = must_listen(path, &usual, &file);
    assert_int_equal(chmod(folder, 0777), 0);
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(unit_run_child(try_as_nobody, NULL), 0);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
}

static void test_abstract(void **state)
{
    struct sock_file file = {.ino = 77};
    char text[64];

    (void)state;
    (void)snprintf(text, sizeof(text), "@%s/abstract", folder);
    _cleanup_close_ int fd = must_listen(text, &usual, &file);
    assert_true(accepts(fd, text));
    assert_int_equal(file.ino, 0); /* there is no file */
}

static void test_ip(void **state)
{
    static const char *const cases[] = {"127.0.0.1:0", "[::1]:0"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct sock_file file = {.ino = 77};
        struct sockaddr_storage sa = {0};
        socklen_t len = sizeof(sa);
        struct errmsg err = {""};
        char text[64];
        int on = 0;
        socklen_t on_len = sizeof(on);

        int made = try_listen(cases[i], &usual, &file, &err);
        if (made == -EADDRNOTAVAIL || made == -EAFNOSUPPORT)
            continue; /* a machine without IPv6 */
        _cleanup_close_ int fd = made;
        assert_true(fd >= 0);
        assert_int_equal(file.ino, 0);
        assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &on_len), 0);
        assert_true(on); /* connections inherit it */
        assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
        (void)addr_format((struct sockaddr *)&sa, len, text, sizeof(text));
        assert_true(accepts(fd, text));
        /* The connection that was is in TIME_WAIT: a restart has the port all the same. */
        (void)close(TAKE_FD(fd));
        fd = must_listen(text, &usual, &file);
        assert_true(accepts(fd, text));
    }
}

/* A client that sends nothing is waited for only where it is the one to speak. */
static void test_who_speaks_first(void **state)
{
    (void)state;
    for (int first = 0; first < 2; first++) {
        struct sock_options o = usual;
        struct sock_file file = {0};
        int deferred = -1;
        socklen_t len = sizeof(deferred);

        o.speaks_first = first;
        _cleanup_close_ int fd = must_listen("127.0.0.1:0", &o, &file);
        assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &deferred, &len), 0);
        assert_int_equal(deferred > 0, !first);
    }
}

/* "[::]" means IPv6 only, so that ":PORT" can stand beside it. */
static void test_both_families(void **state)
{
    struct sock_file file = {0};
    struct sockaddr_in sa = {0};
    socklen_t len = sizeof(sa);
    struct errmsg err = {""};
    char text[64];

    (void)state;
    _cleanup_close_ int v4 = must_listen(":0", &usual, &file);
    assert_int_equal(getsockname(v4, (struct sockaddr *)&sa, &len), 0);
    (void)snprintf(text, sizeof(text), "[::]:%u", ntohs(sa.sin_port));
    int v6 = try_listen(text, &usual, &file, &err);
    if (v6 == -EAFNOSUPPORT)
        skip();
    assert_true(v6 >= 0);
    (void)close(v6);
}

static void test_dying_ip_server(void **state)
{
    struct sock_file file = {0};
    struct sockaddr_in sa = {0};
    socklen_t len = sizeof(sa);
    char text[64];

    (void)state;
    int fd = must_listen("127.0.0.1:0", &usual, &file); /* finds a port that is free */
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    (void)addr_format((struct sockaddr *)&sa, len, text, sizeof(text));
    (void)close(fd);
    check_dying_server(text);
}

static void test_descriptors(void **state)
{
    struct sock_file file = {.ino = 77};
    struct errmsg err = {""};
    char text[32];
    int pair[2];

    (void)state;
    int fd = must_listen(path, &usual, &file);
    assert_int_equal(fd_set_cloexec(fd, false), 0);
    assert_int_equal(fd_set_nonblock(fd, false), 0);
    (void)snprintf(text, sizeof(text), "fd://%d", fd);
    assert_int_equal(must_listen(text, &usual, &file), fd);
    assert_int_equal(file.ino, 0); /* its file is not ours to remove */
    (void)close(fd);
    assert_int_equal(try_listen(text, &usual, &file, &err), -EBADF);

    assert_int_equal(fd_socketpair(SOCK_STREAM, pair), 0);
    (void)snprintf(text, sizeof(text), "fd://%d", pair[0]);
    assert_int_equal(try_listen(text, &usual, &file, &err), -EINVAL);
    assert_non_null(strstr(err.text, "does not listen"));
    (void)close(pair[0]);
    (void)close(pair[1]);

    _cleanup_close_ int folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)snprintf(text, sizeof(text), "fd://%d", folder_fd);
    assert_int_equal(try_listen(text, &usual, &file, &err), -ENOTSOCK);
    assert_true(fcntl(folder_fd, F_GETFD) >= 0); /* what is refused is not closed */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_owner, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stale_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_find_addr, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unlink_of_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_path, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_live_servers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dying_server, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_kinds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_forbidden_server, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_abstract, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_speaks_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_both_families, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dying_ip_server, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_descriptors, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
