/* SPDX-License-Identifier: MIT */
/* A worker's slot: every cell of its table, and whole lives with real processes. The generation is
 * a double, which forks what a test wants and notes what the slot tells it. */
#include "instance/slot.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "instance/generation.h"
#include "unit-loop.h"

/* The double */

typedef void worker_fn(int channel_fd);

static struct {
    char trace[256];
    worker_fn *worker; /* what the next fork starts; NULL: a zygote that has not done it yet */
    bool known;        /* the process is known at once, as with lazy-apps */
    int fork_result;   /* if negative */
    bool given_up;     /* what a worker's failure means for the generation */
    int n_forks;
    uint64_t start_timeout_us, mercy_us;
    int channel_fd;      /* without a worker: its end of the channel */
    struct proc process; /* of the last fork, watched by the test too */
} fake;

static struct generation generation;
static struct slot slot;

static void note(const char *word, const char *detail)
{
    size_t len = strlen(fake.trace);

    (void)snprintf(fake.trace + len, sizeof(fake.trace) - len, "%s%s%s;", word, *detail ? " " : "",
                   detail);
}

struct loop *generation_loop(const struct generation *g)
{
    assert_ptr_equal(g, &generation);
    return unit_loop;
}

uint32_t generation_number(const struct generation *g)
{
    (void)g;
    return 1;
}

uint64_t generation_start_timeout_us(const struct generation *g)
{
    (void)g;
    return fake.start_timeout_us;
}

uint64_t generation_mercy_us(const struct generation *g)
{
    (void)g;
    return fake.mercy_us;
}

static void run_worker(worker_fn *worker, pid_t parent, int fd)
{
    UNIT_CHECK(fd_close_all_except(&fd, 1) == 0);
    UNIT_CHECK(proc_die_with_parent(parent) == 0);
    worker(fd);
    _exit(0);
}

int generation_capture(const struct generation *g, const char *name)
{
    (void)g;
    assert_string_equal(name, "worker 3");
    return -1;
}

int generation_fork(struct generation *g, int id, int fd, int output_fd, struct proc *ret)
{
    worker_fn *worker = TAKE_PTR(fake.worker);
    pid_t parent = getpid();

    (void)g;
    assert_int_equal(id, 3);
    note("fork", "");
    if (++fake.n_forks > 1)
        loop_stop(unit_loop, 0);
    if (fake.fork_result < 0)
        return fake.fork_result;
    if (!worker) {
        closep(&fake.channel_fd);
        fake.channel_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return 0;
    }
    int r = proc_fork(&fake.process);
    if (r == 0)
        run_worker(worker, parent, fd);
    assert_int_equal(r, 1);
    if (fake.known)
        *ret = (struct proc){.pid = fake.process.pid,
                             .pidfd = fcntl(fake.process.pidfd, F_DUPFD_CLOEXEC, 3)};
    return 0;
}

void generation_on_worker_complaint(struct generation *g, int id, const char *text)
{
    (void)g;
    note("cause", text);
}

void generation_on_forked(struct generation *g)
{
    (void)g;
}

void generation_on_sources(struct generation *g, const char *lines)
{
    (void)g;
    (void)lines;
}

void generation_on_worker_warm(struct generation *g, const struct slot *s)
{
    (void)g;
    (void)s;
}

void generation_on_worker_ready(struct generation *g, int id)
{
    (void)g;
    (void)id;
    note("ready", "");
    loop_stop(unit_loop, 0);
}

bool generation_on_worker_failed(struct generation *g, int id, const char *reason)
{
    (void)g;
    assert_int_equal(id, 3);
    note("failed", reason);
    loop_stop(unit_loop, 0);
    return !fake.given_up;
}

void generation_on_fork_timeout(struct generation *g)
{
    (void)g;
    note("fork timeout", "");
}

void generation_on_worker_ended(struct generation *g)
{
    (void)g;
    note("ended", "");
    loop_stop(unit_loop, 0);
}

void generation_on_worker_leaves(struct generation *g, struct slot *s)
{
    (void)g;
    (void)s;
    note("leaves", "");
}

void generation_on_worker_retires(struct generation *g)
{
    (void)g;
    note("retires", "");
}

void generation_on_worker_closed(struct generation *g)
{
    (void)g;
    note("closed", "");
}

int generation_on_keeper(struct generation *g, pid_t pid)
{
    (void)g;
    assert_true(pid > 0);
    note("keeper", "");
    return 0;
}

