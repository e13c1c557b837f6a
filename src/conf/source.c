/* SPDX-License-Identifier: MIT */
/* Where texts come from: configurations, what they include, and what stands in @(...).
 *
 * A source is written as a path or as SCHEME://REST; the table says what each scheme is. Relative
 * paths start in the directory that the load was given, never in that of the including file: a
 * vassal's paths start in the vassals' directory, as in uWSGI. Whatever has to be waited for, or is
 * there once only, goes through the cache of the load. Called by load.c and expand.c. */
#include "conf/source.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/libexec.h"
#include "base/strv.h"
#include "conf/appended.h"
#include "conf/command.h"

#define WAIT_US (30 * US_PER_SEC) /* for a command, a server, a writer */
#define FOREVER UINT64_MAX

struct request {
    const struct source_world *w;
    const struct scheme *scheme;
    const char *uri, *rest; /* @rest is behind the scheme */
    const struct trust *who;
    size_t max;
};

struct scheme {
    const char *start;
    int (*read)(const struct request *q, struct source_text *ret, struct errmsg *err);
    const char *refusal; /* why there is no such source; no @read then */
    const char *name;    /* what stands for the path; NULL: the rest of the address */
    bool guarded;        /* runs or fetches: who says it has to be trusted */
    bool waits;          /* for another process */
    bool once;           /* cannot be read again */
    bool distant;        /* the text may neither run commands nor fetch */
    bool whole;          /* all of the rest is the address: no section follows */
};

static int read_path(const struct request *q, struct source_text *ret, struct errmsg *err);
static int read_stdin(const struct request *q, struct source_text *ret, struct errmsg *err);
static int read_fd(const struct request *q, struct source_text *ret, struct errmsg *err);
static int read_exec(const struct request *q, struct source_text *ret, struct errmsg *err);
static int read_http(const struct request *q, struct source_text *ret, struct errmsg *err);
static int read_emperor(const struct request *q, struct source_text *ret, struct errmsg *err);
static int read_appended(const struct request *q, struct source_text *ret, struct errmsg *err);

static const char no_code[] = "nothing that a configuration says loads code";
static const char no_section[] = "no texts are built into this program";

/* clang-format off */
static const struct scheme schemes[] = {
    { .start = "file://",    .read = read_path },
    { .start = "http://",    .read = read_http, .guarded = true, .waits = true, .distant = true },
    { .start = "https://",   .read = read_http, .guarded = true, .waits = true, .distant = true },
    { .start = "exec://",    .read = read_exec, .guarded = true, .waits = true, .whole = true,
      .name = "exec" },
    { .start = "fd://",      .read = read_fd, .waits = true, .once = true, .name = "fd" },
    { .start = "emperor://", .read = read_emperor, .waits = true, .distant = true, .whole = true },
    { .start = "data://",    .read = read_appended, .name = "data" },
    { .start = "section://", .refusal = no_section },
    { .start = "sym://",     .refusal = no_code },
    { .start = "call://",    .refusal = no_code },
    { .start = "callint://", .refusal = no_code },
};
static const struct scheme plain_path = { .start = "", .read = read_path };
static const struct scheme standard_input = {
    .start = "-", .read = read_stdin, .waits = true, .once = true, .name = "stdin",
};
/* clang-format on */

static bool is_plain(const struct scheme *s)
{
    return s->read == read_path;
}

/* The scheme of @uri, or NULL if there is none of that name; *@ret_rest is what is behind it. */
static const struct scheme *find_scheme(const char *uri, const char **ret_rest)
{
    const char *colon = strstr(uri, "://");

    *ret_rest = uri;
    if (strcmp(uri, "-") == 0)
        return &standard_input;
    for (size_t i = 0; i < COUNT_OF(schemes); i++)
        if (str_starts(uri, schemes[i].start)) {
            *ret_rest = uri + strlen(schemes[i].start);
            return &schemes[i];
        }
    return colon && strcspn(uri, "/.") > (size_t)(colon - uri) ? NULL : &plain_path;
}

static int refuse_scheme(const char *uri, const struct scheme *s, struct errmsg *err)
{
    char known[256] = "";
    size_t used = 0;
    struct shown shown;

    if (s)
        return errmsg_set(err, -EPROTONOSUPPORT, "'%s': %s", setting_shown(uri, &shown),
                          s->refusal);
    for (size_t i = 0; i < COUNT_OF(schemes) && used < sizeof(known); i++)
        if (schemes[i].read)
            used += (size_t)snprintf(known + used, sizeof(known) - used, " %s", schemes[i].start);
    return errmsg_set(err, -EPROTONOSUPPORT,
                      "'%s': there is no such kind of source; there are: a path, -,%s",
                      setting_shown(uri, &shown), known);
}

