/* SPDX-License-Identifier: MIT */
/* Which connections outlive a worker that is killed, and which end with it. */
#include "worker/keeper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "ipc/family.h"
#include "ipc/message.h"
#include "unit.h"

#define N_CONNS 5

static struct queue queue;
static int channel[2], conns[N_CONNS][2]; /* [0]: the client's end; [1]: the worker's */

static int set_up(void **state)
{
    (void)state;
    int r = queue_open(&queue);
    if (r == 0)
        r = message_socketpair(channel);
    for (size_t i = 0; i < N_CONNS && r == 0; i++)
        r = fd_socketpair(SOCK_STREAM, conns[i]);
    return r;
}

static int tear_down(void **state)
{
    (void)state;
    queue_close(&queue);
    closep(&channel[0]);
    for (size_t i = 0; i < N_CONNS; i++)
        closep(&conns[i][0]);
    return 0;
}

static void hold(struct kept *c, uint32_t mark)
{
    c->entry = (struct handoff_entry){.kind = HANDOFF_IDLE, .n_requests = mark};
    kept_hold(c);
}

/* Worker: 0 and 3 are idle, 1 is not (any more), 2 was closed and its place is used again, 4 is not
 * entered at all. */
static void enter_all(struct keeper *k)
{
    struct kept *c[N_CONNS];

    for (int i = 0; i < 3; i++)
        c[i] = keeper_enter(k, conns[i][1]);
    hold(c[0], 100);
    hold(c[1], 101);
    hold(c[2], 102);
    kept_release(c[1]);
    keeper_leave(k, c[2]);
    (void)close(conns[2][1]);
    c[3] = keeper_enter(k, conns[3][1]);
    UNIT_CHECK(c[3] == c[2]);
    hold(c[3], 103);
    keeper_leave(k, NULL);
}

static void worker(void *data)
{
    const bool *ends_well = data;
    struct keeper k;

    for (size_t i = 0; i < N_CONNS; i++)
        (void)close(conns[i][0]);
    (void)close(channel[0]);
    UNIT_CHECK(keeper_open(&k, &queue, channel[1]) == 0);
    enter_all(&k);
    UNIT_CHECK(keeper_start(&k, getppid()) == 0);
    if (*ends_well)
        keeper_end(&k);
    for (;;)
        (void)pause();
}

/* Kills a worker whose keeper is there, and waits until that one has ended. */
static void run(bool ends_well)
{
    struct proc p = unit_start_child(worker, &ends_well);
    struct message_buffer buf;
    struct message m;
    int status = 0;

    (void)close(channel[1]);
    for (size_t i = 0; i < N_CONNS; i++)
        (void)close(conns[i][1]);
    unit_wait_readable(channel[0]);
    assert_int_equal(message_receive(channel[0], &buf, &m), 1);
    assert_int_equal(m.type, FAMILY_KEEPER);
    assert_true(m.sender > 0 && m.sender != p.pid);
    assert_int_equal(proc_signal(&p, SIGKILL), 0);
    assert_int_equal(unit_wait_child(&p), 128 + SIGKILL);
    assert_int_equal(waitpid(m.sender, &status, 0), m.sender); /* our child, too */
    assert_int_equal(status, 0);
}

/* The next entry is the connection whose client's end is @client. */
static void take(int client, uint32_t mark)
{
    struct handoff_entry e;
    int fds[QUEUE_MAX_FDS];
    char byte = 0;
    size_t n_fds = 0;

    assert_int_equal(queue_take(&queue, &e, sizeof(e), fds, &n_fds), sizeof(e));
    assert_int_equal(n_fds, 1);
    assert_int_equal(e.kind, HANDOFF_IDLE);
    assert_int_equal(e.n_requests, mark);
    assert_int_equal(write(client, "?", 1), 1);
    assert_int_equal(read(fds[0], &byte, 1), 1);
    (void)close(fds[0]);
}

static void assert_no_more(void)
{
    struct handoff_entry e;
    int fds[QUEUE_MAX_FDS];
    size_t n_fds = 0;

    assert_int_equal(queue_take(&queue, &e, sizeof(e), fds, &n_fds), -EAGAIN);
}

static void assert_closed(int client)
{
    char byte = 0;

    unit_wait_readable(client);
    assert_int_equal(read(client, &byte, 1), 0);
}

static void test_killed(void **state)
{
    (void)state;
    run(false);
    assert_closed(conns[1][0]);
    assert_closed(conns[2][0]);
    assert_closed(conns[4][0]);
    take(conns[0][0], 100);
    take(conns[3][0], 103);
    assert_no_more();
    assert_int_equal(atomic_load(&queue.board->n_given), 2);
}

static void test_ended(void **state)
{
    (void)state;
    run(true);
    assert_no_more();
    for (size_t i = 0; i < N_CONNS; i++)
        assert_closed(conns[i][0]);
}

/* Those beyond the table are served like others, and not kept. */
static void test_many(void **state)
{
    struct keeper k;

    (void)state;
    assert_int_equal(keeper_open(&k, &queue, channel[1]), 0);
    struct kept *first = keeper_enter(&k, 3);
    for (int i = 1; i < KEEPER_MAX_CONNS; i++)
        assert_non_null(keeper_enter(&k, 3));
    assert_null(keeper_enter(&k, 3));
    keeper_leave(&k, first);
    assert_ptr_equal(keeper_enter(&k, 3), first);
    closep(&channel[1]);
    for (size_t i = 0; i < N_CONNS; i++)
        closep(&conns[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_killed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ended, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