void generation_on_loyal(struct generation *g)
{
    (void)g;
    note("loyal", "");
}

void generation_on_reload_request(struct generation *g, int worker)
{
    (void)g;
    assert_int_equal(worker, 3);
    note("reload", "");
    loop_stop(unit_loop, 0);
}

/* Setting up */

static void reset(worker_fn *worker, bool known)
{
    memset(&fake, 0, sizeof(fake));
    fake.worker = worker;
    fake.known = known;
    fake.start_timeout_us = fake.mercy_us = 3600 * US_PER_SEC;
    fake.channel_fd = -1;
    fake.process = PROC_NONE;
    slot_init(&slot, &generation, 3);
}

static int set_up(void **state)
{
    log_set_max_level(LOG_EMERG);
    reset(NULL, false);
    return unit_make_loop(state);
}

/* Whatever a slot has when it is thrown away, nothing of it is left. */
static void throw_away(void)
{
    siginfo_t end = {0};

    slot_done(&slot);
    closep(&fake.channel_fd);
    fake.channel_fd = -1;
    if (fake.process.pid != 0) {
        unit_wait_readable(fake.process.pidfd);
        (void)waitid(P_PIDFD, (id_t)fake.process.pidfd, &end, WEXITED); /* reaped by the slot? */
        proc_done(&fake.process);
    }
}

static int tear_down(void **state)
{
    throw_away();
    return unit_free_loop(state);
}

static bool is_alive(const struct proc *p)
{
    struct pollfd poll_fd = {.fd = p->pidfd, .events = POLLIN};

    return poll(&poll_fd, 1, 0) == 0;
}

static void do_nothing(int fd)
{
    (void)fd;
    for (;;)
        (void)pause();
}

/* The table */

/* Brings a new slot into a state, by the shortest way. */
static void bring_into(enum slot_state state)
{
    bool has_process = state == SLOT_STARTING || state == SLOT_READY || state == SLOT_DRAINING ||
                       state == SLOT_STOPPING;

    reset(has_process ? do_nothing : NULL, has_process);
    fake.fork_result = state == SLOT_BACKOFF ? -ESRCH : 0;
    if (state != SLOT_EMPTY)
        slot_handle(&slot, SLOT_START, "");
    if (state == SLOT_READY || state == SLOT_DRAINING || state == SLOT_STOPPING)
        slot_handle(&slot, SLOT_SERVES, "");
    if (state == SLOT_DRAINING)
        slot_handle(&slot, SLOT_DRAIN, "");
    if (state == SLOT_STOPPING)
        slot_handle(&slot, SLOT_STOP, "");
    assert_int_equal(slot.state, state);
    fake.trace[0] = '\0';
    fake.fork_result = 0;
}

struct cell {
    enum slot_state next;
    const char *trace; /* NULL: the event means nothing in this state */
    bool kills;
};

/* clang-format off */
static const struct cell cells[SLOT_STATE_COUNT][SLOT_EVENT_COUNT] = {
    [SLOT_EMPTY] = {
        [SLOT_START]   = { SLOT_FORKING, "fork;", false },
    },
    [SLOT_FORKING] = {
        [SLOT_HELLO]   = { SLOT_STARTING, "", false },
        [SLOT_GONE]    = { SLOT_BACKOFF, "failed why;", false },
        [SLOT_DRAIN]   = { SLOT_EMPTY, "ended;", false },
        [SLOT_STOP]    = { SLOT_EMPTY, "ended;", false },
        [SLOT_TIMEOUT] = { SLOT_BACKOFF, "fork timeout;failed start timed out;", false },
    },
    [SLOT_STARTING] = {
        [SLOT_SERVES]  = { SLOT_READY, "ready;", false },
        [SLOT_GONE]    = { SLOT_BACKOFF, "failed why;", true },
        [SLOT_DRAIN]   = { SLOT_EMPTY, "ended;", true },
        [SLOT_STOP]    = { SLOT_EMPTY, "ended;", true },
        [SLOT_TIMEOUT] = { SLOT_BACKOFF, "failed start timed out;", true },
    },
    [SLOT_READY] = {
        [SLOT_GONE]    = { SLOT_BACKOFF, "", true },
        [SLOT_DRAIN]   = { SLOT_DRAINING, "", false },
        [SLOT_STOP]    = { SLOT_STOPPING, "", false },
    },
    [SLOT_DRAINING] = {
        [SLOT_GONE]    = { SLOT_EMPTY, "ended;", true },
        [SLOT_STOP]    = { SLOT_STOPPING, "", false },
        [SLOT_TIMEOUT] = { SLOT_STOPPING, "", false },
    },
    [SLOT_STOPPING] = {
        [SLOT_GONE]    = { SLOT_EMPTY, "ended;", true },
        [SLOT_TIMEOUT] = { SLOT_STOPPING, "", true },
    },
    [SLOT_BACKOFF] = {
        [SLOT_START]   = { SLOT_FORKING, "fork;", false },
        [SLOT_DRAIN]   = { SLOT_EMPTY, "ended;", false },
        [SLOT_STOP]    = { SLOT_EMPTY, "ended;", false },
        [SLOT_TIMEOUT] = { SLOT_FORKING, "fork;", false },
    },
};

