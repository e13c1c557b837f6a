/* SPDX-License-Identifier: MIT */
/* Leader and followers, with real threads and a loop whose callbacks are the test's. Each test runs
 * in a child, for the threads of a crew last as long as their process. What is waited for is always
 * something that happens; a lost wake-up is a child that its alarm ends. */
#include "worker/crew.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit.h"

#define PATIENCE_S 60
#define N_SOURCES  4
#define GOOD       42 /* exit code of a test that came to its end */

struct source;
typedef void source_fn(struct source *s);

/* Something that happens in the loop; its callback runs on whichever thread leads. */
struct source {
    struct loop_io io;
    int write_fd;
    source_fn *fn;
    char name;
};

static struct crew crew;
static struct loop *loop;
static struct apps apps;
static struct source sources[N_SOURCES];
static pthread_t main_thread;
static _Atomic(int) n_taken, n_leading;
static _Atomic(bool) is_behind;
static sem_t taken; /* posted each time */
static void (*at_end)(int code);

static char trace[64]; /* written by the leader */

static void note(char c)
{
    size_t len = strlen(trace);

    UNIT_CHECK(len + 1 < sizeof(trace));
    trace[len] = c;
}

static void wait_for(sem_t *s)
{
    while (sem_wait(s) < 0)
        UNIT_CHECK(errno == EINTR);
}

/* The owner */

static void before_wait(void *data)
{
    UNIT_CHECK(data == &crew && !crew_self()->inside);
}

static void on_taken(void *data)
{
    UNIT_CHECK(data == &crew);
    atomic_fetch_add(&n_taken, 1);
    (void)sem_post(&taken);
}

static bool others_could(void *data)
{
    UNIT_CHECK(data == &crew);
    return atomic_load(&is_behind);
}

static void on_end(void *data, int code)
{
    UNIT_CHECK(data == &crew);
    if (at_end)
        at_end(code);
    _exit(code);
}

static const struct crew_owner owner = {
    .before_wait = before_wait,
    .on_taken = on_taken,
    .is_behind = others_could,
    .on_end = on_end,
    .data = &crew,
};

/* Of all callbacks at most one is outside the application: that of the leader. */
static void begin_call(void)
{
    UNIT_CHECK(atomic_fetch_sub(&n_leading, 1) == 1);
    crew_call_begin(&crew);
    UNIT_CHECK(crew_self()->inside);
}

static bool end_call(void)
{
    bool lost = crew_call_end(&crew);

    UNIT_CHECK(atomic_fetch_add(&n_leading, 1) == 0);
    return lost;
}

static void on_source(struct loop_io *io, uint32_t events)
{
    struct source *s = container_of(io, struct source, io);
    pthread_t self = pthread_self();
    char byte = 0;

    (void)events;
    UNIT_CHECK(read(io->fd, &byte, 1) == 1);
    UNIT_CHECK(atomic_fetch_add(&n_leading, 1) == 0);
    s->fn(s);
    UNIT_CHECK(pthread_equal(self, pthread_self()) != 0);
    UNIT_CHECK(atomic_fetch_sub(&n_leading, 1) == 1);
}

static void trigger(size_t i)
{
    UNIT_CHECK(write(sources[i].write_fd, "x", 1) == 1);
}

/* Leads until the loop is stopped; @fns are the callbacks of the sources, of which the first is
 * triggered. */
