/* SPDX-License-Identifier: MIT */
/* Files are opened for appending, so that several processes can write one, and a file that was
 * moved away is written until it is opened anew.
 *
 * syslog(3) and sd_journal_send(3) are not used: a process that forks while another thread is in
 * there leaves its child with locks that are never released (log-writer.c). What they do is little:
 * a datagram for each line. Those of the journal are described at
 * https://systemd.io/JOURNAL_NATIVE_PROTOCOL. */
#include "instance/log-sink.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/strv.h"

#define NAME_MAX_BYTES    64  /* of what somebody calls us */
#define SUBJECT_MAX_BYTES 255 /* base/log.c */

/* Where the daemons listen. */
static const char *const daemons[LOG_SINK_KIND_COUNT] = {
    [LOG_SINK_SYSLOG] = _PATH_LOG,
    [LOG_SINK_JOURNALD] = "/run/systemd/journal/socket",
};

/* Kind and argument of a setting; -EINVAL. */
static int parse(const char *text, enum log_sink_kind *ret, const char **ret_argument)
{
    static const struct {
        const char *word;
        enum log_sink_kind kind;
        bool argument;
    } words[] = {
        {"file:", LOG_SINK_FILE, true},         {"syslog:", LOG_SINK_SYSLOG, true},
        {"syslog", LOG_SINK_SYSLOG, false},     {"journald:", LOG_SINK_JOURNALD, true},
        {"journald", LOG_SINK_JOURNALD, false}, {"stdio", LOG_SINK_STDIO, false},
    };

    *ret_argument = "";
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        size_t len = strlen(words[i].word);
        if (words[i].argument ? str_starts(text, words[i].word)
                              : strcmp(text, words[i].word) == 0) {
            *ret = words[i].kind;
            *ret_argument = text + len;
            return words[i].argument && text[len] == '\0' ? -EINVAL : 0;
        }
    }
    if (!strchr(text, '/'))
        return -EINVAL;
    *ret = LOG_SINK_FILE;
    *ret_argument = text;
    return 0;
}

int log_sink_check(const char *text, char *reason, size_t size)
{
    enum log_sink_kind kind = LOG_SINK_STDIO;
    const char *argument = NULL;
    int r = parse(text, &kind, &argument);

    if (r < 0)
        (void)snprintf(reason, size,
                       "'%.200s' is none of file:PATH, syslog, syslog:NAME, journald, "
                       "journald:NAME and stdio",
                       text);
    return r;
}

static int open_file(const char *path, const struct cred *owner)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_CLOEXEC, 0640);

    if (fd < 0)
        return -errno;
    if (owner && owner->set_uid && geteuid() == 0 &&
        fchown(fd, owner->uid, owner->set_gid ? owner->gid : (gid_t)-1) < 0) {
        int r = -errno;
        (void)close(fd);
        return r;
    }
    return fd;
}

static int connect_daemon(int fd, enum log_sink_kind kind)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", daemons[kind]);
    return connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

static int open_daemon(enum log_sink_kind kind)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    if (connect_daemon(fd, kind) < 0)
        log_debug("nobody listens at %s", daemons[kind]); /* who writes a line tries again */
    return fd;
}

static int open_kind(enum log_sink_kind kind, const char *argument, const struct cred *owner)
{
    switch (kind) {
    case LOG_SINK_FILE:
        return open_file(argument, owner);
    case LOG_SINK_SYSLOG:
    case LOG_SINK_JOURNALD:
        return open_daemon(kind);
    default: {
        int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        return fd < 0 ? -errno : fd;
    }
    }
}

int log_sink_open(struct log_sink *s, const char *text, const struct cred *owner,
                  struct errmsg *err)
{
    struct log_sink made = {.fd = -1};
    const char *argument = NULL;
    int r = parse(text, &made.kind, &argument);

    if (r < 0)
        return errmsg_set(err, r, "cannot log to %s", text);
    made.argument = strdup(argument);
    if (!made.argument)
        return errmsg_set(err, -ENOMEM, "out of memory");
    made.fd = open_kind(made.kind, argument, owner);
    if (made.fd < 0) {
        free(made.argument);
        return errmsg_set_errno(err, made.fd, "cannot log to %s", text);
    }
    *s = made;
    return 0;
}

void log_sink_close(struct log_sink *s)
{
    closep(&s->fd);
    free(s->argument);
    *s = (struct log_sink){.fd = -1};
}

int log_sink_reopen(struct log_sink *s)
{
    if (s->kind != LOG_SINK_FILE)
        return 0;
    int fd = open_file(s->argument, NULL);
    if (fd < 0)
        return fd;
    (void)close(s->fd);
    s->fd = fd;
    s->torn = false;
    return 0;
}

bool log_sink_sends_lines(const struct log_sink *s)
{
    return daemons[s->kind] != NULL;
}

size_t log_sink_count_lines(const char *lines, size_t len)
{
    size_t n = 0;

    for (const char *at = lines, *end = lines + len; (at = memchr(at, '\n', (size_t)(end - at)));)
        n++, at++;
    return n;
}

