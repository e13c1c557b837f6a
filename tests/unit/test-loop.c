/* SPDX-License-Identifier: MIT */
/* The loop: what is called, in which order, and what is not called any more. */
#include "loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit-loop.h"

/* What was called, a letter each. */
static char trace[64];

static void note(char c)
{
    size_t len = strlen(trace);

    assert_true(len + 1 < sizeof(trace));
    trace[len] = c;
    trace[len + 1] = '\0';
}

static int set_up(void **state)
{
    trace[0] = '\0';
    return unit_make_loop(state);
}

/* Descriptors */

#define N_SOURCES 5

struct source {
    struct loop_io io;
    int write_fd;
};
static struct source *sources[N_SOURCES];

static struct source *source_new(loop_io_fn *fn)
{
    struct source *s = calloc(1, sizeof(*s));
    int fds[2];

    assert_non_null(s);
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    *s = (struct source){.io = {.fd = fds[0], .fn = fn}, .write_fd = fds[1]};
    assert_int_equal(loop_io_add(unit_loop, &s->io, EPOLLIN), 0);
    assert_int_equal(write(s->write_fd, "x", 1), 1);
    return s;
}

static struct source *source_free(struct source *s)
{
    loop_io_remove(unit_loop, &s->io);
    (void)close(s->io.fd);
    (void)close(s->write_fd);
    free(s);
    return NULL;
}

/* Whoever is called first frees all others, whose events are in the same batch. */
static void free_others(struct loop_io *io, uint32_t events)
{
    note('f');
    assert_int_equal(events, EPOLLIN);
    for (size_t i = 0; i < N_SOURCES; i++)
        if (&sources[i]->io != io)
            sources[i] = source_free(sources[i]);
    loop_stop(unit_loop, 0);
}

static void test_removed_in_a_batch(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_SOURCES; i++)
        sources[i] = source_new(free_others);
    assert_int_equal(unit_run_loop(), 0);
    assert_string_equal(trace, "f");
    for (size_t i = 0; i < N_SOURCES; i++)
        if (sources[i])
            sources[i] = source_free(sources[i]);
}

/* The same memory becomes a source of another descriptor: the old one's event is not for it. */
static void replace_other(struct loop_io *io, uint32_t events)
{
    struct source *other = &sources[0]->io == io ? sources[1] : sources[0];
    int fds[2];

    note('r');
    assert_int_equal(events, EPOLLIN);
    loop_io_remove(unit_loop, &other->io);
    (void)close(other->io.fd);
    (void)close(other->write_fd);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    other->io.fd = fds[0];
    other->write_fd = fds[1];
    assert_int_equal(loop_io_add(unit_loop, &other->io, EPOLLIN), 0);
    loop_stop(unit_loop, 0);
}

static void test_replaced_in_a_batch(void **state)
{
    (void)state;
    sources[0] = source_new(replace_other);
    sources[1] = source_new(replace_other);
    assert_int_equal(unit_run_loop(), 0);
    assert_string_equal(trace, "r");
    sources[0] = source_free(sources[0]);
    sources[1] = source_free(sources[1]);
}

static void free_itself(struct loop_io *io, uint32_t events)
{
    note('i');
    (void)events;
    (void)source_free(container_of(io, struct source, io));
    loop_stop(unit_loop, 7);
}

static void test_frees_itself(void **state)
{
    (void)state;
    (void)source_new(free_itself);
    assert_int_equal(unit_run_loop(), 7);
    assert_string_equal(trace, "i");
}

/* More sources than a batch holds: each is called in its turn. */
static void count_and_read(struct loop_io *io, uint32_t events)
{
    static int n;
    char byte = 0;

    (void)events;
    assert_int_equal(read(io->fd, &byte, 1), 1);
    if (++n == 200)
        loop_stop(unit_loop, n);
}

static void test_many(void **state)
{
    struct source *many[200];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(many); i++)
        many[i] = source_new(count_and_read);
    assert_int_equal(unit_run_loop(), 200);
    for (size_t i = 0; i < COUNT_OF(many); i++)
        (void)source_free(many[i]);
}

static void on_writable(struct loop_io *io, uint32_t events)
{
    assert_int_equal(events, EPOLLOUT);
    note('o');
    loop_io_remove(unit_loop, io);
    loop_stop(unit_loop, 0);
}

