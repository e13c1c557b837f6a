/* SPDX-License-Identifier: MIT */
/* Runs a program and reads what it writes, with a bound for the bytes and one for the time.
 *
 * It is over when the program has ended and nobody has its standard output or error open any more:
 * what a process in its background would still write is a part of the text. That one waits here, so
 * only processes that serve nobody call it: at a start, and the one that reads the configuration
 * for a reload. Called by source.c. */
#include "conf/command.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/proc.h"

#define COMPLAINT_MAX_BYTES 4096

enum { OUTPUT, COMPLAINT, PROCESS, SIGNALS, N_FDS };

struct run {
    const struct command *command;
    struct proc proc;
    siginfo_t end;
    struct pollfd fds[N_FDS]; /* fd -1: it is over */
    struct buf output;
    struct buf complaint; /* the end of what it has written to standard error */
    uint64_t deadline_us;
    sigset_t mask; /* as it was */
};

/* Signals that end us wait until the program has been ended, too: it has a process group of its
 * own, and would be left behind. */
static int hold_signals(struct run *r)
{
    sigset_t held;

    (void)sigemptyset(&held);
    (void)sigaddset(&held, SIGTERM);
    (void)sigaddset(&held, SIGINT);
    (void)sigaddset(&held, SIGHUP);
    (void)sigaddset(&held, SIGQUIT);
    (void)sigprocmask(SIG_BLOCK, &held, &r->mask);
    r->fds[SIGNALS].fd = signalfd(-1, &held, SFD_CLOEXEC | SFD_NONBLOCK);
    return r->fds[SIGNALS].fd < 0 ? -errno : 0;
}

static void run_done(struct run *r)
{
    if (r->proc.pid > 0) { /* it was given up, and nobody shall find its remains */
        proc_signal_group(&r->proc, SIGKILL);
        struct pollfd ended = {.fd = r->proc.pidfd, .events = POLLIN};
        while (poll(&ended, 1, -1) < 0 && errno == EINTR)
            ;
        if (proc_reap(&r->proc, &r->end) <= 0)
            proc_done(&r->proc);
    }
    closep(&r->fds[OUTPUT].fd);
    closep(&r->fds[COMPLAINT].fd);
    closep(&r->fds[SIGNALS].fd);
    buf_done(&r->output);
    buf_done(&r->complaint);
    (void)sigprocmask(SIG_SETMASK, &r->mask, NULL); /* what was held comes now */
}

/* What the program reads as its standard input. */
static int open_input(const char *text)
{
    if (!text)
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    _cleanup_close_ int fd = memfd_create("input", MFD_CLOEXEC);
    size_t len = strlen(text);

    if (fd < 0 || pwrite(fd, text, len, 0) != (ssize_t)len)
        return -1;
    return TAKE_FD(fd);
}

static int start(struct run *r)
{
    const struct command *c = r->command;
    int output[2], complaint[2];
    int e = hold_signals(r);

    if (e < 0)
        return e;
    _cleanup_close_ int input = open_input(c->input);
    if (input < 0 || pipe2(output, O_CLOEXEC) < 0)
        return -errno;
    _cleanup_close_ int output_in = output[1];
    r->fds[OUTPUT].fd = output[0];
    if (pipe2(complaint, O_CLOEXEC) < 0)
        return -errno;
    _cleanup_close_ int complaint_in = complaint[1];
    r->fds[COMPLAINT].fd = complaint[0];

    const int fds[] = {input, output_in, complaint_in};
    const struct proc_exec exec = {
        .path = c->argv[0],
        .argv = (char *const *)c->argv, /* execve(2) changes nothing of it */
        .envp = (char *const *)c->environ,
        .cwd = c->cwd,
        .fds = fds,
        .n_fds = COUNT_OF(fds),
    };
    e = proc_spawn(&exec, &r->proc);
    r->fds[PROCESS].fd = r->proc.pidfd;
    return e;
}

/* Takes what is there of one of the two streams. Returns 0 or a negative errno. */
static int take(struct pollfd *p, struct buf *b)
{
    int r = buf_reserve(b, 65536);

    if (r < 0)
        return r;
    ssize_t n = read(p->fd, b->data + b->end, b->capacity - b->end);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN ? 0 : -errno;
    b->end += (size_t)n;
    if (n == 0) {
        closep(&p->fd);
        p->fd = -1;
    }
    return 0;
}

