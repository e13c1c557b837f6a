/* SPDX-License-Identifier: MIT */
/* A client that reads slowly gets what its socket takes, and is dropped when it has not taken all
 * of it in CLIENT_US; at most MAX_CLIENTS are served at a time, further ones wait in the kernel's
 * queue. What a client sends is never read. Of a child that serves one the end of a pipe says that
 * it is over; it ends in time by itself. */
#include "ipc/stats-server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/sock.h"

#define MAX_CLIENTS  32
#define MAX_CHILDREN 4
#define BACKLOG      64
#define CLIENT_US    (10 * US_PER_SEC)
#define PAUSE_US     (1 * US_PER_SEC) /* when there are no descriptors left */

struct client {
    struct stats_server *stats;
    struct loop_io io; /* its socket, or the pipe of the child that serves it */
    struct loop_timer timer;
    char *text; /* of json_dumps(); NULL: a child serves it */
    size_t len, sent;
    struct list link;
};

struct stats_server {
    struct stats_source source;
    struct loop *loop;
    struct loop_io io;
    struct loop_timer pause;
    struct list clients;
    unsigned n_clients, n_children;
    struct addr addr;
    struct sock_file file;
};

/* Listens while there is room for another client. */
static void update_listening(struct stats_server *s)
{
    bool wanted =
        s->n_clients < MAX_CLIENTS && s->n_children < MAX_CHILDREN && !loop_timer_is_set(&s->pause);
    int r = loop_io_modify(s->loop, &s->io, wanted ? EPOLLIN : 0);

    if (r < 0)
        (void)log_errno(LOG_ERR, r, "stats: cannot go on listening");
}

static void on_pause_over(struct loop_timer *t)
{
    update_listening(container_of(t, struct stats_server, pause));
}

static void on_child_end(struct loop_io *io, uint32_t events);

static void client_free(struct client *cl)
{
    struct stats_server *s = cl->stats;

    loop_timer_clear(s->loop, &cl->timer);
    loop_io_remove(s->loop, &cl->io);
    closep(&cl->io.fd);
    list_remove(&cl->link);
    s->n_clients--;
    s->n_children -= cl->io.fn == on_child_end;
    free(cl->text);
    free(cl);
}

static void client_drop(struct client *cl)
{
    struct stats_server *s = cl->stats;

    client_free(cl);
    update_listening(s);
}

static void on_client(struct loop_io *io, uint32_t events)
{
    struct client *cl = container_of(io, struct client, io);

    (void)events;
    ssize_t n = send(io->fd, cl->text + cl->sent, cl->len - cl->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0)
        cl->sent += (size_t)n;
    if (n < 0 || cl->sent == cl->len)
        client_drop(cl);
}

static void on_client_timer(struct loop_timer *t)
{
    client_drop(container_of(t, struct client, timer));
}

static void on_child_end(struct loop_io *io, uint32_t events)
{
    (void)events;
    client_drop(container_of(io, struct client, io));
}

static char *make_text(const struct stats_server *s)
{
    json_t *j = s->source.document(s->source.data);
    char *text = j ? json_dumps(j, JSON_INDENT(1)) : NULL;

    json_decref(j);
    return text;
}

