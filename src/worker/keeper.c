/* SPDX-License-Identifier: MIT */
/* The keeper's process has no memory of its own but its stack (memmap.h): it is forked from a
 * process that may be large, and stays as long as that one. It runs what is in this file, and a few
 * system calls. That a connection is given away at most once is more important than that it is
 * kept: two workers would answer one client. So an entry is marked as busy before, by whoever gives
 * it away. */
#include "worker/keeper.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memmap.h"
#include "base/proc.h"
#include "ipc/family.h"
#include "ipc/message.h"

#define RESCUE_US (10 * US_PER_SEC) /* for which a queue that is full is waited for */

struct keeper_memory {
    int worker_fd; /* its pidfd */
    int channel_fd;
    pid_t master;
    struct queue queue;
    _Atomic(bool) nothing_to_keep;
    _Atomic(uint32_t) n_conns; /* entries that have ever been used */
    struct kept conns[KEEPER_MAX_CONNS];
};

int keeper_open(struct keeper *k, const struct queue *queue, int channel_fd)
{
    _cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (fd < 0)
        return -errno;
    /* Pages that are not used do not exist. */
    struct keeper_memory *m = mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE,
                                   MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (m == MAP_FAILED)
        return -errno;
    m->worker_fd = TAKE_FD(fd);
    m->channel_fd = channel_fd;
    m->queue = *queue;
    *k = (struct keeper){.memory = m};
    return 0;
}

struct kept *keeper_enter(struct keeper *k, int fd)
{
    struct keeper_memory *m = k->memory;
    uint32_t n = atomic_load_explicit(&m->n_conns, memory_order_relaxed);
    struct kept *c = NULL;

    if (k->first_free != 0) {
        c = &m->conns[k->first_free - 1];
        k->first_free = c->next_free;
    } else if (n < KEEPER_MAX_CONNS) {
        c = &m->conns[n];
        atomic_store_explicit(&m->n_conns, n + 1, memory_order_relaxed);
    } else {
        return NULL;
    }
    c->fd = fd;
    kept_release(c);
    return c;
}

void keeper_leave(struct keeper *k, struct kept *c)
{
    if (!c)
        return;
    atomic_store_explicit(&c->state, KEPT_FREE, memory_order_release);
    c->next_free = k->first_free;
    k->first_free = (uint32_t)(c - k->memory->conns) + 1;
}

void keeper_shed(struct keeper *k)
{
    (void)close(k->memory->worker_fd);
    (void)munmap(k->memory, sizeof(*k->memory)); /* it is a mapping */
    *k = (struct keeper){.memory = NULL};
}

void keeper_end(struct keeper *k)
{
    atomic_store(&k->memory->nothing_to_keep, true);
}

/* The process */

/* Those that cannot be saved: their clients had better hear of it at once. */
static void close_busy(const struct keeper_memory *m, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (atomic_load(&m->conns[i].state) == KEPT_BUSY)
            (void)close(m->conns[i].fd);
}

/* Gives one away, and waits for room in the queue until @end_us. */
static void give(const struct keeper_memory *m, struct kept *c, uint64_t end_us)
{
    const struct iovec iov = {.iov_base = &c->entry, .iov_len = sizeof(c->entry)};
    struct pollfd p = {.fd = m->queue.give_fd, .events = POLLOUT};

    kept_release(c);
    while (queue_give(&m->queue, &iov, 1, &c->fd, 1) == -EAGAIN) {
        uint64_t now_us = clock_now_us();
        if (now_us >= end_us)
            return;
        (void)poll(&p, 1, (int)MIN((end_us - now_us) / US_PER_MS + 1, (uint64_t)10));
    }
    (void)close(c->fd);
}

static void rescue(struct keeper_memory *m)
{
    uint32_t n = MIN(atomic_load(&m->n_conns), (uint32_t)KEEPER_MAX_CONNS);
    uint64_t end_us = clock_now_us() + RESCUE_US;

    close_busy(m, n);
    for (uint32_t i = 0; i < n; i++)
        if (atomic_load(&m->conns[i].state) == KEPT_IDLE)
            give(m, &m->conns[i], end_us);
}

/* The application may have left this process no descriptors to open, and then poll(2) does not wait
 * either. */
static int allow_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -errno;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : 0;
}

static _noreturn_ void keep(struct keeper_memory *m)
{
    const struct message hello = {.type = FAMILY_KEEPER};
    const void *const needed[] = {m, m->queue.board};
    struct pollfd p = {.fd = m->worker_fd, .events = POLLIN};

    if (proc_die_with_parent(m->master) < 0 || allow_descriptors() < 0)
        _exit(EXIT_FAILURE);
    (void)!message_send(m->channel_fd, &hello); /* in vain: the worker has ended already */
    if (memmap_drop_all_except(needed, COUNT_OF(needed)) < 0)
        _exit(EXIT_FAILURE);
    int n = 0;
    while (n != 1) {
        n = poll(&p, 1, -1);
        if (n < 0 && errno != EINTR)
            _exit(EXIT_FAILURE);
    }
    if (!atomic_load(&m->nothing_to_keep))
        rescue(m);
    _exit(EXIT_SUCCESS);
}

/* The thread that forks it: the loop need not wait, the keeper has its name from the beginning, and
 * a stack that nobody else has used. */
static void *start(void *data)
{
    struct keeper_memory *m = data;

    (void)prctl(PR_SET_NAME, "liege-keeper"); /* of this thread; never fails */
    int r = proc_fork_sibling(true);
    if (r == 0)
        keep(m);
    if (r < 0)
        (void)log_errno(LOG_WARNING, r, "no keeper: idle connections end if this worker dies");
    return NULL;
}

int keeper_start(struct keeper *k, pid_t master)
{
    struct keeper_memory *m = k->memory;
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, old;

    k->started = true;
    m->master = master;
    (void)sigfillset(&all);
    (void)pthread_attr_init(&attr); /* these cannot fail */
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    int r = -pthread_create(&thread, &attr, start, m);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    (void)pthread_attr_destroy(&attr);
    return r;
}