/* What has become ready, or a deadline that has come. */
static int step(struct run *r, struct errmsg *err)
{
    uint64_t now = clock_now_us();

    if (now >= r->deadline_us)
        return errmsg_set(err, -ETIME, "it did not end within %g s",
                          (double)r->command->wait_us / US_PER_SEC);
    int n = poll(r->fds, N_FDS, (int)((r->deadline_us - now) / US_PER_MS) + 1);
    if (n < 0 && errno != EINTR)
        return errmsg_set_errno(err, -errno, "cannot wait for it");
    if (n > 0 && r->fds[SIGNALS].revents)
        return errmsg_set(err, -EINTR, "it was interrupted");
    int e = 0;
    if (n > 0 && r->fds[OUTPUT].revents)
        e = take(&r->fds[OUTPUT], &r->output);
    if (n > 0 && e == 0 && r->fds[COMPLAINT].revents)
        e = take(&r->fds[COMPLAINT], &r->complaint);
    if (n > 0 && e == 0 && r->fds[PROCESS].revents) {
        if (proc_reap(&r->proc, &r->end) <= 0)
            proc_done(&r->proc);
        r->fds[PROCESS].fd = -1;
    }
    if (e < 0)
        return errmsg_set_errno(err, e, "cannot read what it writes");
    if (buf_len(&r->output) > r->command->max_bytes)
        return errmsg_set(err, -EFBIG, "it writes more than %zu bytes", r->command->max_bytes);
    if (buf_len(&r->complaint) > COMPLAINT_MAX_BYTES)
        buf_consume(&r->complaint, buf_len(&r->complaint) - COMPLAINT_MAX_BYTES);
    return 0;
}

/* The last line of the complaint, fit to be shown. */
static const char *last_line(struct buf *b, char *text, size_t size)
{
    size_t end = buf_len(b);

    while (end > 0 && isspace((unsigned char)buf_at(b)[end - 1]))
        end--;
    size_t start = end;
    while (start > 0 && buf_at(b)[start - 1] != '\n')
        start--;
    size_t len = MIN(end - start, size - 1);
    for (size_t i = 0; i < len; i++) {
        char c = buf_at(b)[start + i];
        text[i] = (char)(iscntrl((unsigned char)c) ? '?' : c);
    }
    text[len] = '\0';
    return text;
}

static bool is_over(const struct run *r)
{
    return r->fds[OUTPUT].fd < 0 && r->fds[COMPLAINT].fd < 0 && r->fds[PROCESS].fd < 0;
}

int command_read(const struct command *c, char **ret_text, size_t *ret_len, struct errmsg *err)
{
    _cleanup_(run_done) struct run r = {
        .command = c,
        .proc = PROC_NONE,
        .fds = {{.fd = -1, .events = POLLIN},
                {.fd = -1, .events = POLLIN},
                {.fd = -1, .events = POLLIN},
                {.fd = -1, .events = POLLIN}},
        .deadline_us = clock_now_us() + c->wait_us,
    };
    char how[96], why[512];
    int e = start(&r);

    if (e < 0)
        return errmsg_set_errno(err, e, "cannot start it");
    while (e == 0 && !is_over(&r))
        e = step(&r, err);
    if (e < 0)
        return e;
    if (r.end.si_code != CLD_EXITED || r.end.si_status != 0) {
        (void)last_line(&r.complaint, why, sizeof(why));
        if (c->says_why && *why)
            return errmsg_set(err, -EIO, "%s", why);
        return errmsg_set(err, -EIO, "%s%s%s", proc_describe_end(&r.end, how, sizeof(how)),
                          *why ? ": " : "", why);
    }
    e = buf_append(&r.output, "", 1);
    if (e < 0)
        return e;
    size_t len = buf_len(&r.output) - 1;
    char *text = malloc(len + 1); /* what grew has room that is not needed */
    if (!text)
        return -ENOMEM;
    memcpy(text, buf_at(&r.output), len + 1);
    *ret_len = len;
    *ret_text = text;
    return 0;
}