/* What a slot has in each state. Of a start that waits the time is another test's matter. */
static const struct {
    bool channel, timer, timer_may;
} has[SLOT_STATE_COUNT] = {
    [SLOT_EMPTY]    = { false, false, false },
    [SLOT_FORKING]  = { true,  true,  true },
    [SLOT_STARTING] = { true,  true,  true },
    [SLOT_READY]    = { true,  false, false },
    [SLOT_DRAINING] = { true,  true,  true },
    [SLOT_STOPPING] = { true,  true,  true },
    [SLOT_BACKOFF]  = { false, false, true },
};
/* clang-format on */

static void check_cell(enum slot_state state, enum slot_event event)
{
    const struct cell *cell = &cells[state][event];
    enum slot_state next = cell->trace ? cell->next : state;

    bring_into(state);
    slot_handle(&slot, event, "why");
    if (slot.state != next)
        fail_msg("event %d: %s -> %s", event, slot_state_name(state), slot_state_name(slot.state));
    assert_string_equal(fake.trace, cell->trace ? cell->trace : "");
    assert_int_equal(slot.channel.io.fd >= 0, has[next].channel);
    assert_true(!has[next].timer || loop_timer_is_set(&slot.timer));
    assert_true(has[next].timer_may || !loop_timer_is_set(&slot.timer));
    if (cell->kills)
        unit_wait_readable(fake.process.pidfd);
    else
        assert_true(fake.process.pid == 0 || is_alive(&fake.process));
    if (next == SLOT_EMPTY || next == SLOT_BACKOFF)
        assert_int_equal(slot_pid(&slot), 0);
    throw_away();
}

static void test_every_cell(void **state)
{
    size_t n_fds = unit_count_fds();

    (void)state;
    for (int s = 0; s < SLOT_STATE_COUNT; s++)
        for (int event = 0; event < SLOT_EVENT_COUNT; event++)
            check_cell((enum slot_state)s, (enum slot_event)event);
    assert_int_equal(unit_count_fds(), n_fds);
}

static void test_names(void **state)
{
    (void)state;
    for (int s = 0; s < SLOT_STATE_COUNT; s++) {
        assert_non_null(slot_state_name((enum slot_state)s));
        for (int other = 0; other < s; other++)
            assert_string_not_equal(slot_state_name((enum slot_state)s),
                                    slot_state_name((enum slot_state)other));
    }
}

/* Failures and waiting */

static uint64_t wait_us(void)
{
    assert_int_equal(slot.state, SLOT_BACKOFF);
    assert_true(loop_timer_is_set(&slot.timer));
    return slot.timer.at_us - loop_now_us(unit_loop);
}

/* At once, then after 0.1, 0.2, 0.4 ... 30 seconds, for ever. */
static void test_backoff(void **state)
{
    uint64_t expected = 100 * US_PER_MS;

    (void)state;
    slot_handle(&slot, SLOT_START, "");
    slot_handle(&slot, SLOT_GONE, "");
    assert_int_equal(wait_us(), 0);
    for (int i = 0; i < 100; i++) {
        slot_handle(&slot, SLOT_TIMEOUT, "");
        assert_int_equal(slot.state, SLOT_FORKING);
        slot_handle(&slot, SLOT_GONE, "");
        assert_int_equal(wait_us(), expected);
        expected = MIN(2 * expected, 30 * US_PER_SEC);
    }

    /* One that had stayed is replaced at once, and what was before is forgotten. */
    slot_handle(&slot, SLOT_TIMEOUT, "");
    slot_handle(&slot, SLOT_HELLO, "");
    slot_handle(&slot, SLOT_SERVES, "");
    slot.since_us -= 3 * US_PER_SEC;
    slot_handle(&slot, SLOT_GONE, "");
    assert_int_equal(wait_us(), 0);
    assert_int_equal(slot.n_failures, 0);

    /* One that served for a moment is a failure. */
    slot_handle(&slot, SLOT_TIMEOUT, "");
    slot_handle(&slot, SLOT_HELLO, "");
    slot_handle(&slot, SLOT_SERVES, "");
    slot_handle(&slot, SLOT_GONE, "");
    assert_int_equal(slot.n_failures, 1);
}

