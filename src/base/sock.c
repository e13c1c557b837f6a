/* SPDX-License-Identifier: MIT */
/* Listening sockets. The master makes them, once; they outlive workers and generations.
 *
 * A socket file that is in the way may belong to a server that lives, or to one that was killed.
 * connect(2) tells: refused means stale. And when it lives, the connection that we then hold ends
 * at the moment its server does, which is how a successor waits for a predecessor that is dying
 * without looking again and again. */
#include "base/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"

#define ASK_AGAIN_US (100 * US_PER_MS)
#define LOOK_MS      5 /* of a listener whose backlog is full */

/* Connects to @a, for at most @left_us. Returns 0; 1 if nobody listens there; or a negative errno:
 * -EADDRINUSE if somebody does who does not take the connection. */
static int try_connect(int fd, const struct addr *a, uint64_t left_us)
{
    const struct timeval left = {
        .tv_sec = (time_t)(left_us / US_PER_SEC),
        .tv_usec = (suseconds_t)(left_us % US_PER_SEC),
    };

    /* Not non-blocking: a UNIX socket with a full backlog could then not be waited for. */
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &left, sizeof(left)) < 0)
        return -errno;
    if (connect(fd, &a->sa.any, a->len) == 0)
        return 0;
    switch (errno) {
    case ECONNREFUSED:
    case ENOENT:
        return 1;
    case EAGAIN: /* the time is over, unix(7) and socket(7) */
    case EINPROGRESS:
    case ETIMEDOUT:
    case EPROTOTYPE: /* a socket that is not a stream */
        return -EADDRINUSE;
    default:
        return -errno;
    }
}

/* Waits until nobody listens on @a, or with @at_once only looks. Returns 0, -EADDRINUSE when
 * somebody still does, or another negative errno when that cannot be found out. */
