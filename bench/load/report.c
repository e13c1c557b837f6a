/* SPDX-License-Identifier: MIT */
/* Counts what became of the requests, keeps the latencies, and writes the trace: a line of CSV for
 * each request, in the order in which they ended. Called by main.c. */
#include "load/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"

int report_init(struct report *rep, const struct plan *plan)
{
    *rep = (struct report){.only_failed = plan->only_failed_trace, .began_us = clock_now_us()};
    rep->last_answer_us = rep->began_us;
    if (!plan->trace)
        return 0;
    rep->trace = fopen(plan->trace, "we");
    if (!rep->trace)
        return -errno;
    (void)fputs("id,kind,client,scheduled,sent,done,outcome,status,body,began,ended,pid\n",
                rep->trace); /* report_done() looks at ferror() */
    return 0;
}

static int note_latency(struct report *rep, uint64_t us)
{
    if (rep->n_latencies == rep->latencies_size) {
        size_t size = MAX(rep->latencies_size * 2, (size_t)65536);
        uint32_t *grown = reallocarray(rep->latencies_us, size, sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        rep->latencies_us = grown;
        rep->latencies_size = size;
    }
    rep->latencies_us[rep->n_latencies++] = (uint32_t)MIN(us, (uint64_t)UINT32_MAX);
    return 0;
}

static void write_line(struct report *rep, const struct request *r, enum progress p,
                       const struct answer *a, uint64_t now)
{
    static const struct answer none;
    const struct client *c = r->client;

    if (!a)
        a = &none;
    (void)fprintf(rep->trace,
                  "%" PRIu64 ",%zu,%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%s,%d,%" PRIu64
                  ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n",
                  r->id, r->kind, c && c->keep_alive ? "keep-alive" : "per-request",
                  r->scheduled_us, r->sent_us, now, progress_name(p), a->status, a->n_body_bytes,
                  a->notes[NOTE_BEGAN], a->notes[NOTE_ENDED], a->notes[NOTE_PID]);
}

int report_note(struct report *rep, const struct request *r, enum progress p,
                const struct answer *answer)
{
    uint64_t now = clock_now_us();
    bool good = p == PROGRESS_ANSWERED && answer->status >= 200 && answer->status < 300;

    rep->n_requests++;
    rep->n_progress[p]++;
    if (rep->trace && (!rep->only_failed || !good))
        write_line(rep, r, p, answer, now);
    if (p != PROGRESS_ANSWERED)
        return 0;
    rep->longest_gap_us = MAX(rep->longest_gap_us, now - rep->last_answer_us);
    rep->last_answer_us = now;
    rep->n_body_bytes += answer->n_body_bytes;
    rep->n_announced_ends += answer->close && r->client->keep_alive;
    if (answer->status < (int)COUNT_OF(rep->n_status))
        rep->n_status[answer->status]++;
    return note_latency(rep, now - r->scheduled_us);
}

void report_idle_end(struct report *rep, enum progress p)
{
    rep->n_progress[p]++;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static uint32_t quantile(const struct report *rep, double q)
{
    return rep->n_latencies ? rep->latencies_us[(size_t)(q * (double)(rep->n_latencies - 1))] : 0;
}

void report_print(struct report *rep, FILE *to)
{
    const char *comma = "";

    if (rep->n_latencies)
        qsort(rep->latencies_us, rep->n_latencies, sizeof(*rep->latencies_us), compare);
    (void)fprintf(to,
                  "{\"began_us\": %" PRIu64 ", \"ended_us\": %" PRIu64 ", \"requests\": %" PRIu64
                  ", \"body_bytes\": %" PRIu64 ", \"announced_ends\": %" PRIu64
                  ", \"longest_gap_us\": %" PRIu64 ", \"latest_us\": %" PRIu64
                  ",\n \"statuses\": {",
                  rep->began_us, rep->ended_us, rep->n_requests, rep->n_body_bytes,
                  rep->n_announced_ends, rep->longest_gap_us, rep->latest_us);
    for (size_t i = 0; i < COUNT_OF(rep->n_status); i++) {
        if (rep->n_status[i] == 0)
            continue;
        (void)fprintf(to, "%s\"%zu\": %" PRIu64, comma, i, rep->n_status[i]);
        comma = ", ";
    }
    (void)fputs("},\n \"outcomes\": {", to);
    for (enum progress p = PROGRESS_ANSWERED; p < PROGRESS_COUNT; p++)
        (void)fprintf(to, "%s\"%s\": %" PRIu64, p == PROGRESS_ANSWERED ? "" : ", ",
                      progress_name(p), rep->n_progress[p]);
    (void)fprintf(to,
                  "},\n \"latency_us\": {\"p50\": %u, \"p90\": %u, \"p99\": %u, \"max\": %u}}\n",
                  quantile(rep, 0.5), quantile(rep, 0.9), quantile(rep, 0.99), quantile(rep, 1));
}

int report_done(struct report *rep)
{
    int r = 0;

    if (rep->trace && (ferror(rep->trace) | fclose(rep->trace)) != 0)
        r = -EIO;
    rep->trace = NULL;
    free(rep->latencies_us);
    rep->latencies_us = NULL;
    return r;
}