static void test_modify(void **state)
{
    struct loop_io io = {.fn = on_writable};
    int fds[2];

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    io.fd = fds[1];
    assert_int_equal(loop_io_modify(unit_loop, &io, EPOLLOUT), -ENOENT);
    assert_int_equal(loop_io_add(unit_loop, &io, 0), 0);
    assert_int_equal(loop_io_add(unit_loop, &io, 0), -EEXIST);
    assert_int_equal(loop_io_modify(unit_loop, &io, EPOLLOUT), 0);
    assert_int_equal(unit_run_loop(), 0);
    assert_string_equal(trace, "o");
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void test_refusals(void **state)
{
    struct loop_io none = {.fd = -1};
    struct loop_io folder = {.fd = open("/", O_RDONLY | O_CLOEXEC)};

    (void)state;
    assert_int_equal(loop_io_add(unit_loop, &none, EPOLLIN), -EBADF);
    loop_io_remove(unit_loop, &none);
    assert_int_equal(loop_io_add(unit_loop, &folder, EPOLLIN), -EPERM); /* epoll_ctl(2) */
    loop_io_remove(unit_loop, &folder);
    (void)close(folder.fd);
}

/* Timers */

struct letter_timer {
    struct loop_timer timer;
    char letter;
    struct letter_timer *clears, *sets; /* others, when it runs */
};

static void on_timer(struct loop_timer *t)
{
    struct letter_timer *lt = container_of(t, struct letter_timer, timer);

    assert_false(loop_timer_is_set(t));
    assert_true(clock_now_us() >= t->at_us);
    assert_true(loop_now_us(unit_loop) >= t->at_us);
    note(lt->letter);
    if (lt->clears)
        loop_timer_clear(unit_loop, &lt->clears->timer);
    if (lt->sets)
        loop_timer_set(unit_loop, &lt->sets->timer, loop_now_us(unit_loop));
    if (lt->letter == 'z')
        loop_stop(unit_loop, 0);
}

static void set_timer(struct letter_timer *lt, char letter, int64_t after_us)
{
    lt->timer.fn = on_timer;
    lt->letter = letter;
    loop_timer_set(unit_loop, &lt->timer, (uint64_t)((int64_t)clock_now_us() + after_us));
}

static void test_timers(void **state)
{
    struct letter_timer t[6] = {0};

    (void)state;
    set_timer(&t[0], 'd', 2000);
    set_timer(&t[1], 'z', 3000);
    set_timer(&t[2], 'a', -5000); /* long since due */
    set_timer(&t[3], 'x', 100);
    set_timer(&t[4], 'c', -10);
    set_timer(&t[5], 'x', 1000);
    set_timer(&t[3], 'b', -1000); /* moved to the front */
    loop_timer_clear(unit_loop, &t[5].timer);
    loop_timer_clear(unit_loop, &t[5].timer);
    assert_int_equal(unit_run_loop(), 0);
    assert_string_equal(trace, "abcdz");
}

/* Two that are due together: the first takes the second back, or sets another that is due too. */
static void test_timers_change_timers(void **state)
{
    struct letter_timer t[5] = {0};

    (void)state;
    set_timer(&t[0], 'a', -400);
    set_timer(&t[1], 'b', -300);
    set_timer(&t[2], 'c', -200);
    set_timer(&t[4], 'z', 1000);
    t[3] = (struct letter_timer){.timer.fn = on_timer, .letter = 's'};
    t[0].clears = &t[1];
    t[2].sets = &t[3];
    assert_int_equal(unit_run_loop(), 0);
    assert_string_equal(trace, "acsz");
}

/* Tasks */

struct letter_task {
    struct loop_task task;
    char letter;
    int again; /* so often it queues itself */
    struct letter_task *cancels;
};

static void on_task(struct loop_task *t)
{
    struct letter_task *lt = container_of(t, struct letter_task, task);

    note(lt->letter);
    if (lt->cancels)
        loop_task_cancel(&lt->cancels->task);
    if (lt->again-- > 0)
        loop_task_queue(unit_loop, t);
    if (lt->letter == 'z')
        loop_stop(unit_loop, 0);
}

static void queue(struct letter_task *lt, char letter)
{
    loop_task_init(&lt->task, on_task);
    lt->letter = letter;
    loop_task_queue(unit_loop, &lt->task);
}

static void test_tasks(void **state)
{
    struct letter_task t[3] = {0};

    (void)state;
    queue(&t[0], 'a');
    queue(&t[1], 'b');
    queue(&t[2], 'z');
    loop_task_queue(unit_loop, &t[0].task); /* is there already */
    assert_int_equal(unit_run_loop(), 0);
    assert_string_equal(trace, "abz");
}

static void test_task_cancels_task(void **state)
{
    struct letter_task t[4] = {0};

    (void)state;
    queue(&t[0], 'a');
    queue(&t[1], 'b');
    queue(&t[2], 'c');
    queue(&t[3], 'z');
    t[0].cancels = &t[2];
    loop_task_cancel(&t[1].task);
    loop_task_cancel(&t[1].task);
    assert_int_equal(unit_run_loop(), 0);
    assert_string_equal(trace, "az");
}

/* Work that queues itself does not keep the loop from its other sources. */
static struct letter_task restless, last;

static void queue_last(struct loop_io *io, uint32_t events)
{
    note('i');
    (void)events;
    loop_io_remove(unit_loop, io);
    restless.again = 0;
    queue(&last, 'z');
}

static void test_order_in_a_round(void **state)
{
    struct letter_timer timer = {0};
    struct source *s = source_new(queue_last);

    (void)state;
    restless = (struct letter_task){.again = 1000000};
    queue(&restless, 'a');
    set_timer(&timer, 't', -1);
    assert_int_equal(unit_run_loop(), 0);
    assert_string_equal(trace, "itaz"); /* descriptors, deadlines, tasks */
    (void)source_free(s);
}

/* Yielding: another thread goes on where this one stopped */

static void read_and_yield(struct loop_io *io, uint32_t events)
{
    char byte = 0;

    (void)events;
    assert_int_equal(read(io->fd, &byte, 1), 1);
    note('y');
    loop_yield(unit_loop);
}

/* The other events of the batch wait, and are not asked for a second time. */
static void test_yield_in_a_batch(void **state)
{
    unsigned rounds = loop_rounds(unit_loop);

    (void)state;
    for (size_t i = 0; i < N_SOURCES; i++)
        sources[i] = source_new(read_and_yield);
    for (size_t i = 1; i <= N_SOURCES; i++) {
        assert_int_equal(unit_run_loop(), LOOP_YIELDED);
        assert_int_equal(strlen(trace), i);
        assert_int_equal(loop_rounds(unit_loop), rounds + 1);
    }
    for (size_t i = 0; i < N_SOURCES; i++)
        sources[i] = source_free(sources[i]);
}

/* An event that waits is struck out with its source, as ever. */
static void test_removed_after_a_yield(void **state)
{
    struct letter_task t = {0};

    (void)state;
    for (size_t i = 0; i < 2; i++)
        sources[i] = source_new(read_and_yield);
    assert_int_equal(unit_run_loop(), LOOP_YIELDED);
    for (size_t i = 0; i < 2; i++)
        sources[i] = source_free(sources[i]);
    queue(&t, 'z');
    assert_int_equal(unit_run_loop(), 0);
    assert_string_equal(trace, "yz");
}

static void yield_by_timer(struct loop_timer *t)
{
    (void)t;
    note('t');
    loop_yield(unit_loop);
}

static void yield_by_task(struct loop_task *t)
{
    note('k');
    loop_yield(unit_loop);
    (void)t;
}

/* Deadlines and work stop early, too, and go on in their order. */
static void test_yield_in_a_round(void **state)
{
    struct loop_timer timers[2] = {{.fn = yield_by_timer}, {.fn = yield_by_timer}};
    struct loop_task tasks[2];
    struct letter_task last_task = {0};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        loop_timer_set(unit_loop, &timers[i], 1 + i);
        loop_task_init(&tasks[i], yield_by_task);
        loop_task_queue(unit_loop, &tasks[i]);
    }
    queue(&last_task, 'z');
    for (int i = 0; i < 4; i++)
        assert_int_equal(unit_run_loop(), LOOP_YIELDED);
    assert_string_equal(trace, "ttkk");
    assert_int_equal(unit_run_loop(), 0);
    assert_string_equal(trace, "ttkkz");
}

