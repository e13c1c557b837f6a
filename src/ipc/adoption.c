/* SPDX-License-Identifier: MIT */
/* The words between an Emperor and the processes that a base vassal forks for it. The Emperor's
 * side waits for nothing and believes only what the kernel says of who is speaking; the other side
 * is a process that was forked for nothing else. Used by emperor/adoption.c and instance/adopted.c.
 */
#include "ipc/adoption.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd-pass.h"
#include "base/fd.h"
#include "base/strv.h"

#define HEAD_BYTES       4
#define ANSWER_MAX_BYTES 2048

/* Frames */

static void put_u16(unsigned char *at, size_t value)
{
    at[0] = (unsigned char)(value & 0xff);
    at[1] = (unsigned char)(value >> 8);
}

static size_t get_u16(const void *at)
{
    const unsigned char *b = at;

    return b[0] | (size_t)b[1] << 8;
}

static int append_item(struct buf *b, const char *data, size_t len)
{
    unsigned char size[2];

    if (len > UINT16_MAX)
        return -E2BIG;
    put_u16(size, len);
    int r = buf_append(b, size, sizeof(size));
    return r < 0 ? r : buf_append(b, data, len);
}

/* Sends what is in @b behind its head of HEAD_BYTES, with @fds. */
static int send_frame(int fd, struct buf *b, unsigned modifier2, const int *fds, size_t n_fds)
{
    unsigned char *head = (unsigned char *)buf_at(b);
    const struct iovec iov = {.iov_base = head, .iov_len = buf_len(b)};

    if (buf_len(b) - HEAD_BYTES > UINT16_MAX)
        return -E2BIG;
    head[0] = ADOPTION_MODIFIER1;
    put_u16(head + 1, buf_len(b) - HEAD_BYTES);
    head[3] = (unsigned char)modifier2;
    ssize_t n = fd_pass_send(fd, &iov, 1, fds, n_fds);
    if (n < 0)
        return (int)n;
    return (size_t)n == iov.iov_len ? 0 : -EMSGSIZE; /* it will read the end as a broken request */
}

static ssize_t receive(int fd, void *data, size_t size, int flags, struct fd_passed *ret)
{
    const struct iovec iov = {.iov_base = data, .iov_len = size};
    ssize_t n = 0;

    do
        n = fd_pass_receive(fd, &iov, 1, flags, ret);
    while (n == -EINTR);
    return n;
}

/* The request */

void adoption_request_done(struct adoption_request *r)
{
    strv_done(&r->argv);
    for (size_t i = 0; i < ADOPTION_PART_COUNT; i++)
        if (r->fds[i] >= 0)
            (void)close(r->fds[i]);
    *r = ADOPTION_REQUEST_NONE;
}

int adoption_connect(const char *address, pid_t base)
{
    struct addr addr;
    struct ucred listener = {.pid = 0};
    socklen_t len = sizeof(listener);
    int on = 1;
    int r = addr_parse(address, &addr, NULL);

    if (r < 0)
        return r;
    if (addr.len == 0 || addr.sa.any.sa_family != AF_UNIX)
        return -EAFNOSUPPORT;
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ||
        connect(fd, &addr.sa.any, addr.len) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &listener, &len) < 0)
        return -errno;
    return listener.pid == base ? TAKE_FD(fd) : -EPERM;
}

int adoption_send(int fd, const struct adoption_request *request)
{
    _cleanup_(buf_done) struct buf b = {0};
    int fds[ADOPTION_PART_COUNT];
    unsigned parts = 0;
    size_t n_fds = 0;
    int r = buf_append(&b, (const char[HEAD_BYTES]){0}, HEAD_BYTES);

    for (size_t i = 0; r == 0 && i < request->argv.n_items; i++)
        r = append_item(&b, request->argv.items[i], strlen(request->argv.items[i]));
    for (size_t i = 0; i < ADOPTION_PART_COUNT; i++)
        if (request->fds[i] >= 0) {
            parts |= 1U << i;
            fds[n_fds++] = request->fds[i];
        }
    return r < 0 ? r : send_frame(fd, &b, parts, fds, n_fds);
}