static void run(size_t n_followers, source_fn *const fns[N_SOURCES])
{
    (void)alarm(PATIENCE_S);
    main_thread = pthread_self();
    UNIT_CHECK(sem_init(&taken, 0, 0) == 0);
    UNIT_CHECK(loop_new(&loop) == 0);
    for (size_t i = 0; i < N_SOURCES; i++) {
        int fds[2] = {-1, -1};
        UNIT_CHECK(pipe2(fds, O_CLOEXEC) == 0);
        sources[i] = (struct source){
            .io = {.fd = fds[0], .fn = on_source},
            .write_fd = fds[1],
            .fn = fns[i],
            .name = (char)('A' + i),
        };
        UNIT_CHECK(loop_io_add(loop, &sources[i].io, EPOLLIN) == 0);
    }
    UNIT_CHECK(crew_self() == NULL);
    UNIT_CHECK(crew_start(&crew, loop, &apps, n_followers, true, &owner) == 0);
    UNIT_CHECK(crew_self() == &crew.members[0]);
    trigger(0);
    crew_lead(&crew);
}

static size_t count_returning(void)
{
    size_t n = 0;

    (void)pthread_mutex_lock(&crew.lock);
    LIST_FOREACH (item, &crew.returning)
        n += item != NULL;
    (void)pthread_mutex_unlock(&crew.lock);
    return n;
}

static void wait_returning(size_t n)
{
    while (count_returning() != n)
        (void)sched_yield();
}

/* True if somebody asks the leader for the lead by the loop. */
static bool leader_is_asked(void)
{
    struct pollfd p = {.fd = crew.wake.fd, .events = POLLIN};

    return poll(&p, 1, 0) == 1;
}

/* Calls that are over soon */

/* Whoever touched the crew's lock now would wait for ever, and only under it threads are woken. */
static void call_under_lock(struct source *s)
{
    (void)s;
    for (bool watched = false; !watched;) {
        begin_call(); /* begins the watch, if there is none */
        (void)end_call();
        (void)pthread_mutex_lock(&crew.lock);
        watched = atomic_load(&crew.flags) == 0;
        if (!watched)
            (void)pthread_mutex_unlock(&crew.lock);
    }
    int before = atomic_load(&n_taken);
    for (int i = 0; i < 10000; i++) {
        begin_call();
        UNIT_CHECK(!end_call());
    }
    UNIT_CHECK(!leader_is_asked());
    UNIT_CHECK(atomic_load(&n_taken) == before);
    (void)pthread_mutex_unlock(&crew.lock);
    loop_stop(loop, GOOD);
}

static void run_short_calls(void *data)
{
    (void)data;
    run(1, (source_fn *const[N_SOURCES]){call_under_lock});
}

/* When no calls are made the watch ends, and the next call begins it anew. */
static void call_and_be_quiet(struct source *s)
{
    static int n;

    begin_call();
    (void)end_call();
    while (atomic_load(&crew.flags) == 0)
        (void)sched_yield();
    if (++n < 5)
        trigger((size_t)(s - sources));
    else
        loop_stop(loop, GOOD);
}

static void run_quiet(void *data)
{
    (void)data;
    run(3, (source_fn *const[N_SOURCES]){call_and_be_quiet});
}

/* Many short calls in one round, while others could do what waits. */
static void call_while_behind(struct source *s)
{
    (void)s;
    atomic_store(&is_behind, true);
    for (bool lost = false; !lost;) {
        begin_call();
        lost = end_call();
    }
    UNIT_CHECK(atomic_load(&n_taken) >= 1);
    loop_stop(loop, GOOD);
}

static void run_behind(void *data)
{
    (void)data;
    run(1, (source_fn *const[N_SOURCES]){call_while_behind});
}

/* A call that lasts */

static sem_t go_on;

static void let_go_on(struct source *s)
{
    UNIT_CHECK(!pthread_equal(pthread_self(), main_thread));
    note(s->name);
    (void)sem_post(&go_on);
}

/* The loop goes on meanwhile, on another thread; then the lead is here again, in the middle of the
 * callback. */