static void yield_and_stop(struct loop_task *t)
{
    (void)t;
    loop_stop(unit_loop, 5);
    loop_yield(unit_loop);
}

/* Whoever goes on is told that the loop was stopped. */
static void test_yield_and_stop(void **state)
{
    struct loop_task t;

    (void)state;
    loop_task_init(&t, yield_and_stop);
    loop_task_queue(unit_loop, &t);
    assert_int_equal(unit_run_loop(), LOOP_YIELDED);
    assert_int_equal(unit_run_loop(), 5);
}

static void *run_until_yield(void *data)
{
    int *code = data;

    *code = loop_run(unit_loop);
    return NULL;
}

/* The first callback has another thread run the loop; that one takes an event of the same batch and
 * one that is new, and yields; then the first goes on with what is left. */
static void lend_the_loop(struct loop_io *io, uint32_t events)
{
    static int n;
    pthread_t other;
    char byte = 0;
    int code = 0;

    (void)events;
    assert_int_equal(read(io->fd, &byte, 1), 1);
    if (n++ > 0) {
        note('2');
        loop_yield(unit_loop);
        return;
    }
    note('(');
    assert_int_equal(pthread_create(&other, NULL, run_until_yield, &code), 0);
    assert_int_equal(pthread_join(other, NULL), 0);
    assert_int_equal(code, LOOP_YIELDED);
    note(')');
}