/* Takes all of @len bytes. */
static int take(int fd, char *data, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = recv(fd, data + at, len - at, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EPROTO;
        at += (size_t)n;
    }
    return 0;
}

/* Gives the descriptors that came to their parts. */
static int sort_parts(unsigned parts, struct fd_passed *came, struct adoption_request *ret)
{
    size_t n_parts = 0, used = 0;

    for (size_t i = 0; i < ADOPTION_PART_COUNT; i++)
        n_parts += parts >> i & 1;
    if (n_parts != came->n_fds || came->is_cut || !(parts & 1U << ADOPTION_PIPE)) {
        fd_passed_close(came);
        return -EPROTO;
    }
    for (size_t i = 0; i < ADOPTION_PART_COUNT; i++)
        if (parts & 1U << i)
            ret->fds[i] = came->fds[used++];
    return 0;
}

static int read_argv(const char *body, size_t len, struct liege_list *ret)
{
    int r = 0;

    for (size_t at = 0; r == 0 && at < len;) {
        if (len - at < 2)
            return -EPROTO;
        size_t n = get_u16(body + at);
        at += 2;
        if (len - at < n || memchr(body + at, '\0', n))
            return -EPROTO;
        r = strv_appendf(ret, "%.*s", (int)n, body + at);
        at += n;
    }
    return r == 0 && ret->n_items == 0 ? -EPROTO : r;
}

