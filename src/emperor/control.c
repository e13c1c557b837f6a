/* SPDX-License-Identifier: MIT */
/* The clients of the control socket: who they are, what they send, what they are sent. Nothing here
 * waits. A client's request is read when the one before is answered, and an answer goes on when the
 * client has taken what there is of it: so a client costs a bounded amount of memory, whatever it
 * does. One that does not move for CLIENT_US is let go, unless it waits for something that it asked
 * for; MAX_CLIENTS are served at a time and the others wait in the kernel's queue.
 *
 * Made and freed by emperor.c. */
#include "emperor/control-private.h"
#include "emperor/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/sock.h"

#define MAX_CLIENTS 64
#define BACKLOG     64
#define READ_BYTES  ((size_t)64 << 10)
#define CLIENT_US   (10 * US_PER_SEC)
#define PAUSE_US    (1 * US_PER_SEC) /* when there are no descriptors left */

static void update_listening(struct control *c)
{
    bool wanted = c->n_clients < MAX_CLIENTS && !loop_timer_is_set(&c->pause);
    int r = loop_io_modify(c->court->realm.loop, &c->io, wanted ? EPOLLIN : 0);

    if (r < 0)
        (void)log_errno(LOG_ERR, r, "emperor-control: cannot go on listening");
}

static void on_pause_over(struct loop_timer *t)
{
    update_listening(container_of(t, struct control, pause));
}

static void client_free(struct control_client *cl)
{
    struct control *c = cl->control;
    struct loop *l = c->court->realm.loop;

    control_command_end(cl);
    loop_timer_clear(l, &cl->timer);
    loop_io_remove(l, &cl->io);
    closep(&cl->io.fd);
    list_remove(&cl->link);
    c->n_clients--;
    buf_done(&cl->in);
    buf_done(&cl->out);
    free(cl);
    update_listening(c);
}

json_t *control_line(void)
{
    json_t *line = json_object();

    (void)json_object_set_new(line, "v", json_integer(CONTROL_VERSION));
    return line;
}

static int put_piece(const char *text, size_t len, void *data)
{
    return buf_append(data, text, len) < 0 ? -1 : 0;
}

void control_client_put(struct control_client *cl, json_t *line)
{
    if (!line || json_dump_callback(line, put_piece, &cl->out, JSON_COMPACT) < 0 ||
        buf_append(&cl->out, "\n", 1) < 0)
        cl->closing = true;
    json_decref(line);
    control_client_changed(cl);
}

void control_client_changed(struct control_client *cl)
{
    cl->changed = true;
    loop_task_queue(cl->control->court->realm.loop, &cl->control->task);
}

static void refuse(struct control_client *cl, const char *why)
{
    json_t *line = control_line();

    (void)json_object_set_new(line, "ok", json_false());
    (void)json_object_set_new(line, "error", json_string(why));
    control_client_put(cl, line);
}

/* Begins the request that was read when its text is there. */
static void take_text(struct control_client *cl)
{
    size_t bytes = cl->request.bytes;

    if (buf_len(&cl->in) < bytes)
        return;
    cl->has_request = false;
    control_command_begin(cl);
    buf_consume(&cl->in, bytes);
}

/* Reads the next request if there is a whole one. */
static void take_request(struct control_client *cl)
{
    struct errmsg err;
    const char *end = buf_len(&cl->in) ? memchr(buf_at(&cl->in), '\n', buf_len(&cl->in)) : NULL;

    if (!end && buf_len(&cl->in) >= CONTROL_LINE_BYTES) {
        refuse(cl, "the request is too long");
        cl->closing = true;
    }
    if (!end)
        return;
    size_t len = (size_t)(end - buf_at(&cl->in));
    int r = control_request_parse(buf_at(&cl->in), len, &cl->request, &err);
    buf_consume(&cl->in, len + 1);
    cl->has_request = r == 0;
    if (r < 0)
        refuse(cl, err.text);
    else
        take_text(cl);
}