static void test_lent_in_a_callback(void **state)
{
    struct letter_task t = {0};

    (void)state;
    for (size_t i = 0; i < 3; i++)
        sources[i] = source_new(lend_the_loop);
    assert_int_equal(unit_run_loop(), LOOP_YIELDED); /* by the third */
    assert_string_equal(trace, "(2)2");
    queue(&t, 'z');
    assert_int_equal(unit_run_loop(), 0);
    for (size_t i = 0; i < 3; i++)
        sources[i] = source_free(sources[i]);
}

/* Signals and hooks */

static void on_signal(int sig, void *data)
{
    assert_ptr_equal(data, trace);
    note(sig == SIGUSR1 ? '1' : '2');
    if (strlen(trace) == 2)
        loop_stop(unit_loop, 0);
}

static void test_signals(void **state)
{
    sigset_t some, old;

    (void)state;
    (void)sigemptyset(&some);
    (void)sigaddset(&some, SIGUSR1);
    (void)sigaddset(&some, SIGUSR2);
    assert_int_equal(sigprocmask(SIG_SETMASK, NULL, &old), 0);
    assert_int_equal(loop_set_signals(unit_loop, &some, on_signal, trace), 0);
    (void)raise(SIGUSR2);
    (void)raise(SIGUSR1);
    assert_string_equal(trace, ""); /* not before the loop says so */
    assert_int_equal(unit_run_loop(), 0);
    assert_string_equal(trace, "12");
    assert_int_equal(sigprocmask(SIG_SETMASK, &old, NULL), 0);
}

static void before(void)
{
    note('<');
}

static void test_hooks(void **state)
{
    struct letter_timer t = {0};

    (void)state;
    loop_set_wait_hook(unit_loop, before);
    set_timer(&t, 'z', 1);
    assert_int_equal(unit_run_loop(), 0);
    assert_string_equal(trace, "<z");
    loop_set_wait_hook(unit_loop, NULL);
}

static void test_no_leak(void **state)
{
    size_t n = unit_count_fds();
    struct loop *l = NULL;

    (void)state;
    assert_int_equal(loop_new(&l), 0);
    assert_null(loop_free(l));
    assert_null(loop_free(NULL));
    assert_int_equal(unit_count_fds(), n);
}

#define LOOP_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, unit_free_loop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOOP_TEST(test_removed_in_a_batch),
        LOOP_TEST(test_replaced_in_a_batch),
        LOOP_TEST(test_frees_itself),
        LOOP_TEST(test_many),
        LOOP_TEST(test_modify),
        LOOP_TEST(test_refusals),
        LOOP_TEST(test_timers),
        LOOP_TEST(test_timers_change_timers),
        LOOP_TEST(test_tasks),
        LOOP_TEST(test_task_cancels_task),
        LOOP_TEST(test_order_in_a_round),
        LOOP_TEST(test_yield_in_a_batch),
        LOOP_TEST(test_removed_after_a_yield),
        LOOP_TEST(test_yield_in_a_round),
        LOOP_TEST(test_yield_and_stop),
        LOOP_TEST(test_lent_in_a_callback),
        LOOP_TEST(test_signals),
        LOOP_TEST(test_hooks),
        LOOP_TEST(test_no_leak),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