static void test_given_up(void **state)
{
    (void)state;
    fake.given_up = true;
    slot_handle(&slot, SLOT_START, "");
    slot_handle(&slot, SLOT_GONE, "why");
    assert_int_equal(slot.state, SLOT_BACKOFF);
    assert_string_equal(slot.reason, "why");
    assert_false(loop_timer_is_set(&slot.timer)); /* nobody is started any more */
}

static void test_fork_failures(void **state)
{
    size_t n_fds = unit_count_fds();

    (void)state;
    fake.fork_result = -ESRCH; /* the zygote is not there: it will say SLOT_START */
    slot_handle(&slot, SLOT_START, "");
    assert_int_equal(slot.state, SLOT_BACKOFF);
    assert_int_equal(slot.n_failures, 0);
    assert_int_equal(unit_count_fds(), n_fds);

    fake.fork_result = -ENOMEM;
    slot_handle(&slot, SLOT_START, "");
    assert_int_equal(wait_us(), 100 * US_PER_MS);
    assert_int_equal(slot.n_failures, 1);
    assert_int_equal(unit_count_fds(), n_fds);
}

/* A worker that shows itself late in its time is not given that time again. */
static void test_hello_keeps_the_deadline(void **state)
{
    (void)state;
    fake.start_timeout_us = 77;
    slot_handle(&slot, SLOT_START, "");
    uint64_t deadline = slot.timer.at_us;
    fake.start_timeout_us = 3600 * US_PER_SEC;
    slot_handle(&slot, SLOT_HELLO, "");
    assert_int_equal(slot.timer.at_us, deadline);
}

/* Lives */

static void say(int fd, enum family_type type, const char *text)
{
    UNIT_CHECK(message_send_text(fd, (uint16_t)type, 0, text) == 0);
}

/* Waits for an order; ends with code 0 if it is the right one. */
static void await_order(int fd, enum family_type type, uint32_t value)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    struct message_buffer buffer;
    struct message m = {0};

    UNIT_CHECK(poll(&p, 1, -1) == 1);
    UNIT_CHECK(message_receive(fd, &buffer, &m) == 1);
    UNIT_CHECK(m.type == type);
    UNIT_CHECK(m.value == value);
}

/* A worker that is ready takes nothing before it is told to: until then it may be killed. */
static void get_ready(int fd)
{
    say(fd, FAMILY_READY, "");
    await_order(fd, FAMILY_SERVE, 0);
}

static void serve_until_drain(int fd)
{
    get_ready(fd);
    say(fd, FAMILY_LOYAL, "");
    say(fd, FAMILY_RELOAD, "");
    await_order(fd, FAMILY_DRAIN, FAMILY_DRAIN_LAST);
}

static void test_life_and_drain(void **state)
{
    (void)state;
    reset(serve_until_drain, true);
    slot_handle(&slot, SLOT_START, "");
    assert_int_equal(slot.state, SLOT_STARTING);
    assert_int_equal(slot_pid(&slot), fake.process.pid);
    (void)unit_run_loop();
    assert_int_equal(slot.state, SLOT_READY);
    (void)unit_run_loop();
    assert_string_equal(fake.trace, "fork;ready;loyal;reload;");
    slot.drain = FAMILY_DRAIN_LAST;
    slot_handle(&slot, SLOT_DRAIN, "told to finish");
    (void)unit_run_loop();
    assert_string_equal(fake.trace, "fork;ready;loyal;reload;ended;");
    assert_int_equal(slot.state, SLOT_EMPTY);
    assert_string_equal(slot.reason, "exited with code 0");
}

static void say_hello_and_serve(int fd)
{
    say(fd, FAMILY_HELLO, "");
    get_ready(fd);
    await_order(fd, FAMILY_STOP, 0);
}