static int wait_until_free(const struct addr *a, uint64_t deadline_us, bool at_once)
{
    for (uint64_t now = clock_now_us(); now < deadline_us; now = clock_now_us()) {
        _cleanup_close_ int fd = socket(a->sa.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
            return -errno;

        int r = try_connect(fd, a, deadline_us - now);
        if (r > 0)
            return 0;
        if (r < 0 && r != -EINTR && r != -ECONNRESET)
            return r;
        if (r == 0 && at_once)
            return -EADDRINUSE;

        /* Of a connection that nobody has accepted yet the end of the other side is not always
         * told: it is asked again. */
        struct pollfd p = {.fd = fd, .events = POLLRDHUP};
        uint64_t wait_us = MIN(deadline_us - now, ASK_AGAIN_US);
        if (r == 0)
            (void)poll(&p, 1, (int)(wait_us / US_PER_MS) + 1);
    }
    return -EADDRINUSE;
}

/* Binds with the mode that the file shall have from its first moment: what fchmod(2) says of a
 * socket without a name, bind(2) gives to its file. The umask would take from it. */
static int bind_with_mode(int fd, const struct sockaddr_un *sa, mode_t mode)
{
    mode_t mask = umask(0);
    int r =
        fchmod(fd, mode) < 0 || bind(fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0 ? -errno : 0;

    (void)umask(mask);
    return r;
}

/* Others may write to the folder and put something else in the file's place at any time: it is
 * opened without following a link, looked at, and changed through the descriptor. */
int sock_adjust(const char *path, const struct sock_file *file, const struct sock_options *o)
{
    _cleanup_close_ int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat st = {0};
    char self[32];

    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISSOCK(st.st_mode) || st.st_ino != file->ino || st.st_dev != file->dev)
        return -ESTALE;
    bool owned = (o->uid == (uid_t)-1 || o->uid == st.st_uid) &&
                 (o->gid == (gid_t)-1 || o->gid == st.st_gid);
    if (!owned && fchownat(fd, "", o->uid, o->gid, AT_EMPTY_PATH) < 0)
        return -errno;
    (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    if ((st.st_mode & ALLPERMS) != o->mode && chmod(self, o->mode) < 0)
        return -errno;
    return 0;
}

static int bind_path(int fd, const char *path, const struct sock_options *o,
                     struct sock_file *ret_file, struct errmsg *err)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    struct stat st = {0};
    int n = snprintf(sa.sun_path, sizeof(sa.sun_path), "%s.%d", path, (int)getpid());

    if (n < 0 || (size_t)n >= sizeof(sa.sun_path))
        return errmsg_set(err, -ENAMETOOLONG,
                          "%s: the name of a UNIX socket has at most %zu bytes here", path,
                          sizeof(sa.sun_path) - 1 - ((size_t)MAX(n, 0) - strlen(path)));
    (void)unlink(sa.sun_path); /* of a predecessor with our pid; bind() reports any real trouble */
    int r = bind_with_mode(fd, &sa, o->mode);
    if (r < 0)
        return errmsg_set_errno(err, r, "cannot bind %s", path);

    const bool found =
        lstat(sa.sun_path, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_uid == geteuid();
    const struct sock_file file = {.dev = st.st_dev, .ino = st.st_ino};
    r = found ? sock_adjust(sa.sun_path, &file, o) : -ESTALE;
    if (r < 0)
        r = errmsg_set_errno(err, r, "cannot set owner and mode of %s", path);
    else if (listen(fd, o->backlog) < 0)
        r = errmsg_set_errno(err, -errno, "cannot listen on %s", path);
    else if (rename(sa.sun_path, path) < 0)
        r = errmsg_set_errno(err, -errno, "cannot create %s", path);
    if (r < 0)
        (void)unlink(sa.sun_path);
    else
        *ret_file = file;
    return r;
}

static int take_over(const struct addr *a, const char *name, const struct sock_options *o,
                     struct errmsg *err)
{
    uint64_t ms = o->at_once ? LOOK_MS : SOCK_TAKEOVER_MS;
    int r = wait_until_free(a, clock_now_us() + ms * US_PER_MS, o->at_once);

    if (r == -EADDRINUSE)
        return errmsg_set(err, r, "somebody else listens on %s", name);
    return r < 0 ? errmsg_set_errno(err, r, "cannot take over %s", name) : 0;
}

static int listen_path(int fd, const struct addr *a, const char *path, const struct sock_options *o,
                       struct sock_file *ret_file, struct errmsg *err)
{
    struct stat st = {0};

    if (lstat(path, &st) == 0) {
        if (!S_ISSOCK(st.st_mode))
            return errmsg_set(err, -EEXIST, "%s is there and is not a socket: remove it", path);
        int r = take_over(a, path, o, err);
        if (r < 0)
            return r;
    }
    return bind_path(fd, path, o, ret_file, err);
}

/* Options of a TCP socket. Those of the connections that it takes are inherited from it (tcp(7)):
 * an answer in several pieces must not wait for the client's acknowledgements. Where the client
 * speaks first a connection is worth waking somebody when its first bytes are there, or after a
 * second without any. */
static int set_tcp_options(int fd, int family, const char *name, const struct sock_options *o,
                           struct errmsg *err)
{
    int on = 1;

    if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
        return errmsg_set_errno(err, -errno, "cannot make %s IPv6 only", name);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
        return errmsg_set_errno(err, -errno, "cannot set SO_REUSEADDR of %s", name);
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
        return errmsg_set_errno(err, -errno, "cannot set TCP_NODELAY of %s", name);
    if (!o->speaks_first && setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &on, sizeof(on)) < 0)
        return errmsg_set_errno(err, -errno, "cannot set TCP_DEFER_ACCEPT of %s", name);
    return 0;
}

static int listen_other(int fd, const struct addr *a, const char *name,
                        const struct sock_options *o, struct errmsg *err)
{
    int family = a->sa.any.sa_family;
    int r = family == AF_UNIX ? 0 : set_tcp_options(fd, family, name, o, err);

    if (r < 0)
        return r;
    if (bind(fd, &a->sa.any, a->len) < 0) {
        if (errno != EADDRINUSE)
            return errmsg_set_errno(err, -errno, "cannot bind %s", name);
        r = take_over(a, name, o, err);
        if (r < 0)
            return r;
        if (bind(fd, &a->sa.any, a->len) < 0)
            return errmsg_set_errno(err, -errno, "cannot bind %s", name);
    }
    if (listen(fd, o->backlog) < 0)
        return errmsg_set_errno(err, -errno, "cannot listen on %s", name);
    return 0;
}

static int adopt(int fd, struct errmsg *err)
{
    int listening = 0;
    socklen_t len = sizeof(listening);

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0)
        return errmsg_set_errno(err, -errno, "fd://%d is not a socket", fd);
    if (!listening)
        return errmsg_set(err, -EINVAL, "fd://%d is a socket that does not listen", fd);
    int r = fd_set_nonblock(fd, true);
    if (r == 0)
        r = fd_set_cloexec(fd, true);
    return r < 0 ? errmsg_set_errno(err, r, "cannot use fd://%d", fd) : fd;
}

