/* SPDX-License-Identifier: MIT */
/* The status of all vassals, again and again, with what their processes use. In a terminal a
 * picture that is drawn anew, on the terminal's other screen; q ends it, and so does a signal, and
 * the terminal is as it was before. Into a pipe a table for each interval. Called by ctl.c. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/hash.h"
#include "cli/ctl.h"

#define ENTER "\033[?1049h\033[?25l" /* the other screen, no cursor */
#define LEAVE "\033[?25h\033[?1049l"
#define HOME  "\033[H"
#define REST  "\033[J" /* clears what is below */

/* What a vassal had used when the last picture was made. */
struct seen {
    char *key; /* its name and pid */
    unsigned long long ticks;
};

struct picture {
    struct ctl_table table;
    struct ctl_processes *processes;
    struct hash *before, *now; /* key -> struct seen */
    double elapsed_s;          /* since the last picture; 0: this is the first */
    size_t n_vassals;
};

struct top {
    const struct ctl_options *o;
    const char *vassal;
    struct ctl_client client;
    struct hash seen;
    uint64_t at_us; /* of the last picture */
    bool terminal;
    struct termios before; /* of the terminal */
    int signal_fd;
    struct winsize size;
};

static void seen_free(struct hash *h)
{
    struct seen *s = NULL;

    for (size_t pos = 0; (s = hash_next(h, &pos));) {
        (void)hash_remove(h, s->key);
        free(s->key);
        free(s);
    }
    hash_done(h);
}

/* Notes @ticks for the next picture. Returns those of the last one, or @ticks if there was none. */
static unsigned long long note(struct picture *p, const char *id, int pid, unsigned long long ticks)
{
    struct seen *s = calloc(1, sizeof(*s));

    if (!s || asprintf(&s->key, "%d %s", pid, id) < 0) {
        free(s);
        return ticks;
    }
    s->ticks = ticks;
    const struct seen *before = hash_get(p->before, s->key);
    unsigned long long last = before ? before->ticks : ticks;
    if (hash_put(p->now, s->key, s) < 0) {
        free(s->key);
        free(s);
    }
    return last;
}

static struct ctl_used used_by(struct picture *p, const char *id, int pid)
{
    struct ctl_used shown = {.cpu = "-", .rss = "-"};
    struct ctl_usage u = {0};

    if (p->processes && pid > 0)
        u = ctl_processes_sum(p->processes, pid);
    if (u.rss_bytes == 0)
        return shown;
    unsigned long long last = note(p, id, pid, u.ticks);
    double used_s = u.ticks > last ? (double)(u.ticks - last) / (double)sysconf(_SC_CLK_TCK) : 0;
    (void)snprintf(shown.cpu, sizeof(shown.cpu), "%.1f",
                   p->elapsed_s > 0 ? 100 * used_s / p->elapsed_s : 0);
    (void)snprintf(shown.rss, sizeof(shown.rss), "%.1fM", (double)u.rss_bytes / (1 << 20));
    return shown;
}

static void on_status(const json_t *line, void *data)
{
    struct picture *p = data;
    const json_t *status = json_object_get(line, "status");

    p->n_vassals++;
    struct ctl_used used = used_by(p, ctl_text(status, "id"), (int)ctl_number(status, "pid"));
    ctl_status_row(&p->table, CTL_MORE_USED, status, &used);
}

static void print(const struct top *t, const struct picture *p)
{
    struct buf out = {0};
    char clock[32];
    time_t now = time(NULL);
    struct tm tm;
    size_t rows = t->terminal && t->size.ws_row > 1 ? t->size.ws_row - 1U : SIZE_MAX;

    (void)strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&now, &tm));
    int r = buf_printf(&out, "%s%zu vassals, %s%s\n", t->terminal ? HOME REST : "", p->n_vassals,
                       clock, t->terminal ? ", q ends" : "");
    if (r == 0)
        ctl_table_write(&p->table, t->terminal, t->size.ws_col, rows - (rows < SIZE_MAX), &out);
    if (r == 0 && !t->terminal)
        r = buf_append(&out, "\n", 1);
    if (r == 0)
        (void)fwrite(buf_at(&out), 1, buf_len(&out), stdout);
    (void)fflush(stdout);
    buf_done(&out);
}

static enum ctl_code show(struct top *t)
{
    struct hash now = {0};
    uint64_t now_us = clock_now_us();
    struct picture p = {
        .processes = t->o->json ? NULL : ctl_processes_read(),
        .before = &t->seen,
        .now = &now,
        .elapsed_s = t->at_us > 0 ? (double)(now_us - t->at_us) / US_PER_SEC : 0,
    };

    ctl_status_begin(&p.table, CTL_MORE_USED);
    if (t->terminal)
        (void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &t->size);
    enum ctl_code code = ctl_ask(&t->client, t->o, "status", t->vassal, on_status, &p);
    if (code == CTL_DONE && !t->o->json)
        print(t, &p);
    ctl_table_done(&p.table);
    (void)ctl_processes_free(p.processes);
    seen_free(&t->seen);
    t->seen = now;
    t->at_us = now_us;
    return code;
}

/* Waits for the next picture. False: that was the last one. */
static bool wait_for_next(const struct top *t)
{
    struct pollfd fds[] = {
        {.fd = t->signal_fd, .events = POLLIN},
        {.fd = t->terminal ? STDIN_FILENO : -1, .events = POLLIN},
        {.fd = STDOUT_FILENO, .events = 0}, /* POLLERR: nobody reads it any more */
    };
    struct signalfd_siginfo info;
    char key = '\0';
    int n = poll(fds, COUNT_OF(fds), (int)(t->o->interval_s * 1000));

    if (n < 0 || fds[2].revents & (POLLERR | POLLHUP))
        return n < 0 && errno == EINTR;
    if (fds[0].revents & POLLIN && read(t->signal_fd, &info, sizeof(info)) == sizeof(info))
        return info.ssi_signo == SIGWINCH;
    if (fds[1].revents && (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == '\003'))
        return false;
    return true;
}

static int enter(struct top *t)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGHUP);
    (void)sigaddset(&set, SIGWINCH);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    t->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
    t->terminal = !t->o->json && isatty(STDOUT_FILENO) && tcgetattr(STDIN_FILENO, &t->before) == 0;
    if (!t->terminal)
        return t->signal_fd < 0 ? -errno : 0;
    struct termios raw = t->before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    (void)fputs(ENTER, stdout);
    return t->signal_fd < 0 ? -errno : 0;
}

static void leave(struct top *t)
{
    closep(&t->signal_fd);
    if (!t->terminal)
        return;
    (void)fputs(LEAVE, stdout);
    (void)fflush(stdout);
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &t->before);
}

enum ctl_code ctl_top(const struct ctl_options *o, const char *vassal)
{
    struct top t = {.o = o, .vassal = vassal, .signal_fd = -1};
    enum ctl_code code = ctl_open(&t.client, o);

    if (code == CTL_DONE && enter(&t) < 0)
        code = CTL_FAILED;
    for (unsigned n = 1; code == CTL_DONE; n++) {
        code = show(&t);
        if (n == o->count || code != CTL_DONE || !wait_for_next(&t))
            break;
    }
    leave(&t);
    ctl_close(&t.client);
    seen_free(&t.seen);
    return code;
}