/* A zygote's worker is known by its first message, from what the kernel says of it. */
static void test_hello_and_stop(void **state)
{
    (void)state;
    reset(say_hello_and_serve, false);
    slot_handle(&slot, SLOT_START, "");
    assert_int_equal(slot.state, SLOT_FORKING);
    (void)unit_run_loop();
    assert_int_equal(slot.state, SLOT_READY);
    assert_int_equal(slot_pid(&slot), fake.process.pid);
    slot_handle(&slot, SLOT_STOP, "told to end");
    (void)unit_run_loop();
    assert_string_equal(fake.trace, "fork;ready;ended;");
    assert_string_equal(slot.reason, "exited with code 0");
}

static void start_and_await_ready(worker_fn *worker)
{
    reset(worker, true);
    slot_handle(&slot, SLOT_START, "");
    (void)unit_run_loop();
    assert_int_equal(slot.state, SLOT_READY);
    assert_false(loop_timer_is_set(&slot.timer)); /* it may stay for ever */
}

static void close_and_finish(int fd)
{
    get_ready(fd);
    await_order(fd, FAMILY_DRAIN, FAMILY_DRAIN_SUCCEEDED);
    say(fd, FAMILY_CLOSED, "");
    say(fd, FAMILY_RELOAD, ""); /* ends the round, and the test looks */
    do_nothing(fd);
}

/* A worker that finishes may take connections until it says that it does not. */
static void test_closed(void **state)
{
    (void)state;
    reset(close_and_finish, true);
    slot_handle(&slot, SLOT_START, "");
    assert_false(slot.accepting);
    (void)unit_run_loop();
    assert_true(slot.accepting);
    slot_handle(&slot, SLOT_DRAIN, "told to finish");
    assert_true(slot.accepting);
    (void)unit_run_loop();
    assert_string_equal(fake.trace, "fork;ready;closed;reload;");
    assert_int_equal(slot.state, SLOT_DRAINING);
    assert_false(slot.accepting);
}

/* When somebody else has told it to, with a signal, its place goes to another one. */
static void close_by_itself(int fd)
{
    say(fd, FAMILY_READY, "");
    say(fd, FAMILY_CLOSED, "");
    say(fd, FAMILY_RELOAD, "");
    do_nothing(fd);
}

static void test_closed_by_itself(void **state)
{
    (void)state;
    start_and_await_ready(close_by_itself);
    (void)unit_run_loop();
    assert_string_equal(fake.trace, "fork;ready;closed;leaves;reload;");
    assert_int_equal(slot.state, SLOT_READY);
    assert_false(slot.accepting);
}

/* A dead one takes no connections, whatever it has said. */
static void serve(int fd)
{
    say(fd, FAMILY_READY, "");
    do_nothing(fd);
}

static void test_dead_is_closed(void **state)
{
    (void)state;
    start_and_await_ready(serve);
    assert_true(slot.accepting);
    assert_int_equal(proc_signal(&fake.process, SIGKILL), 0);
    (void)unit_run_loop();
    assert_string_equal(fake.trace, "fork;ready;fork;");
    assert_false(slot.accepting);
}

static void fail_to_load(int fd)
{
    say(fd, FAMILY_LOYAL, ""); /* a round reads one message: its end is seen before the second */
    say(fd, FAMILY_WORKER_FAILED, "/srv/app.py:1: it broke");
    _exit(22);
}

/* Its last words come before its end. */
static void test_last_words(void **state)
{
    (void)state;
    reset(fail_to_load, true);
    slot_handle(&slot, SLOT_START, "");
    unit_wait_readable(fake.process.pidfd);
    (void)unit_run_loop();
    assert_string_equal(
        fake.trace, "fork;loyal;cause /srv/app.py:1: it broke;failed exited with code 22;fork;");
}

static void die_before_hello(int fd)
{
    (void)fd;
}

static void test_death_before_hello(void **state)
{
    (void)state;
    reset(die_before_hello, false);
    slot_handle(&slot, SLOT_START, "");
    (void)unit_run_loop();
    assert_string_equal(fake.trace, "fork;failed ended before it started;fork;");
}

/* Deadlines */

static void test_start_timeout(void **state)
{
    (void)state;
    reset(do_nothing, true);
    fake.start_timeout_us = 1;
    slot_handle(&slot, SLOT_START, "");
    (void)unit_run_loop();
    assert_string_equal(fake.trace, "fork;failed start timed out;fork;");
    unit_wait_readable(fake.process.pidfd); /* it was killed */
}

static void be_ready_and_deaf(int fd)
{
    say(fd, FAMILY_READY, "");
    do_nothing(fd);
}