static void call_for_long(struct source *s)
{
    static int n;

    UNIT_CHECK(pthread_equal(pthread_self(), main_thread) != 0);
    note(s->name);
    begin_call();
    trigger(1);
    wait_for(&go_on);
    UNIT_CHECK(end_call());
    note('a');
    UNIT_CHECK(crew_self() == &crew.members[0] && !crew_self()->inside);
    if (++n < 50) {
        memset(trace, 0, sizeof(trace));
        trigger(0);
        return;
    }
    UNIT_CHECK(strcmp(trace, "ABa") == 0);
    UNIT_CHECK(atomic_load(&n_taken) == n);
    loop_stop(loop, GOOD);
}

static void run_long_call(void *data)
{
    (void)data;
    UNIT_CHECK(sem_init(&go_on, 0, 0) == 0);
    run(1, (source_fn *const[N_SOURCES]){call_for_long, let_go_on});
}

/* A short call after the lead came back: it is watched again. */
static void call_twice(struct source *s)
{
    (void)s;
    for (int i = 0; i < 20; i++) {
        begin_call();
        wait_for(&taken);
        UNIT_CHECK(end_call());
        begin_call();
        (void)end_call();
        while (sem_trywait(&taken) == 0)
            ;
    }
    loop_stop(loop, GOOD);
}

static void run_again_and_again(void *data)
{
    (void)data;
    run(2, (source_fn *const[N_SOURCES]){call_twice});
}

/* Several that return */

static sem_t may_end[N_SOURCES];

static void init_semaphores(void)
{
    for (size_t i = 0; i < N_SOURCES; i++)
        UNIT_CHECK(sem_init(&may_end[i], 0, 0) == 0);
}

static void call_until_told(struct source *s)
{
    size_t i = (size_t)(s - sources);

    begin_call();
    trigger(i + 1);
    wait_for(&may_end[i]);
    (void)end_call();
    note(s->name);
    if (strlen(trace) == N_SOURCES)
        loop_stop(loop, GOOD);
}

/* The leader is in the loop's callback while three return; none of them may have the lead before it
 * is over, then they have it in the order in which they came. */
static void have_them_return(struct source *s)
{
    static const size_t order[] = {1, 0, 2};

    for (size_t i = 0; i < COUNT_OF(order); i++) {
        (void)sem_post(&may_end[order[i]]);
        wait_returning(i + 1);
    }
    UNIT_CHECK(leader_is_asked());
    note(s->name);
}

static void check_order(int code)
{
    UNIT_CHECK(code == GOOD);
    UNIT_CHECK(strcmp(trace, "DBAC") == 0);
    UNIT_CHECK(count_returning() == 0);
}

static void run_order(void *data)
{
    (void)data;
    init_semaphores();
    at_end = check_order;
    run(N_SOURCES, (source_fn *const[N_SOURCES]){call_until_told, call_until_told, call_until_told,
                                                 have_them_return});
}

/* Nobody need be asked if the leader is in a call: the lead is taken from it. */
static void return_into_a_call(struct source *s)
{
    begin_call();
    trigger(1);
    wait_for(&may_end[0]); /* the other is in its call, and with two of us nobody else leads */
    UNIT_CHECK(end_call());
    note(s->name);
    (void)sem_post(&may_end[1]);
}

static void call_until_the_lead_is_lost(struct source *s)
{
    begin_call();
    (void)sem_post(&may_end[0]);
    wait_for(&may_end[1]);
    UNIT_CHECK(end_call()); /* asks for it: the other has no call left */
    note(s->name);
    loop_stop(loop, GOOD);
}

static void check_taken_back(int code)
{
    UNIT_CHECK(code == GOOD);
    UNIT_CHECK(strcmp(trace, "AB") == 0);
    UNIT_CHECK(pthread_equal(pthread_self(), main_thread) == 0);
}

static void run_taken_back(void *data)
{
    (void)data;
    init_semaphores();
    at_end = check_taken_back;
    run(1, (source_fn *const[N_SOURCES]){return_into_a_call, call_until_the_lead_is_lost});
}

/* Ends */

static void stop_loop(struct source *s)
{
    (void)s;
    loop_stop(loop, GOOD);
}

