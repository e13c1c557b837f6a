/* SPDX-License-Identifier: MIT */
/* The queue between workers: order, room, entries that do not fit, descriptors, and its counters.
 */
#include "worker/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "unit.h"

static struct queue queue;
static size_t n_open_fds; /* before the test */

static int set_up(void **state)
{
    (void)state;
    n_open_fds = unit_count_fds();
    return queue_open(&queue);
}

static int tear_down(void **state)
{
    (void)state;
    queue_close(&queue);
    assert_int_equal(unit_count_fds(), n_open_fds);
    return 0;
}

static int64_t depth(void)
{
    return atomic_load(&queue.board->depth);
}

static int give(const char *text, const int *fds, size_t n_fds)
{
    const struct iovec iov = {.iov_base = (void *)text, .iov_len = strlen(text)};

    return queue_give(&queue, &iov, 1, fds, n_fds);
}

static void give_one(const char *text)
{
    int fd = STDIN_FILENO;

    assert_int_equal(give(text, &fd, 1), 0);
}

/* Takes an entry that must be @text, and closes what came with it. */
static void take_one(const char *text)
{
    int fds[QUEUE_MAX_FDS] = {-EBADF, -EBADF};
    char bytes[100] = "";
    size_t n_fds = 0;

    assert_int_equal(queue_take(&queue, bytes, sizeof(bytes) - 1, fds, &n_fds), strlen(text));
    assert_string_equal(bytes, text);
    assert_int_equal(n_fds, 1);
    closep(&fds[0]);
}

static int take_none(void)
{
    int fds[QUEUE_MAX_FDS] = {-EBADF, -EBADF};
    char bytes[100];
    size_t n_fds = 0;

    ssize_t r = queue_take(&queue, bytes, sizeof(bytes), fds, &n_fds);
    assert_true(r < 0);
    return (int)r;
}

static void test_order(void **state)
{
    (void)state;
    assert_int_equal(take_none(), -EAGAIN);
    for (int round = 0; round < 3; round++) {
        give_one("one");
        give_one("two");
        take_one("one");
        give_one("three");
        assert_int_equal(depth(), 2);
        take_one("two");
        take_one("three");
        assert_int_equal(depth(), 0);
        assert_int_equal(take_none(), -EAGAIN);
    }
    assert_int_equal(atomic_load(&queue.board->n_given), 9);
    assert_int_equal(atomic_load(&queue.board->n_taken), 9);
    assert_int_equal(atomic_load(&queue.board->n_full), 0);
}

/* An entry of several pieces is one. */
static void test_pieces(void **state)
{
    const struct iovec iov[] = {{.iov_base = (void *)"ab", .iov_len = 2},
                                {.iov_base = NULL, .iov_len = 0},
                                {.iov_base = (void *)"cde", .iov_len = 3}};
    int fd = STDIN_FILENO;

    (void)state;
    assert_int_equal(queue_give(&queue, iov, COUNT_OF(iov), &fd, 1), 0);
    take_one("abcde");
}