/* Sends what the socket takes. Returns a negative errno when the client is lost. */
static int send_some(struct control_client *cl)
{
    while (buf_len(&cl->out) > 0) {
        ssize_t n =
            send(cl->io.fd, buf_at(&cl->out), buf_len(&cl->out), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        buf_consume(&cl->out, (size_t)n);
        loop_timer_clear(cl->control->court->realm.loop, &cl->timer); /* it moves */
    }
    return 0;
}

/* What is listened to, and how long is waited, follows from what there is to do. */
static int update(struct control_client *cl)
{
    struct loop *l = cl->control->court->realm.loop;
    bool sending = buf_len(&cl->out) > 0, reading = !sending && !cl->command && !cl->ended;

    if (!sending && cl->command)
        loop_timer_clear(l, &cl->timer);
    else if (!loop_timer_is_set(&cl->timer))
        loop_timer_set(l, &cl->timer, loop_now_us(l) + CLIENT_US);
    return loop_io_modify(l, &cl->io, (sending ? EPOLLOUT : 0) | (reading ? EPOLLIN : 0));
}

/* Goes on with a client, by one portion a round of the loop: whatever was added calls for the next
 * round. It may be gone afterwards. */
static void client_go_on(struct control_client *cl)
{
    int r = send_some(cl);

    cl->changed = false;
    if (r == 0 && buf_len(&cl->out) == 0 && !cl->closing) {
        if (cl->command)
            control_command_go_on(cl);
        else if (cl->has_request)
            take_text(cl);
        else
            take_request(cl);
        r = send_some(cl);
    }
    bool answered = !cl->command && !cl->changed;
    bool done = buf_len(&cl->out) == 0 && (cl->closing || (cl->ended && answered));
    if (r == 0 && !done)
        r = update(cl);
    if (r < 0 || done)
        client_free(cl);
}

static void on_task(struct loop_task *t)
{
    struct control *c = container_of(t, struct control, task);

    LIST_FOREACH (it, &c->clients) {
        struct control_client *cl = container_of(it, struct control_client, link);
        if (cl->changed)
            client_go_on(cl);
    }
}

/* Returns a negative errno when the client is lost. */
static int read_some(struct control_client *cl)
{
    char bytes[READ_BYTES];

    ssize_t n = recv(cl->io.fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    cl->ended = n == 0;
    loop_timer_clear(cl->control->court->realm.loop, &cl->timer); /* it moves */
    return buf_append(&cl->in, bytes, (size_t)n);
}

static void on_client(struct loop_io *io, uint32_t events)
{
    struct control_client *cl = container_of(io, struct control_client, io);
    bool gone = events & (EPOLLHUP | EPOLLERR) && !(events & EPOLLIN);

    if (gone || (events & EPOLLIN && read_some(cl) < 0))
        client_free(cl);
    else
        client_go_on(cl);
}

static void on_client_timer(struct loop_timer *t)
{
    client_free(container_of(t, struct control_client, timer));
}

/* Takes over @fd. */
static int client_new(struct control *c, int fd)
{
    struct control_client *cl = calloc(1, sizeof(*cl));

    if (!cl) {
        (void)close(fd);
        return -ENOMEM;
    }
    *cl = (struct control_client){
        .control = c,
        .io = {.fd = fd, .fn = on_client},
        .timer = {.fn = on_client_timer},
    };
    list_init(&cl->waits);
    list_init(&cl->follower.link);
    list_append(&c->clients, &cl->link);
    c->n_clients++;
    int r = loop_io_add(c->court->realm.loop, &cl->io, EPOLLIN);
    if (r == 0)
        r = update(cl);
    if (r < 0)
        client_free(cl);
    return r;
}

/* Root, and who the Emperor is. */
static bool may_enter(struct control *c, int fd)
{
    static const char answer[] = "{\"v\":1,\"ok\":false,\"error\":\"only root and the user of the "
                                 "Emperor may use this socket\"}\n";
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t len = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
        (peer.uid == 0 || peer.uid == geteuid()))
        return true;
    if (log_limit_allows(&c->refusals, clock_now_us()))
        log_warning("emperor-control: refused process %d of user %u", (int)peer.pid, peer.uid);
    (void)!send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    return false;
}

static void on_connection(struct loop_io *io, uint32_t events)
{
    struct control *c = container_of(io, struct control, io);
    int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)events;
    if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
        return;
    if (fd >= 0 && !may_enter(c, fd)) {
        (void)close(fd);
        return;
    }
    int r = fd < 0 ? -errno : client_new(c, fd);
    if (r < 0) {
        (void)log_errno(LOG_WARNING, r,
                        "emperor-control: cannot serve a client, none for a second");
        loop_timer_set(c->court->realm.loop, &c->pause,
                       loop_now_us(c->court->realm.loop) + PAUSE_US);
    }
    update_listening(c);
}

