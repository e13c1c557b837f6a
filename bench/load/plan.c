/* SPDX-License-Identifier: MIT */
/* The load generator's command line. What is not understood is an error that names the argument;
 * nothing is guessed. Called by main.c alone. */
#include "load/plan.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: load [OPTION...] ADDRESS\n"
    "Sends requests to an HTTP server, prints a summary as JSON, and writes what happened to each.\n"
    "\n"
    "  --keep-alive N        connections that are used again and again\n"
    "  --per-request N       at most N connections at a time that are used once\n"
    "  --request KIND        \"WEIGHT METHOD TARGET [upload=BYTES] [expect=BYTES]\"; may be repeated;\n"
    "                        default: \"1 GET /\"\n"
    "  --open RATE:SECONDS   open loop: RATE requests a second at random times, whatever the server\n"
    "                        answers; latency counts from those times; may be repeated, in order\n"
    "  --seconds N           closed loop of N seconds; default 5\n"
    "  --seed N              of the random times and kinds; default 1\n"
    "  --timeout SECONDS     how long a client waits for its answer; default 30\n"
    "  --trace FILE          a line of CSV for each request, times in us of CLOCK_MONOTONIC\n"
    "  --failed-only         leave out of the trace what was answered 2xx\n"
    "SIGINT and SIGTERM end it early, with the summary.\n";

enum {
    OPT_KEEP_ALIVE = 256,
    OPT_PER_REQUEST,
    OPT_REQUEST,
    OPT_OPEN,
    OPT_SECONDS,
    OPT_SEED,
    OPT_TIMEOUT,
    OPT_TRACE,
    OPT_FAILED_ONLY,
    OPT_HELP
};

/* clang-format off */
static const struct option options[] = {
    { "keep-alive",  required_argument, NULL, OPT_KEEP_ALIVE },
    { "per-request", required_argument, NULL, OPT_PER_REQUEST },
    { "request",     required_argument, NULL, OPT_REQUEST },
    { "open",        required_argument, NULL, OPT_OPEN },
    { "seconds",     required_argument, NULL, OPT_SECONDS },
    { "seed",        required_argument, NULL, OPT_SEED },
    { "timeout",     required_argument, NULL, OPT_TIMEOUT },
    { "trace",       required_argument, NULL, OPT_TRACE },
    { "failed-only", no_argument,       NULL, OPT_FAILED_ONLY },
    { "help",        no_argument,       NULL, OPT_HELP },
    { NULL, 0, NULL, 0 },
};
/* clang-format on */

/* A number from @min to @max that ends at one of @ends (or the end of the text). */
static int read_number(const char **text, const char *ends, double min, double max, double *ret)
{
    char *end = NULL;

    errno = 0;
    double n = strtod(*text, &end);
    if (errno != 0 || end == *text || !isfinite(n) || n < min || n > max)
        return -EINVAL;
    if (*end != '\0' && !strchr(ends, *end))
        return -EINVAL;
    *text = end;
    *ret = n;
    return 0;
}

static int read_whole(const char *text, double max, double *ret)
{
    int r = read_number(&text, "", 0, max, ret);

    return r == 0 && *ret != floor(*ret) ? -EINVAL : r;
}

static int read_bytes(const char *text, uint64_t *ret)
{
    double n = 0;
    int r = read_whole(text, 0x1p40, &n);

    if (r == 0)
        *ret = (uint64_t)n;
    return r;
}

static int read_kind_extra(const char *word, struct plan_kind *k)
{
    static const char upload[] = "upload=", expect[] = "expect=";

    if (strncmp(word, upload, sizeof(upload) - 1) == 0)
        return read_bytes(word + sizeof(upload) - 1, &k->upload_bytes);
    if (strncmp(word, expect, sizeof(expect) - 1) == 0)
        return read_bytes(word + sizeof(expect) - 1, &k->expect_bytes);
    return -EINVAL;
}

static int read_kind(const char *text, struct plan *p)
{
    struct plan_kind k = {.expect_bytes = PLAN_ANY_LENGTH};
    char extra[2][32] = {{0}};
    int r = read_number(&text, " ", 0, 1e9, &k.weight);

    if (r < 0 || p->n_kinds == PLAN_MAX_KINDS)
        return -EINVAL;
    int n = sscanf(text, " %7s %127s %31s %31s", k.method, k.target, extra[0], extra[1]);
    if (n < 2)
        return -EINVAL;
    for (int i = 0; r == 0 && i < n - 2; i++)
        r = read_kind_extra(extra[i], &k);
    if (r < 0)
        return r;
    p->kinds[p->n_kinds++] = k;
    p->weights += k.weight;
    return 0;
}

static int read_phase(const char *text, struct plan *p)
{
    struct plan_phase *phase = &p->phases[p->n_phases];

    if (p->n_phases == PLAN_MAX_PHASES)
        return -EINVAL;
    int r = read_number(&text, ":", 0.001, 1e7, &phase->per_second);
    if (r < 0 || *text++ != ':')
        return -EINVAL;
    r = read_number(&text, "", 0, 1e6, &phase->seconds);
    if (r == 0)
        p->n_phases++;
    return r;
}

static int read_option(int option, const char *value, struct plan *p)
{
    double n = 0;
    int r = 0;

    switch (option) {
    case OPT_KEEP_ALIVE:
        r = read_whole(value, 1e6, &n);
        p->n_keep_alive = (unsigned)n;
        return r;
    case OPT_PER_REQUEST:
        r = read_whole(value, 1e6, &n);
        p->n_per_request = (unsigned)n;
        return r;
    case OPT_REQUEST:
        return read_kind(value, p);
    case OPT_OPEN:
        return read_phase(value, p);
    case OPT_SECONDS:
        return read_number(&value, "", 0, 1e6, &p->seconds);
    case OPT_SEED:
        return read_bytes(value, &p->seed);
    case OPT_TIMEOUT:
        r = read_number(&value, "", 0.001, 1e6, &n);
        p->timeout_us = (uint64_t)(n * 1e6);
        return r;
    case OPT_TRACE:
        p->trace = value;
        return 0;
    case OPT_FAILED_ONLY:
        p->only_failed_trace = true;
        return 0;
    default:
        return -EINVAL;
    }
}

int plan_read(int argc, char *argv[], struct plan *ret, struct errmsg *err)
{
    struct plan p = {.seconds = 5, .seed = 1, .timeout_us = 30000000};

    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == OPT_HELP) {
            (void)fputs(usage, stdout); /* to be read; nothing depends on it */
            return 1;
        }
        if (option == '?')
            return errmsg_set(err, -EINVAL, "see --help");
        if (read_option(option, optarg, &p) < 0)
            return errmsg_set(err, -EINVAL, "%s: not understood, see --help",
                              optarg ? optarg : argv[optind - 1]);
    }
    if (optind != argc - 1)
        return errmsg_set(err, -EINVAL, "exactly one address is needed");
    int r = addr_parse(argv[optind], &p.to, err);
    if (r < 0)
        return r;
    if (p.n_keep_alive + p.n_per_request == 0)
        return errmsg_set(err, -EINVAL, "--keep-alive or --per-request is needed");
    if (p.n_kinds == 0 && read_kind("1 GET /", &p) < 0)
        return -EINVAL;
    if (p.weights <= 0)
        return errmsg_set(err, -EINVAL, "--request: all weights are 0");
    *ret = p;
    return 0;
}