/* What is given stays open here; what is taken is closed on exec, and the same. */
static void test_descriptors(void **state)
{
    int given[2], fds[QUEUE_MAX_FDS] = {-EBADF, -EBADF};
    char bytes[10];
    size_t n_fds = 0;

    (void)state;
    assert_int_equal(pipe2(given, O_CLOEXEC | O_NONBLOCK), 0);
    assert_int_equal(give("x", given, 2), 0);
    assert_int_equal(queue_take(&queue, bytes, sizeof(bytes), fds, &n_fds), 1);
    assert_int_equal(n_fds, 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
    assert_int_equal(write(fds[1], "y", 1), 1);
    assert_int_equal(read(given[0], bytes, 1), 1);
    for (size_t i = 0; i < 2; i++) {
        closep(&fds[i]);
        closep(&given[i]);
    }
}

/* Entries that do not fit are taken out and thrown away, with what came along. */
static void test_entries_that_do_not_fit(void **state)
{
    static const char *const texts[] = {"longer than there is room", ""};
    int given[QUEUE_MAX_FDS + 1], fds[QUEUE_MAX_FDS] = {-EBADF, -EBADF};
    char bytes[10];
    size_t n_fds = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(given); i++)
        given[i] = STDIN_FILENO;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_int_equal(give(texts[i], given, 2), 0);
        size_t before = unit_count_fds();
        assert_int_equal(queue_take(&queue, bytes, sizeof(bytes), fds, &n_fds), -EPROTO);
        assert_int_equal(unit_count_fds(), before);
        assert_int_equal(depth(), 0);
        assert_int_equal(take_none(), -EAGAIN);
    }

    /* more descriptors than a worker ever sends */
    union {
        char bytes[CMSG_SPACE(sizeof(given))];
        struct cmsghdr align;
    } control = {0};
    struct iovec iov = {.iov_base = (void *)"x", .iov_len = 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof(control)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(given));
    memcpy(CMSG_DATA(c), given, sizeof(given));
    assert_int_equal(sendmsg(queue.give_fd, &msg, 0), 1);
    size_t before = unit_count_fds();
    assert_int_equal(queue_take(&queue, bytes, sizeof(bytes), fds, &n_fds), -EPROTO);
    assert_int_equal(unit_count_fds(), before);

    give_one("sound"); /* the next one is not harmed */
    take_one("sound");
}

static void test_largest(void **state)
{
    char *sent = malloc(QUEUE_MAX_BYTES), *got = calloc(1, QUEUE_MAX_BYTES);
    const struct iovec iov = {.iov_base = sent, .iov_len = QUEUE_MAX_BYTES};
    int fd = STDIN_FILENO, fds[QUEUE_MAX_FDS] = {-EBADF, -EBADF};
    size_t n_fds = 0;

    (void)state;
    assert_non_null(sent);
    assert_non_null(got);
    for (size_t i = 0; i < QUEUE_MAX_BYTES; i++)
        sent[i] = (char)(i * 7 + i / 256);
    assert_int_equal(queue_give(&queue, &iov, 1, &fd, 1), 0);
    assert_int_equal(queue_take(&queue, got, QUEUE_MAX_BYTES, fds, &n_fds), QUEUE_MAX_BYTES);
    assert_memory_equal(got, sent, QUEUE_MAX_BYTES);
    closep(&fds[0]);
    free(sent);
    free(got);
}

static void test_full(void **state)
{
    int fd = STDIN_FILENO;
    size_t n = 0;
    int r = 0;

    (void)state;
    while ((r = give("entry", &fd, 1)) == 0)
        n++;
    assert_int_equal(r, -EAGAIN);
    assert_true(n >= 100);
    assert_int_equal(depth(), n);
    assert_int_equal(atomic_load(&queue.board->n_given), n);
    assert_int_equal(atomic_load(&queue.board->n_full), 1);
    for (size_t i = 0; i < n; i++)
        take_one("entry");
    assert_int_equal(take_none(), -EAGAIN);
    give_one("again");
    take_one("again");
}

/* unix(7): a user without privileges has no more descriptors on their way than it may have open.
 * For the caller that is the same as no room: it can try again. */
static void give_too_many(void *data)
{
    const struct rlimit few = {.rlim_cur = 20, .rlim_max = 20};
    int fd = STDIN_FILENO, r = 0;

    (void)data;
    if (geteuid() == 0) {
        UNIT_CHECK(setgroups(0, NULL) == 0);
        UNIT_CHECK(setresgid(54321, 54321, 54321) == 0);
        UNIT_CHECK(setresuid(54321, 54321, 54321) == 0);
    }
    UNIT_CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
    for (int i = 0; r == 0 && i < 10000; i++)
        r = give("entry", &fd, 1);
    UNIT_CHECK(r == -EAGAIN);
}