int sock_listen(const struct addr *a, const struct sock_options *options,
                struct sock_file *ret_file, struct errmsg *err)
{
    _cleanup_close_ int fd = -EBADF;
    const char *path = NULL;
    struct sock_file file = {0};
    char name[sizeof(struct sockaddr_un) + 8];

    if (options->kept && options->kept->fd >= 0) {
        int kept = adopt(options->kept->fd, err);
        if (kept >= 0)
            *ret_file = options->kept->file;
        return kept;
    }
    if (a->fd >= 0) {
        int adopted = adopt(a->fd, err);
        if (adopted >= 0)
            *ret_file = file;
        return adopted;
    }
    (void)addr_format(&a->sa.any, a->len, name, sizeof(name));
    fd = socket(a->sa.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return errmsg_set_errno(err, -errno, "cannot create a socket for %s", name);

    int r = addr_path(a, &path) ? listen_path(fd, a, path, options, &file, err)
                                : listen_other(fd, a, name, options, err);
    if (r < 0)
        return r;
    *ret_file = file;
    return TAKE_FD(fd);
}

/* bind_path() has renamed the file: then the name without our suffix is the one that is there. */
static void drop_suffix(struct sockaddr_un *un)
{
    char *dot = strrchr(un->sun_path, '.');
    struct stat st;

    if (!dot || dot[1] == '\0' || dot[1 + strspn(dot + 1, "0123456789")] != '\0' ||
        lstat(un->sun_path, &st) == 0)
        return;
    *dot = '\0';
    if (lstat(un->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
        *dot = '.';
    else
        memset(dot, 0, sizeof(un->sun_path) - (size_t)(dot - un->sun_path));
}

static int find_unix_addr(struct addr *a)
{
    size_t len = a->len - offsetof(struct sockaddr_un, sun_path);

    if (a->len <= offsetof(struct sockaddr_un, sun_path))
        return -EINVAL;
    if (a->sa.un.sun_path[0] == '\0')
        return 0;
    if (strnlen(a->sa.un.sun_path, len) >= sizeof(a->sa.un.sun_path))
        return -ENAMETOOLONG; /* the kernel allows it without a terminator, addr_parse() does not */
    a->len = sizeof(a->sa.un);
    drop_suffix(&a->sa.un);
    return 0;
}

int sock_find_addr(int fd, struct addr *ret)
{
    struct addr a = {.len = sizeof(a.sa), .fd = -1};
    int listens = 0, type = 0;
    socklen_t len = sizeof(int);

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0)
        return -errno;
    if (type != SOCK_STREAM || !listens)
        return -EINVAL;
    if (getsockname(fd, &a.sa.any, &a.len) < 0)
        return -errno;
    sa_family_t family = a.sa.any.sa_family;
    if (family != AF_UNIX && family != AF_INET && family != AF_INET6)
        return -EAFNOSUPPORT;
    int r = family == AF_UNIX ? find_unix_addr(&a) : 0;
    if (r == 0)
        *ret = a;
    return r;
}

void sock_unlink(const char *path, const struct sock_file *file)
{
    struct stat st;

    if (file->ino != 0 && lstat(path, &st) == 0 && st.st_ino == file->ino && st.st_dev == file->dev)
        (void)unlink(path); /* gone already or not ours to remove: nothing to do about either */
}