/* Finds what can be read. Returns 0, or a negative errno with @err. */
static int parse(const char *uri, const struct scheme **ret, const char **ret_rest,
                 struct errmsg *err)
{
    *ret = find_scheme(uri, ret_rest);
    if (!*ret || !(*ret)->read)
        return refuse_scheme(uri, *ret, err);
    if (**ret_rest != '\0')
        return 0;
    if (is_plain(*ret))
        return errmsg_set(err, -EINVAL, "a file name is missing");
    return errmsg_set(err, -EINVAL, "'%s': nothing follows", uri);
}

bool source_is_file(const char *uri)
{
    const char *rest = NULL;
    const struct scheme *s = find_scheme(uri, &rest);

    return s && is_plain(s);
}

/* "https://user:password@host/path?token=..." as "https://host/path". */
static void strip_secrets(const char *uri, const char *rest, struct shown *ret)
{
    size_t host_len = strcspn(rest, "/?#"), len = strcspn(rest, "?#");
    const char *at = memrchr(rest, '@', host_len);
    const char *host = at ? at + 1 : rest;
    char text[sizeof(*ret) + 32];

    (void)snprintf(text, sizeof(text), "%.*s%.*s", (int)(rest - uri), uri, (int)(rest + len - host),
                   host);
    (void)setting_shown(text, ret);
}

const char *source_shown(const char *uri, struct shown *text)
{
    const char *rest = NULL;
    const struct scheme *s = find_scheme(uri, &rest);

    if (s && is_plain(s))
        return uri;
    if (s && s->read == read_http)
        strip_secrets(uri, rest, text);
    else
        (void)setting_shown(uri, text);
    return text->text;
}

/* What the bytes of an open descriptor add up to. @wait_us: how long all may take. */
static int read_stream(int fd, size_t max, uint64_t wait_us, struct source_text *ret)
{
    _cleanup_(buf_done) struct buf b = {0};
    const uint64_t end_us = wait_us == FOREVER ? FOREVER : clock_now_us() + wait_us;

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        uint64_t now = clock_now_us();
        int timeout = end_us == FOREVER ? -1 : (int)((end_us - MIN(now, end_us)) / US_PER_MS);
        int n_ready = poll(&p, 1, timeout);
        if (n_ready == 0)
            return -ETIME;
        int r = buf_reserve(&b, 65536 + 1);
        if (r < 0)
            return r;
        ssize_t n = n_ready < 0 ? -1 : read(fd, b.data + b.end, b.capacity - b.end - 1);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        b.end += (size_t)n;
        if (buf_len(&b) > max)
            return -EFBIG;
    }
    b.data[b.end] = '\0';
    ret->len = b.end;
    ret->text = TAKE_PTR(b.data);
    return 0;
}

/* Says what became of reading, with a file's name as it was written. */
static int explain(const struct request *q, int r, struct errmsg *err)
{
    struct shown shown, address;
    const char *text = setting_shown(source_shown(q->uri, &address), &shown);

    if (r == -EFBIG)
        return errmsg_set(err, r, "'%s' is longer than %zu bytes", text, q->max);
    if (r == -ETIME)
        return errmsg_set(err, r, "cannot read '%s': its end did not come within %g s", text,
                          (double)WAIT_US / US_PER_SEC);
    return r < 0 ? errmsg_set_errno(err, r, "cannot read '%s'", text) : 0;
}

static int full_path(const struct request *q, char **ret)
{
    return asprintf(ret, "%s/%s", *q->rest == '/' ? "" : q->w->cwd, q->rest) < 0 ? -ENOMEM : 0;
}

/* Opening must not wait either: a FIFO may have nobody at its other end. */
static int read_path(const struct request *q, struct source_text *ret, struct errmsg *err)
{
    _cleanup_free_ char *path = NULL;
    struct stat st;
    int r = full_path(q, &path);

    if (r < 0)
        return r;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0)
        return explain(q, -errno, err);
    if (S_ISFIFO(st.st_mode))
        r = read_stream(fd, q->max, WAIT_US, ret);
    else
        r = fd_read_all(fd, q->max, &ret->text, &ret->len);
    ret->trust = trust_of_file(&st, geteuid());
    return explain(q, r, err);
}