/* Returns how much of it there was room for. */
static size_t write_all(int fd, const char *data, size_t len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = write(fd, data + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    return done;
}

static size_t write_file(struct log_sink *s, const char *lines, size_t len, size_t *ret_taken)
{
    size_t done = 0;

    *ret_taken = 0;
    if (s->torn && write_all(s->fd, "\n", 1) == 0)
        return log_sink_count_lines(lines, len);
    done = write_all(s->fd, lines, len);
    const char *last = done > 0 ? memrchr(lines, '\n', done) : NULL;
    *ret_taken = last ? (size_t)(last + 1 - lines) : 0;
    s->torn = done > *ret_taken;
    return log_sink_count_lines(lines + *ret_taken, len - *ret_taken);
}

/* A line's own words say how bad it is (base/log.c). */
static int level_of(const char *line, size_t len)
{
    assert(line);

    if (memmem(line, len, "] error: ", 9))
        return LOG_ERR;
    return memmem(line, len, "] warning: ", 11) ? LOG_WARNING : LOG_INFO;
}

static const char *name_of(const struct log_sink *s)
{
    return *s->argument ? s->argument : "liege";
}

static int send_datagram(const struct log_sink *s, const struct msghdr *msg)
{
    if (sendmsg(s->fd, msg, MSG_NOSIGNAL) >= 0)
        return 0;
    if (errno == EMSGSIZE)
        return -EMSGSIZE;
    int r = connect_daemon(s->fd, s->kind); /* it has been started anew, say */
    if (r == 0 && sendmsg(s->fd, msg, MSG_NOSIGNAL) < 0)
        r = -errno;
    return r;
}

/* RFC 3164 but for the time: whoever receives it from this machine knows that. */
static int say_to_syslog(const struct log_sink *s, const char *line, size_t len)
{
    char head[128];
    int n = snprintf(head, sizeof(head), "<%d>%.*s[%d]: ", LOG_DAEMON | level_of(line, len),
                     NAME_MAX_BYTES, name_of(s), (int)getpid());
    struct iovec iov[] = {{head, (size_t)n}, {(char *)line, len}};
    const struct msghdr msg = {.msg_iov = iov, .msg_iovlen = COUNT_OF(iov)};

    return send_datagram(s, &msg);
}

/* Bytes of the time that base/log.c puts in front, or 0: what a log-format makes has none. */
static size_t time_len(const char *line, size_t len)
{
    static const char form[] = "0000-00-00 00:00:00.000 ";

    if (len < strlen(form))
        return 0;
    for (size_t i = 0; i < strlen(form); i++)
        if (form[i] == '0' ? line[i] < '0' || line[i] > '9' : line[i] != form[i])
            return 0;
    return strlen(form);
}

/* Bytes of the subject that base/log.c puts after the time, without its brackets, or 0. */
static size_t subject_len(const char *line, size_t len, size_t time)
{
    if (time == 0 || len == time || line[time] != '[')
        return 0;
    const char *end = memmem(line + time, len - time, "] ", 2);
    size_t n = end ? (size_t)(end - line) - time - 1 : 0;
    return n <= SUBJECT_MAX_BYTES ? n : 0;
}

/* What is too large for a datagram goes in a file without a name that nobody can change any more;
 * the datagram is empty but for its descriptor. */
static int send_as_file(const struct log_sink *s, const struct iovec *iov, int n_iov)
{
    const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    const struct msghdr msg = {.msg_control = control.bytes,
                               .msg_controllen = sizeof(control.bytes)};
    _cleanup_close_ int fd = memfd_create("liege-log", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || writev(fd, iov, n_iov) < 0 || fcntl(fd, F_ADD_SEALS, seals) < 0)
        return -errno;
    control.align = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(fd))};
    memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
    return send_datagram(s, &msg);
}

/* The journal knows the time; the subject stays in the message, too, where people look for it. */
static int say_to_journal(const struct log_sink *s, const char *line, size_t len)
{
    char head[128 + NAME_MAX_BYTES + SUBJECT_MAX_BYTES];
    size_t time = time_len(line, len), subject = subject_len(line, len, time);
    int n =
        snprintf(head, sizeof(head), "PRIORITY=%d\nSYSLOG_FACILITY=%d\nSYSLOG_IDENTIFIER=%.*s\n",
                 level_of(line, len), LOG_DAEMON >> 3, NAME_MAX_BYTES, name_of(s));

    if (subject > 0)
        n += snprintf(head + n, sizeof(head) - (size_t)n, "LIEGE_SUBJECT=%.*s\n", (int)subject,
                      line + time + 1);
    n += snprintf(head + n, sizeof(head) - (size_t)n, "MESSAGE=");
    struct iovec iov[] = {{head, (size_t)n}, {(char *)line + time, len - time}, {(char *)"\n", 1}};
    const struct msghdr msg = {.msg_iov = iov, .msg_iovlen = COUNT_OF(iov)};
    int r = send_datagram(s, &msg);
    return r == -EMSGSIZE || r == -ENOBUFS ? send_as_file(s, iov, COUNT_OF(iov)) : r;
}

size_t log_sink_write(struct log_sink *s, const char *lines, size_t len, size_t *ret_taken)
{
    size_t n_lost = 0;

    if (!log_sink_sends_lines(s))
        return write_file(s, lines, len, ret_taken);
    *ret_taken = len;
    for (size_t at = 0; at < len;) {
        const char *end = memchr(lines + at, '\n', len - at);
        size_t n = end ? (size_t)(end - lines) - at : len - at;
        int r = s->kind == LOG_SINK_SYSLOG ? say_to_syslog(s, lines + at, n)
                                           : say_to_journal(s, lines + at, n);
        if (r < 0) {
            *ret_taken = MIN(*ret_taken, at);
            n_lost++;
        }
        at += n + (end != NULL);
    }
    return n_lost;
}