static void test_end_of_mercy(void **state)
{
    (void)state;
    start_and_await_ready(be_ready_and_deaf);
    fake.mercy_us = 1;
    slot_handle(&slot, SLOT_DRAIN, "told to finish");
    (void)unit_run_loop();
    assert_string_equal(slot.reason, "killed by signal 9 (Killed)");
    assert_int_equal(slot.state, SLOT_EMPTY);
}

/* One that can be told nothing more is killed at once. */
static void test_deaf_worker(void **state)
{
    static const enum slot_event orders[] = {SLOT_DRAIN, SLOT_STOP};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(orders); i++) {
        start_and_await_ready(be_ready_and_deaf);
        while (message_send_text(slot.channel.io.fd, FAMILY_DRAIN, 0, "") == 0)
            ;
        slot_handle(&slot, orders[i], "");
        (void)unit_run_loop();
        assert_string_equal(slot.reason, "killed by signal 9 (Killed)");
        throw_away();
    }
}

/* Hostile workers */

static void send_a_masters_order(int fd)
{
    say(fd, FAMILY_READY, "");
    say(fd, FAMILY_FORK, "");
    do_nothing(fd);
}

static void say_hello_though_known(int fd)
{
    say(fd, FAMILY_READY, "");
    say(fd, FAMILY_HELLO, "");
    do_nothing(fd);
}

static void send_a_descriptor(int fd)
{
    struct message m = {.type = FAMILY_LOYAL, .fds = {fd}, .n_fds = 1};

    say(fd, FAMILY_READY, "");
    UNIT_CHECK(message_send(fd, &m) == 0);
    do_nothing(fd);
}

static void send_garbage(int fd)
{
    say(fd, FAMILY_READY, "");
    UNIT_CHECK(write(fd, "x", 1) == 1);
    do_nothing(fd);
}

/* It is killed, and another one takes its place. */
static void test_hostile_workers(void **state)
{
    static worker_fn *const workers[] = {send_a_masters_order, say_hello_though_known,
                                         send_a_descriptor, send_garbage};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(workers); i++) {
        start_and_await_ready(workers[i]);
        (void)unit_run_loop();
        assert_string_equal(fake.trace, "fork;ready;fork;");
        assert_int_equal(slot.state, SLOT_FORKING);
        assert_int_equal(slot.n_failures, 1);
        throw_away();
    }
}

static void let_a_stranger_say_hello(int fd)
{
    struct proc p = PROC_NONE;

    if (proc_fork(&p) == 0) {
        say(fd, FAMILY_HELLO, "");
        _exit(0);
    }
    (void)poll(&(struct pollfd){.fd = p.pidfd, .events = POLLIN}, 1, -1);
    do_nothing(fd);
}

/* Only a child of ours can be the worker. */
static void test_stranger(void **state)
{
    (void)state;
    reset(let_a_stranger_say_hello, false);
    slot_handle(&slot, SLOT_START, "");
    (void)unit_run_loop();
    assert_string_equal(fake.trace, "fork;failed ended before it started;fork;");
    assert_int_equal(slot_pid(&slot), 0);
    assert_int_equal(proc_signal(&fake.process, SIGKILL), 0);
}

/* What a worker that is ready says again, or too early, changes nothing. */
static void be_ready_twice(int fd)
{
    say(fd, FAMILY_READY, "");
    say(fd, FAMILY_READY, "");
    say(fd, FAMILY_RELOAD, "");
    do_nothing(fd);
}

static void test_ready_twice(void **state)
{
    (void)state;
    start_and_await_ready(be_ready_twice);
    (void)unit_run_loop();
    assert_string_equal(fake.trace, "fork;ready;reload;");
}

#define SLOT_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SLOT_TEST(test_every_cell),     SLOT_TEST(test_names),
        SLOT_TEST(test_backoff),        SLOT_TEST(test_given_up),
        SLOT_TEST(test_fork_failures),  SLOT_TEST(test_hello_keeps_the_deadline),
        SLOT_TEST(test_life_and_drain), SLOT_TEST(test_hello_and_stop),
        SLOT_TEST(test_last_words),     SLOT_TEST(test_death_before_hello),
        SLOT_TEST(test_start_timeout),  SLOT_TEST(test_end_of_mercy),
        SLOT_TEST(test_deaf_worker),    SLOT_TEST(test_hostile_workers),
        SLOT_TEST(test_stranger),       SLOT_TEST(test_ready_twice),
        SLOT_TEST(test_closed),         SLOT_TEST(test_closed_by_itself),
        SLOT_TEST(test_dead_is_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
