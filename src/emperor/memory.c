/* SPDX-License-Identifier: MIT */
/* Measures in a child, which reads /proc of the processes of each vassal and leaves the sums in
 * memory that it shares with the Emperor. A process that ends meanwhile counts as nothing, and what
 * was measured of a vassal that has another process by then is thrown away. Used by stats.c and
 * control-command.c. */
#include "emperor/memory.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/meminfo.h"

#define LIMIT_US (60 * US_PER_SEC) /* for all of them */
#define NICENESS 10                /* whoever serves comes first */

struct memory_row {
    pid_t pid;
    struct vassal_memory sum;
};

/* In the child */

/* A process, and those behind it. */
struct tree {
    pid_t *pids;
    size_t n_pids;
};

static void add_children(struct tree *t, const char *text)
{
    char *end = NULL;

    for (long pid = strtol(text, &end, 10); end != text; pid = strtol(text, &end, 10)) {
        pid_t *more = realloc(t->pids, (t->n_pids + 1) * sizeof(*more));
        if (!more)
            return;
        t->pids = more;
        more[t->n_pids++] = (pid_t)pid;
        text = end;
    }
}

static void add_children_of(struct tree *t, pid_t pid)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    for (const struct dirent *e = NULL; tasks && (e = readdir(tasks));) {
        _cleanup_free_ char *text = NULL;
        size_t len = 0;
        (void)snprintf(path, sizeof(path), "/proc/%d/task/%.20s/children", (int)pid, e->d_name);
        if (e->d_name[0] != '.' && file_read_all(path, (size_t)1 << 20, &text, &len) == 0)
            add_children(t, text);
    }
    if (tasks)
        (void)closedir(tasks);
}

static void measure_process(pid_t pid, struct vassal_memory *sum)
{
    const struct meminfo_shares shares = meminfo_get_shares(pid);

    sum->pss_bytes += shares.pss_bytes;
    sum->uss_bytes += shares.uss_bytes;
    sum->largest_bytes = MAX(sum->largest_bytes, meminfo_get(pid).resident_bytes);
}

static void measure_tree(pid_t pid, struct vassal_memory *sum)
{
    struct tree t = {.pids = NULL};

    measure_process(pid, sum);
    add_children_of(&t, pid);
    for (size_t i = 0; i < t.n_pids; i++) {
        measure_process(t.pids[i], sum);
        add_children_of(&t, t.pids[i]);
    }
    free(t.pids);
}

static int measure_all(const void *data)
{
    const struct memory *m = data;

    (void)setpriority(PRIO_PROCESS, 0, NICENESS);
    for (size_t i = 0; i < m->n_rows; i++)
        if (m->rows[i].pid > 0)
            measure_tree(m->rows[i].pid, &m->rows[i].sum);
    return 0;
}

/* In the Emperor */

static void forget_rows(struct memory *m)
{
    if (m->rows)
        (void)munmap(m->rows, m->n_rows * sizeof(*m->rows));
    m->rows = NULL;
    m->n_rows = 0;
}

static int compare_rows(const void *a, const void *b)
{
    const struct memory_row *x = a, *y = b;

    return (x->pid > y->pid) - (x->pid < y->pid);
}

static void on_measured(void *data, const siginfo_t *end)
{
    struct memory *m = data;
    const time_t now = time(NULL);
    struct vassal *v = NULL;

    (void)end; /* a row that it has not come to is all zero */
    (void)hash_remove(&m->court->realm.by_pid, m->pid_key);
    for (size_t pos = 0; (v = hash_next(&m->court->vassals, &pos));) {
        const struct memory_row key = {.pid = v->proc.pid};
        const struct memory_row *row =
            vassal_runs(v) ? bsearch(&key, m->rows, m->n_rows, sizeof(key), compare_rows) : NULL;
        if (!row || row->sum.pss_bytes == 0)
            continue;
        v->life.memory = row->sum;
        v->life.memory.measured = now;
    }
    forget_rows(m);
    if (m->on_end)
        m->on_end(m->data);
}

static int list_vassals(struct memory *m)
{
    const size_t n = m->court->vassals.n_live;
    const struct vassal *v = NULL;

    m->rows =
        mmap(NULL, n * sizeof(*m->rows), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (m->rows == MAP_FAILED) {
        m->rows = NULL;
        return -errno;
    }
    m->n_rows = n; /* those of vassals that do not run are of no process */
    size_t i = 0;
    for (size_t pos = 0; i < n && (v = hash_next(&m->court->vassals, &pos));)
        m->rows[i++].pid = v->proc.pid;
    qsort(m->rows, n, sizeof(*m->rows), compare_rows);
    return 0;
}

/* Its end is not for whoever reaps strangers. */
static int start_child(struct memory *m)
{
    struct vassal_realm *realm = &m->court->realm;
    int r = errand_start(&m->errand, realm->loop, measure_all, m, LIMIT_US);

    if (r < 0)
        return r;
    (void)snprintf(m->pid_key, sizeof(m->pid_key), "%d", (int)m->errand.child.proc.pid);
    r = hash_put(&realm->by_pid, m->pid_key, m);
    if (r < 0)
        errand_stop(&m->errand);
    return r;
}

bool memory_measure(struct memory *m, uint64_t age_us)
{
    uint64_t now = clock_now_us();

    if (memory_is_at_it(m))
        return true;
    if ((m->begun_us != 0 && now - m->begun_us < age_us) || m->court->vassals.n_live == 0)
        return false;
    m->begun_us = now;
    int r = list_vassals(m);
    if (r == 0)
        r = start_child(m);
    if (r < 0) {
        forget_rows(m);
        (void)log_errno(LOG_WARNING, r, "the memory of vassals cannot be measured");
    }
    return r == 0;
}

uint64_t memory_saved_by(const struct court *c, const struct vassal *base)
{
    const struct vassal *v = NULL;
    uint64_t bytes = 0;

    for (size_t pos = 0; (v = hash_next(&c->vassals, &pos));)
        if (v->life.adopted && vassal_runs(v) && strcmp(v->life.base, base->offers) == 0 &&
            v->life.memory.largest_bytes > v->life.memory.pss_bytes)
            bytes += v->life.memory.largest_bytes - v->life.memory.pss_bytes;
    return bytes;
}

void memory_init(struct memory *m, struct court *court)
{
    *m = (struct memory){.court = court};
    errand_init(&m->errand, on_measured, m);
}

void memory_done(struct memory *m)
{
    if (memory_is_at_it(m))
        (void)hash_remove(&m->court->realm.by_pid, m->pid_key);
    errand_stop(&m->errand);
    forget_rows(m);
}