static void check_follower_ends(int code)
{
    UNIT_CHECK(code == GOOD);
    UNIT_CHECK(!pthread_equal(pthread_self(), main_thread));
}

static void call_without_end(struct source *s)
{
    (void)s;
    begin_call();
    trigger(1);
    for (;;)
        (void)pause();
}

/* The loop is stopped while another one leads: that one ends the process. */
static void run_stopped(void *data)
{
    (void)data;
    at_end = check_follower_ends;
    run(1, (source_fn *const[N_SOURCES]){call_without_end, stop_loop});
}

/* Signals are for the first thread alone. */
static void on_usr1(int sig)
{
    (void)sig;
    UNIT_CHECK(pthread_equal(pthread_self(), main_thread) != 0);
    (void)sem_post(&go_on); /* signal-safety(7) */
}

static void call_and_be_signalled(struct source *s)
{
    (void)s;
    begin_call();
    wait_for(&taken);
    for (int i = 0; i < 100; i++) {
        UNIT_CHECK(kill(getpid(), SIGUSR1) == 0);
        wait_for(&go_on);
    }
    UNIT_CHECK(end_call());
    loop_stop(loop, GOOD);
}

static void run_signalled(void *data)
{
    (void)data;
    UNIT_CHECK(sem_init(&go_on, 0, 0) == 0);
    UNIT_CHECK(signal(SIGUSR1, on_usr1) != SIG_ERR);
    run(3, (source_fn *const[N_SOURCES]){call_and_be_signalled});
}

/* At random: calls that end at about the same moment, and nothing afterwards that would wake
 * somebody who was forgotten. */

#define N_ROUNDS 200

static _Atomic(unsigned) n_open; /* calls of the round that are not over */
static unsigned n_rounds;

static void spin(uint64_t us)
{
    uint64_t end = clock_now_us() + us;

    while (clock_now_us() < end)
        ;
}

static void call_at_random(struct source *s)
{
    static _Atomic(unsigned) seed = 1;
    unsigned mine = atomic_fetch_add(&seed, 2654435769U);

    (void)s;
    begin_call();
    spin((mine >> 16) % 1500);
    (void)end_call();
    if (atomic_fetch_sub(&n_open, 1) != 1)
        return;
    if (++n_rounds == N_ROUNDS) {
        loop_stop(loop, GOOD);
        return;
    }
    atomic_store(&n_open, N_SOURCES);
    for (size_t i = 0; i < N_SOURCES; i++)
        trigger(i);
}

static void call_first(struct source *s)
{
    s->fn = call_at_random;
    atomic_store(&n_open, N_SOURCES);
    for (size_t i = 1; i < N_SOURCES; i++)
        trigger(i);
    call_at_random(s);
}

static void run_at_random(void *data)
{
    const size_t *n_followers = data;

    run(*n_followers,
        (source_fn *const[N_SOURCES]){call_first, call_at_random, call_at_random, call_at_random});
}

static void test_at_random(void **state)
{
    (void)state;
    for (size_t n = 1; n <= N_SOURCES; n++)
        assert_int_equal(unit_run_child(run_at_random, &n), GOOD);
}

static void test_each(void **state)
{
    void (*const *run_in_child)(void *) = *state;

    assert_int_equal(unit_run_child(*run_in_child, NULL), GOOD);
}

static struct {
    const char *name;
    void (*run)(void *data);
} cases[] = {
    {"short calls", run_short_calls},
    {"quiet", run_quiet},
    {"behind", run_behind},
    {"a long call", run_long_call},
    {"again and again", run_again_and_again},
    {"the order", run_order},
    {"taken back", run_taken_back},
    {"stopped", run_stopped},
    {"signalled", run_signalled},
};

int main(void)
{
    struct CMUnitTest tests[COUNT_OF(cases) + 1] = {cmocka_unit_test(test_at_random)};

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        tests[i + 1] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_each, .initial_state = &cases[i].run};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