int adoption_receive(int fd, struct adoption_request *ret, struct errmsg *err)
{
    const struct timeval limit = {.tv_sec = ADOPTION_WAIT_MS / 1000};
    unsigned char head[HEAD_BYTES] = {0};
    _cleanup_(buf_done) struct buf body = {0};
    struct fd_passed came;

    *ret = ADOPTION_REQUEST_NONE;
    if (fd_set_nonblock(fd, false) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
        return errmsg_set_errno(err, -errno, "cannot wait for the request");
    ssize_t n = receive(fd, head, sizeof(head), MSG_WAITALL, &came);
    int r = n < 0 ? (int)n : 0;
    if (r == 0 && (n != sizeof(head) || head[0] != ADOPTION_MODIFIER1))
        r = -EPROTO;
    if (r < 0)
        fd_passed_close(&came);
    else
        r = sort_parts(head[3], &came, ret);
    const size_t len = get_u16(head + 1);
    if (r == 0)
        r = buf_reserve(&body, len + 1);
    if (r == 0)
        r = take(fd, buf_at(&body), len);
    if (r == 0)
        r = read_argv(buf_at(&body), len, &ret->argv);
    return r < 0 ? errmsg_set_errno(err, r, "the Emperor's request") : 0;
}

/* The answer */

static int send_answer(int fd, const char *key, const char *value, int pidfd)
{
    _cleanup_(buf_done) struct buf b = {0};
    int r = buf_append(&b, (const char[HEAD_BYTES]){0}, HEAD_BYTES);

    if (r == 0)
        r = append_item(&b, key, strlen(key));
    if (r == 0)
        r = append_item(&b, value, strlen(value));
    return r < 0 ? r : send_frame(fd, &b, 0, &pidfd, pidfd >= 0 ? 1 : 0);
}

int adoption_answer(int fd)
{
    _cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    char pid[16];

    if (pidfd < 0)
        return -errno;
    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    return send_answer(fd, "pid", pid, pidfd);
}

void adoption_refuse(int fd, const char *why)
{
    char text[ANSWER_MAX_BYTES / 2];

    (void)snprintf(text, sizeof(text), "%s", why);
    (void)!send_answer(fd, "error", text, -1); /* who asked may be gone */
}

/* The item at @body + *@at, cut to @size. */
static int read_item(const char *body, size_t len, size_t *at, char *text, size_t size)
{
    if (len - *at < 2)
        return -EPROTO;
    size_t n = get_u16(body + *at);
    *at += 2;
    if (len - *at < n)
        return -EPROTO;
    (void)snprintf(text, size, "%.*s", (int)n, body + *at);
    *at += n;
    return 0;
}

/* The process that the pidfd @fd means, by the kernel's word; 0: none any more. */
static pid_t pid_of(int fd)
{
    _cleanup_free_ char *text = NULL;
    char path[64];
    size_t len = 0;

    (void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    if (file_read_all(path, 4096, &text, &len) < 0)
        return 0;
    const char *at = strstr(text, "\nPid:\t");
    return at ? (pid_t)strtol(at + strlen("\nPid:\t"), NULL, 10) : 0;
}

/* True if @sender may speak for the base at the other end of @fd: a process of its user. */
static bool is_of_base(int fd, const struct ucred *sender)
{
    struct ucred listener;
    socklen_t len = sizeof(listener);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &listener, &len) == 0 &&
           sender->uid == listener.uid;
}

/* The new process says that it is there: it is who sends, its pidfd means it, and it is ours. */
static int accept_pid(const char *text, const struct ucred *sender, int pidfd, struct proc *ret,
                      struct errmsg *err)
{
    siginfo_t info = {0};
    char *end = NULL;
    long pid = strtol(text, &end, 10);

    if (pid <= 0 || *end != '\0' || pid != sender->pid)
        return errmsg_set(err, -EPROTO, "the answer names process %s, and comes from %d", text,
                          (int)sender->pid);
    if (pidfd < 0 || fcntl(pidfd, F_GETFD) < 0)
        return errmsg_set(err, -EPROTO, "the answer has no pidfd");
    if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
        return errmsg_set(err, errno == ECHILD ? -ECHILD : -EPROTO,
                          "process %ld has ended, or is no child of this Emperor", pid);
    pid_t meant = pid_of(pidfd);
    if (meant != pid && meant != -1) /* -1: it has ended, and waits to be reaped */
        return errmsg_set(err, -EPROTO, "the answer names process %ld, and its pidfd %d", pid,
                          (int)meant);
    *ret = (struct proc){.pid = (pid_t)pid, .pidfd = pidfd};
    return 1;
}

static int read_answer(int fd, const char *data, size_t n, const struct ucred *sender, int pidfd,
                       struct proc *ret, struct errmsg *err)
{
    char key[16], value[ANSWER_MAX_BYTES / 2];
    size_t at = HEAD_BYTES;

    if (n < HEAD_BYTES || data[0] != ADOPTION_MODIFIER1 || get_u16(data + 1) != n - HEAD_BYTES ||
        read_item(data, n, &at, key, sizeof(key)) < 0 ||
        read_item(data, n, &at, value, sizeof(value)) < 0)
        return errmsg_set(err, -EPROTO, "the answer is none");
    if (!is_of_base(fd, sender))
        return errmsg_set(err, -EPROTO, "the answer comes from user %u, who is not the base's",
                          (unsigned)sender->uid);
    if (strcmp(key, "error") == 0)
        return errmsg_set(err, -EREMOTEIO, "%s", value);
    if (strcmp(key, "pid") != 0)
        return errmsg_set(err, -EPROTO, "the answer names no process");
    return accept_pid(value, sender, pidfd, ret, err);
}

int adoption_hear(int fd, struct proc *ret, struct errmsg *err)
{
    char data[ANSWER_MAX_BYTES];
    struct fd_passed came;
    ssize_t n = receive(fd, data, sizeof(data), MSG_DONTWAIT, &came);

    if (n == -EAGAIN)
        return -EAGAIN;
    if (n <= 0)
        return errmsg_set(err, n < 0 && n != -EPIPE ? (int)n : -ECONNRESET,
                          "the base has closed the connection without an answer");
    int r = read_answer(fd, data, (size_t)n, &came.sender, came.n_fds == 1 ? came.fds[0] : -1, ret,
                        err);
    if (r <= 0)
        fd_passed_close(&came);
    return r;
}