static void test_too_many_descriptors_on_their_way(void **state)
{
    (void)state;
    assert_int_equal(unit_run_child(give_too_many, NULL), 0);
}

/* Processes */

static void give_and_die(void *data)
{
    int fd = STDIN_FILENO;

    (void)data;
    UNIT_CHECK(give("last words", &fd, 1) == 0);
    (void)raise(SIGKILL);
}

static void test_an_entry_outlives_its_giver(void **state)
{
    (void)state;
    assert_int_equal(unit_run_child(give_and_die, NULL), 128 + SIGKILL);
    assert_int_equal(depth(), 1);
    take_one("last words");
}

/* A process that dies between the two steps of giving or taking leaves the count wrong. */
static void test_depth_mends_itself(void **state)
{
    static const int64_t wrong[] = {-3, 5};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        atomic_store(&queue.board->depth, wrong[i]);
        atomic_store(&queue.board->n_waiting, wrong[i]);
        assert_int_equal(take_none(), -EAGAIN);
        assert_int_equal(depth(), 0);
        assert_int_equal(atomic_load(&queue.board->n_waiting), 0);
        give_one("entry");
        assert_int_equal(depth(), 1);
        take_one("entry");
    }
}

/* The oldest entry is not older than what is noted. */
static void test_age(void **state)
{
    uint64_t began = clock_now_us();

    (void)state;
    give_one("one");
    uint64_t taken_us = atomic_load(&queue.board->taken_us);
    assert_true(taken_us >= began && taken_us <= clock_now_us());
    give_one("two");
    take_one("one");
    assert_int_equal(atomic_load(&queue.board->taken_us), taken_us); /* there still is one */
    while (clock_now_us() == taken_us)
        ;
    take_one("two");
    assert_true(atomic_load(&queue.board->taken_us) > taken_us);
}

static void test_gone(void **state)
{
    uint64_t began = clock_now_us();

    (void)state;
    assert_int_equal(atomic_load(&queue.board->gone_us), 0);
    queue_note_gone(&queue);
    assert_int_equal(atomic_load(&queue.board->n_gone), 1);
    assert_true(atomic_load(&queue.board->gone_us) >= began);
}

/* Without room for its descriptors an entry stays where it is. */
static void take_without_room(void *data)
{
    const struct rlimit *usual = data;
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = usual->rlim_max};
    int fds[QUEUE_MAX_FDS];
    char bytes[100];
    size_t n_fds = 0;

    UNIT_CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    UNIT_CHECK(queue_take(&queue, bytes, sizeof(bytes), fds, &n_fds) == -EMFILE);
    UNIT_CHECK(setrlimit(RLIMIT_NOFILE, usual) == 0);
    UNIT_CHECK(queue_take(&queue, bytes, sizeof(bytes), fds, &n_fds) == 5);
    UNIT_CHECK(n_fds == 1);
}

static void test_no_descriptors_left(void **state)
{
    struct rlimit usual;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    give_one("entry");
    struct proc child = unit_start_child(take_without_room, &usual);
    assert_int_equal(unit_wait_child(&child), 0);
}

static void test_closed(void **state)
{
    struct queue q;

    (void)state;
    assert_int_equal(queue_open(&q), 0);
    queue_close(&q);
    assert_true(q.give_fd < 0 && q.take_fd < 0);
    assert_null(q.board);
    queue_close(&q);
}

#define QUEUE_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(test_order),
        QUEUE_TEST(test_pieces),
        QUEUE_TEST(test_descriptors),
        QUEUE_TEST(test_entries_that_do_not_fit),
        QUEUE_TEST(test_largest),
        QUEUE_TEST(test_full),
        QUEUE_TEST(test_too_many_descriptors_on_their_way),
        QUEUE_TEST(test_an_entry_outlives_its_giver),
        QUEUE_TEST(test_depth_mends_itself),
        QUEUE_TEST(test_age),
        QUEUE_TEST(test_gone),
        QUEUE_TEST(test_no_descriptors_left),
        QUEUE_TEST(test_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
