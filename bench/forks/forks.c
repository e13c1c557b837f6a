/* SPDX-License-Identifier: MIT */
/* What is the least that starting a vassal from a warm process can cost: a process that has so much
 * memory forks one, which forks one, which forks one, and the last says that it is there. These are
 * a base, a master, a zygote and a worker, without anything that they do.
 *
 *   forks MIB ROUNDS
 *
 * prints for each round how many microseconds that took. The memory is in pages of the usual size
 * and each of them has been written to, as an interpreter's are: huge ones cost next to nothing to
 * fork. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/macro.h"
#include "base/proc.h"

enum { N_FORKS = 3 };
enum { IS_THERE = 0, CANNOT_FORK = 1 };

static int fill_memory(size_t n_bytes)
{
    void *memory = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED || madvise(memory, n_bytes, MADV_NOHUGEPAGE) < 0)
        return -errno;
    memset(memory, 1, n_bytes);
    return 0;
}

static _Noreturn void say(int fd, unsigned char what)
{
    _exit(write(fd, &what, 1) == 1 ? what : EXIT_FAILURE);
}

static void reap(struct proc *child)
{
    while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    (void)close(child->pidfd);
}

static int measure(int from, int to, uint64_t *ret_us)
{
    struct proc child = PROC_NONE;
    unsigned char heard = CANNOT_FORK;
    int depth = 0, r = 0;
    uint64_t began = clock_now_us();

    while (depth < N_FORKS && (r = proc_fork(&child)) == 0)
        depth++;
    if (depth == N_FORKS)
        say(to, IS_THERE);
    if (depth > 0 && r < 0)
        say(to, CANNOT_FORK);
    if (r < 0)
        return r;
    if (depth == 0 && read(from, &heard, 1) < 0)
        r = -errno;
    uint64_t ended = clock_now_us();
    reap(&child);
    if (depth > 0)
        _exit(EXIT_SUCCESS);
    if (r < 0 || heard != IS_THERE)
        return r < 0 ? r : -EAGAIN;
    *ret_us = ended - began;
    return 0;
}

int main(int argc, char **argv)
{
    size_t n_mib = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
    unsigned long n_rounds = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    int fds[2];

    if (n_mib == 0 || n_rounds == 0) {
        (void)fprintf(stderr, "usage: forks MIB ROUNDS\n");
        return EXIT_FAILURE;
    }
    int r = fill_memory(n_mib << 20);
    if (r == 0 && pipe(fds) < 0)
        r = -errno;
    for (uint64_t us = 0; r == 0 && n_rounds > 0; n_rounds--) {
        r = measure(fds[0], fds[1], &us);
        if (r == 0)
            printf("%llu\n", (unsigned long long)us);
        (void)fflush(stdout); /* or a child would write it again */
    }
    if (r < 0)
        (void)fprintf(stderr, "forks: %s\n", strerror(-r));
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