/* The life of a child: it has @fd, and @pipe_fd for as long as it lives. */
static _noreturn_ void serve_in_child(const struct stats_server *s, pid_t parent, int fd,
                                      int pipe_fd)
{
    const int keep[] = {fd, pipe_fd};

    proc_reset_signals();
    (void)alarm(CLIENT_US / US_PER_SEC);
    log_set_writer(NULL, NULL);
    if (proc_die_with_parent(parent) < 0 || fd_close_all_except(keep, COUNT_OF(keep)) < 0 ||
        fd_set_nonblock(fd, false) < 0)
        _exit(EXIT_FAILURE);
    const char *text = make_text(s);
    for (size_t len = text ? strlen(text) : 0, sent = 0; sent < len;) {
        ssize_t n = send(fd, text + sent, len - sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            break;
        sent += n > 0 ? (size_t)n : 0;
    }
    _exit(EXIT_SUCCESS);
}

/* Has a child serve @cl, whose socket is its descriptor, in which the end of the child is read
 * then. */
static int leave_to_child(struct client *cl)
{
    _cleanup_close_ int fd = cl->io.fd;
    const pid_t us = getpid();
    struct proc proc = PROC_NONE;
    int fds[2];

    cl->io = (struct loop_io){.fd = -1, .fn = on_child_end};
    cl->stats->n_children++;
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    int r = proc_fork(&proc);
    if (r == 0)
        serve_in_child(cl->stats, us, fd, fds[1]);
    (void)close(fds[1]);
    cl->io.fd = fds[0];
    proc_done(&proc); /* whoever reaps strangers reaps it */
    return r < 0 ? r : 0;
}

static int serve(struct client *cl)
{
    cl->text = make_text(cl->stats);
    cl->len = cl->text ? strlen(cl->text) : 0;
    return cl->text ? 0 : -ENOMEM;
}

/* Takes over @fd. */
static int client_new(struct stats_server *s, int fd)
{
    const struct stats_source *source = &s->source;
    const bool large = source->is_large && source->is_large(source->data);
    struct client *cl = calloc(1, sizeof(*cl));

    if (!cl) {
        (void)close(fd);
        return -ENOMEM;
    }
    *cl = (struct client){
        .stats = s,
        .io = {.fd = fd, .fn = on_client},
        .timer = {.fn = on_client_timer},
    };
    list_append(&s->clients, &cl->link);
    s->n_clients++;
    int r = large ? leave_to_child(cl) : serve(cl);
    if (r == 0)
        r = loop_io_add(s->loop, &cl->io, large ? EPOLLIN : EPOLLOUT);
    if (r < 0)
        client_free(cl);
    else if (!large) /* a child has its own */
        loop_timer_set(s->loop, &cl->timer, loop_now_us(s->loop) + CLIENT_US);
    return r;
}

static void on_connection(struct loop_io *io, uint32_t events)
{
    struct stats_server *s = container_of(io, struct stats_server, io);
    int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    int r = 0;

    (void)events;
    if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
        return;
    r = fd < 0 ? -errno : client_new(s, fd);
    if (r < 0) {
        (void)log_errno(LOG_WARNING, r, "stats: cannot serve a client, none for a second");
        loop_timer_set(s->loop, &s->pause, loop_now_us(s->loop) + PAUSE_US);
    }
    update_listening(s);
}

int stats_server_new(struct loop *loop, const char *option, const char *address,
                     const struct cred *owner, const struct sock_kept *kept,
                     const struct stats_source *source, struct stats_server **ret,
                     struct errmsg *err)
{
    struct sock_options options = {.backlog = BACKLOG,
                                   .speaks_first = true,
                                   .mode = 0660,
                                   .uid = owner->set_uid ? owner->uid : (uid_t)-1,
                                   .gid = owner->set_gid ? owner->gid : (gid_t)-1,
                                   .kept = kept};
    struct stats_server *s = calloc(1, sizeof(*s));

    if (!s)
        return errmsg_set_errno(err, -ENOMEM, "%s", option);
    *s = (struct stats_server){
        .source = *source,
        .loop = loop,
        .io = {.fd = -1, .fn = on_connection},
        .pause = {.fn = on_pause_over},
    };
    list_init(&s->clients);
    int r = addr_parse(address, &s->addr, err);
    if (r == 0)
        r = s->io.fd = sock_listen(&s->addr, &options, &s->file, err);
    if (r >= 0) {
        r = loop_io_add(s->loop, &s->io, EPOLLIN);
        if (r < 0)
            (void)errmsg_set_errno(err, r, "cannot listen on %s", address);
    }
    if (r < 0) {
        (void)stats_server_free(s);
        return errmsg_prefix(err, r, "%s", option);
    }
    *ret = s;
    return 0;
}

struct sock_kept stats_server_socket(const struct stats_server *s)
{
    return (struct sock_kept){.fd = s->io.fd, .file = s->file};
}

struct stats_server *stats_server_free(struct stats_server *s)
{
    const char *path = NULL;

    if (!s)
        return NULL;
    LIST_FOREACH (it, &s->clients)
        client_free(container_of(it, struct client, link));
    loop_timer_clear(s->loop, &s->pause);
    if (s->io.fd >= 0) {
        loop_io_remove(s->loop, &s->io);
        (void)close(s->io.fd);
        if (addr_path(&s->addr, &path))
            sock_unlink(path, &s->file);
    }
    free(s);
    return NULL;
}