static void hear(struct vassal_realm *realm, struct vassal *v)
{
    (void)realm;
    control_command_hear(v);
}

static void hear_of_memory(void *data)
{
    struct control *c = data;

    LIST_FOREACH (it, &c->clients)
        control_command_look(container_of(it, struct control_client, link));
}

int control_check_address(const char *path, struct addr *ret, struct errmsg *err)
{
    const char *file = NULL;
    int r = addr_parse(path, ret, err);

    if (r == 0 && !addr_path(ret, &file))
        r = errmsg_set(err, -EINVAL,
                       "%s is not the path of a socket, as /run/liege/control.sock is", path);
    return r < 0 ? errmsg_prefix(err, r, "emperor-control") : 0;
}

static int listen_at(struct control *c, const char *path, const struct cred *owner,
                     const struct sock_kept *kept, struct errmsg *err)
{
    const struct sock_options options = {.backlog = BACKLOG,
                                         .mode = 0600,
                                         .uid = owner->set_uid ? owner->uid : (uid_t)-1,
                                         .gid = owner->set_gid ? owner->gid : (gid_t)-1,
                                         .kept = kept};
    int r = control_check_address(path, &c->addr, err);

    if (r < 0)
        return r;
    r = c->io.fd = sock_listen(&c->addr, &options, &c->file, err);
    if (r < 0)
        return errmsg_prefix(err, r, "emperor-control");
    r = loop_io_add(c->court->realm.loop, &c->io, EPOLLIN);
    return r < 0 ? errmsg_set_errno(err, r, "emperor-control: cannot listen on %s", path) : 0;
}

struct sock_kept control_socket(const struct control *c)
{
    return (struct sock_kept){.fd = c->io.fd, .file = c->file};
}

int control_new(struct court *court, const char *path, const struct cred *owner,
                const struct sock_kept *kept, struct control **ret, struct errmsg *err)
{
    struct control *c = calloc(1, sizeof(*c));

    if (!c)
        return errmsg_set_errno(err, -ENOMEM, "emperor-control");
    *c = (struct control){
        .court = court,
        .io = {.fd = -1, .fn = on_connection},
        .pause = {.fn = on_pause_over},
    };
    list_init(&c->clients);
    loop_task_init(&c->task, on_task);
    int r = listen_at(c, path, owner, kept, err);
    if (r < 0) {
        (void)control_free(c);
        return r;
    }
    court->realm.on_state = hear;
    court->memory->on_end = hear_of_memory;
    court->memory->data = c;
    *ret = c;
    return 0;
}

struct control *control_free(struct control *c)
{
    const char *path = NULL;

    if (!c)
        return NULL;
    c->court->realm.on_state = NULL;
    c->court->memory->on_end = NULL;
    LIST_FOREACH (it, &c->clients)
        client_free(container_of(it, struct control_client, link));
    loop_task_cancel(&c->task);
    loop_timer_clear(c->court->realm.loop, &c->pause);
    if (c->io.fd >= 0) {
        loop_io_remove(c->court->realm.loop, &c->io);
        (void)close(c->io.fd);
        if (addr_path(&c->addr, &path))
            sock_unlink(path, &c->file);
    }
    free(c);
    return NULL;
}