static int read_stdin(const struct request *q, struct source_text *ret, struct errmsg *err)
{
    return explain(q, read_stream(STDIN_FILENO, q->max, FOREVER, ret), err);
}

/* The number that follows the scheme, of a @what. Returns it, or -EINVAL with @err. */
static int read_number(const struct request *q, const char *what, struct errmsg *err)
{
    char *end = NULL;
    long number = strtol(q->rest, &end, 10);
    struct shown shown;

    if (q->rest[0] < '0' || q->rest[0] > '9' || *end || number > INT_MAX)
        return errmsg_set(err, -EINVAL, "cannot read '%s': no number of a %s",
                          setting_shown(q->uri, &shown), what);
    return (int)number;
}

/* The descriptor is ours from then on: it is closed, for whatever we start or become. */
static int read_fd(const struct request *q, struct source_text *ret, struct errmsg *err)
{
    int fd = read_number(q, "descriptor", err);

    if (fd < 0)
        return fd;
    if (fcntl(fd, F_GETFD) < 0)
        return explain(q, -errno, err);
    int r = explain(q, read_stream(fd, q->max, WAIT_US, ret), err);
    if (r == 0 && fd > STDERR_FILENO)
        (void)close(fd);
    return r;
}

/* The text is behind the program liege, whichever of ours reads it. */
static int read_appended(const struct request *q, struct source_text *ret, struct errmsg *err)
{
    _cleanup_free_ char *program = NULL;
    struct stat st;
    struct shown shown;
    int number = read_number(q, "text", err);
    int r = number < 0 ? number : libexec_find("liege", &program, err);

    if (r < 0)
        return r;
    _cleanup_close_ int fd = open(program, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return explain(q, -errno, err);
    r = appended_read(fd, (unsigned)number, q->max, &ret->text, &ret->len);
    if (r == -ENOENT)
        return errmsg_set(err, r, "cannot read '%s': there is no such text behind %s",
                          setting_shown(q->uri, &shown), program);
    ret->trust = trust_of_file(&st, geteuid());
    return explain(q, r, err);
}

/* Runs @c, and puts the source's name in front of what it says if it fails. */
static int run(const struct request *q, struct command *c, struct source_text *ret,
               struct errmsg *err)
{
    struct shown shown;

    c->environ = q->w->environ;
    c->cwd = q->w->cwd;
    c->max_bytes = q->max;
    c->wait_us = WAIT_US;
    int r = command_read(c, &ret->text, &ret->len, err);
    return r < 0 ? errmsg_prefix(err, r, "cannot read '%s'", source_shown(q->uri, &shown)) : 0;
}

static int read_exec(const struct request *q, struct source_text *ret, struct errmsg *err)
{
    const char *const argv[] = {"/bin/sh", "-c", q->rest, NULL};
    struct command c = {.argv = argv};

    return run(q, &c, ret, err);
}

/* A program of its own does it: this one may be the Emperor's, which holds no HTTP and no TLS. The
 * address goes over its standard input: everybody can read the command lines of processes. */
static int read_http(const struct request *q, struct source_text *ret, struct errmsg *err)
{
    _cleanup_free_ char *program = NULL;
    char max[32];
    int r = libexec_find("liege-fetch", &program, err);

    if (r < 0)
        return r;
    (void)snprintf(max, sizeof(max), "%zu", q->max);
    const char *const argv[] = {program, max, NULL};
    struct command c = {.argv = argv, .input = q->uri, .says_why = true};
    return run(q, &c, ret, err);
}

static int read_emperor(const struct request *q, struct source_text *ret, struct errmsg *err)
{
    struct shown shown;

    if (!q->w->receive)
        return errmsg_set(err, -EINVAL, "'%s': this program reads nothing from an Emperor",
                          setting_shown(q->uri, &shown));
    int r = q->w->receive(q->w->environ, &ret->text, &ret->len, err);
    return r < 0 ? errmsg_prefix(err, r, "cannot read '%s'", setting_shown(q->uri, &shown)) : 0;
}

/* A FIFO is a path for which another process has to be waited for. */
static bool has_to_wait(const struct request *q)
{
    _cleanup_free_ char *path = NULL;
    struct stat st;

    if (!is_plain(q->scheme))
        return q->scheme->waits;
    return full_path(q, &path) == 0 && stat(path, &st) == 0 && S_ISFIFO(st.st_mode);
}

static int take_from_cache(const struct request *q, const struct source_entry *e,
                           struct source_text *ret, struct errmsg *err)
{
    if (e->len > q->max)
        return explain(q, -EFBIG, err);
    char *text = malloc(e->len + 1);
    if (!text)
        return -ENOMEM;
    memcpy(text, e->text, e->len + 1);
    *ret = (struct source_text){.text = text, .len = e->len, .trust = e->trust};
    return 0;
}

/* Reads for this load and, by way of the cache, for others. */
static int read_and_cache(const struct request *q, struct source_text *ret, struct errmsg *err)
{
    struct source_text got = {.trust = *q->who};
    struct shown shown;

    if (q->w->cache->offline) {
        q->w->cache->missing = true;
        return errmsg_set(err, -EAGAIN, "'%s' has not been read", source_shown(q->uri, &shown));
    }
    int r = q->scheme->read(q, &got, err);
    if (r < 0)
        return r;
    if (q->scheme->distant)
        got.trust = (struct trust){.flaw = TRUST_DISTANT};
    const struct source_entry e = {
        .uri = (char *)q->uri, /* is copied */
        .text = got.text,
        .len = got.len,
        .trust = got.trust,
        .kept = q->scheme->once,
    };
    r = source_cache_add(q->w->cache, &e);
    if (r < 0) {
        free(got.text);
        return r == -EFBIG ? errmsg_set(err, r, "the texts of all sources are too long") : r;
    }
    *ret = got;
    return 0;
}

int source_read(const struct source_world *w, const char *uri, const struct trust *who, size_t max,
                struct source_text *ret, struct errmsg *err)
{
    struct request q = {.w = w, .uri = uri, .who = who, .max = max};
    struct shown shown;
    int r = parse(uri, &q.scheme, &q.rest, err);

    if (r == 0 && q.scheme->guarded)
        r = trust_check(who, source_shown(uri, &shown), err);
    if (r < 0)
        return r;
    if (q.scheme->read == read_emperor)
        q.max = SIZE_MAX; /* the pipe has a bound of its own */
    const struct source_entry *e = source_cache_find(w->cache, uri);
    if (!e && has_to_wait(&q))
        return read_and_cache(&q, ret, err);
    if (e)
        return take_from_cache(&q, e, ret, err);
    return q.scheme->read(&q, ret, err);
}

static int path_of_file(const char *cwd, const char *uri, const char *path, char **ret,
                        struct errmsg *err)
{
    _cleanup_free_ char *full = NULL, *folder = NULL;
    struct shown shown;

    if (asprintf(&full, "%s/%s", *path == '/' ? "" : cwd, path) < 0)
        return -ENOMEM;

    char *slash = strrchr(full, '/'); /* there is one: we put it there */
    *slash = '\0';
    folder = realpath(*full == '\0' ? "/" : full, NULL);
    if (!folder)
        return errmsg_set_errno(err, -errno, "cannot read '%s'", setting_shown(uri, &shown));
    if (asprintf(ret, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, slash + 1) < 0)
        return -ENOMEM;
    return 0;
}

int source_path(const char *cwd, const char *uri, char **ret, struct errmsg *err)
{
    const struct scheme *s = NULL;
    const char *rest = uri;
    struct shown shown;
    int r = parse(uri, &s, &rest, err);

    if (r < 0)
        return r;
    if (is_plain(s))
        return path_of_file(cwd, uri, rest, ret, err);
    if (s->read == read_http) /* "http://host" has slashes as well */
        r = asprintf(ret, "%s%s", source_shown(uri, &shown), strchr(rest, '/') ? "" : "/");
    else
        r = !s->name && *rest == '/' ? asprintf(ret, "%s", rest)
                                     : asprintf(ret, "%s/%s", cwd, s->name ? s->name : rest);
    return r < 0 ? -ENOMEM : 0;
}

char *source_split_section(char *spec)
{
    char *colon = strrchr(spec, ':');
    const char *rest = NULL;
    const struct scheme *s = find_scheme(spec, &rest);

    if (!colon || strchr(colon, '/') || colon < rest || (s && s->whole))
        return NULL;
    if (s && s->read == read_http && (strchr(rest, '?') || !strchr(rest, '/')))
        return NULL; /* of a query, or the port */
    *colon = '\0';
    return colon + 1;
}
