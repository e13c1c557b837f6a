/* SPDX-License-Identifier: MIT */
/* Lines come in by two ways. A SEQPACKET pair that all processes of the instance share takes what
 * is lines already (base/log.c, the access log): a packet is whole, whoever else writes. A pipe for
 * each process takes what it prints, which may be anything: it is cut into lines here. */
#include "instance/logger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

#define PIPE_BYTES (1 << 20)
#define LINE_BYTES ((size_t)4096) /* of what is printed; longer ones become several */
#define FLUSH_US   (2 * US_PER_SEC)
#define ROOM_BYTES (4 * 1024 * 1024)

struct capture {
    struct loop_io io;
    struct list link;
    struct logger *logger;
    char name[160];
    size_t len;
    char line[LINE_BYTES];
};

/* Captures */

static void free_capture(struct capture *c)
{
    loop_io_remove(c->logger->loop, &c->io);
    closep(&c->io.fd);
    list_remove(&c->link);
    free(c);
}

static void put_line(struct capture *c)
{
    char line[LINE_BYTES + 256];

    size_t len = log_line(line, sizeof(line), LOG_INFO, "%s%.*s", c->name, (int)c->len, c->line);
    log_writer_put(c->logger->writer, line, len);
    c->len = 0;
}

/* What a process prints may hold zeros: they would end the line in a reader's eyes. */
static void take(struct capture *c, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] == '\n' || c->len == sizeof(c->line))
            put_line(c);
        if (data[i] != '\n')
            c->line[c->len++] = (char)(data[i] == '\0' ? '?' : data[i]);
    }
}

/* Returns false at the end, or when nothing more is there. */
static bool take_some(struct capture *c, bool *ret_ended)
{
    char data[16384];

    ssize_t n = read(c->io.fd, data, sizeof(data));
    *ret_ended = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
    if (n > 0)
        take(c, data, (size_t)n);
    return n > 0;
}

/* What was printed without an end of line is a line, too. */
static void end_capture(struct capture *c)
{
    if (c->len > 0)
        put_line(c);
    free_capture(c);
}

static void on_output(struct loop_io *io, uint32_t events)
{
    struct capture *c = container_of(io, struct capture, io);
    bool ended = false;

    (void)events;
    (void)take_some(c, &ended);
    if (ended)
        end_capture(c);
}

int logger_capture(struct logger *l, const char *name)
{
    int fds[2];

    if (!logger_exists(l))
        return -1;
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    struct capture *c = calloc(1, sizeof(*c));
    int r = c ? fd_set_nonblock(fds[0], true) : -ENOMEM;
    if (r == 0) {
        *c = (struct capture){.io = {.fd = fds[0], .fn = on_output}, .logger = l};
        (void)snprintf(c->name, sizeof(c->name), "%s: ", name);
        (void)fcntl(fds[0], F_SETPIPE_SZ, PIPE_BYTES); /* a larger one is only better */
        r = loop_io_add(l->loop, &c->io, EPOLLIN);
    }
    if (r < 0) {
        free(c);
        (void)close(fds[0]);
        (void)close(fds[1]);
        return r;
    }
    list_append(&l->captures, &c->link);
    return fds[1];
}

/* Lines */

static void note_lost(struct logger *l)
{
    uint64_t n = atomic_load_explicit(l->n_lost, memory_order_relaxed);

    if (n == l->n_noted)
        return;
    log_writer_note_lost(l->writer, n - l->n_noted);
    l->n_noted = n;
}

/* Returns false when there is nothing more. Only a packet of one line can be too long, for lines
 * are sent together up to PIPE_BUF: that line is lost, for a part of it would be no line. */
static bool take_packet(struct logger *l)
{
    static char packet[LOG_PUT_MAX_BYTES]; /* of the master alone */

    ssize_t n = recv(l->intake.fd, packet, sizeof(packet), MSG_DONTWAIT | MSG_TRUNC);
    if (n <= 0)
        return false;
    if ((size_t)n > sizeof(packet))
        log_writer_note_lost(l->writer, 1);
    else
        log_writer_put(l->writer, packet, (size_t)n);
    return true;
}

static void on_lines(struct loop_io *io, uint32_t events)
{
    struct logger *l = container_of(io, struct logger, intake);

    (void)events;
    for (int i = 0; i < 64 && take_packet(l); i++)
        ;
    note_lost(l);
}

/* Beginning and end */

void logger_init(struct logger *l)
{
    *l = (struct logger){.intake = {.fd = -1, .fn = on_lines}, .give_fd = -1};
    list_init(&l->captures);
}

static int open_one(struct logger *l, const char *text, const struct cred *owner,
                    struct errmsg *err)
{
    struct log_sink *sinks = reallocarray(l->sinks, l->n_sinks + 1, sizeof(*sinks));

    if (!sinks)
        return errmsg_set(err, -ENOMEM, "out of memory");
    l->sinks = sinks;
    int r = log_sink_open(&l->sinks[l->n_sinks], text, owner, err);
    l->n_sinks += r == 0;
    return r;
}

int logger_open(struct logger *l, const struct instance_conf *conf, bool late,
                const struct cred *owner, struct errmsg *err)
{
    const char *file = late ? conf->logto2 : conf->logto;
    int r = file ? open_one(l, file, owner, err) : 0;

    for (size_t i = 0; r == 0 && !late && i < conf->loggers.n_items; i++)
        r = open_one(l, conf->loggers.items[i], owner, err);
    return r;
}

static int make_intake(struct logger *l)
{
    int fds[2], size = ROOM_BYTES;

    void *memory =
        mmap(NULL, sizeof(*l->n_lost), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return -errno;
    l->n_lost = memory;
    int r = fd_socketpair(SOCK_SEQPACKET | SOCK_NONBLOCK, fds);
    if (r < 0)
        return r;
    if (setsockopt(fds[1], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
        (void)setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    l->intake.fd = fds[0];
    l->give_fd = fds[1];
    return loop_io_add(l->loop, &l->intake, EPOLLIN);
}

int logger_start(struct logger *l, struct loop *loop)
{
    if (l->n_sinks == 0)
        return 0;
    l->loop = loop;
    int r = make_intake(l);
    if (r == 0)
        r = log_writer_start(l->sinks, l->n_sinks, &l->writer);
    if (r < 0)
        return r;
    l->n_sinks = 0; /* the writer's now */
    log_set_fd(l->give_fd, l->n_lost);
    return 0;
}

void logger_reopen(struct logger *l)
{
    if (logger_exists(l))
        log_writer_reopen(l->writer);
}

static void take_last_words(struct capture *c)
{
    bool ended = false;

    while (take_some(c, &ended))
        ;
    end_capture(c);
}

void logger_done(struct logger *l)
{
    if (logger_exists(l)) {
        while (take_packet(l))
            ;
        note_lost(l);
        log_set_fd(STDERR_FILENO, NULL);
        LIST_FOREACH (item, &l->captures)
            take_last_words(container_of(item, struct capture, link));
        loop_io_remove(l->loop, &l->intake);
        l->writer = log_writer_free(l->writer, FLUSH_US);
    }
    for (size_t i = 0; i < l->n_sinks; i++)
        log_sink_close(&l->sinks[i]);
    free(l->sinks);
    closep(&l->intake.fd);
    closep(&l->give_fd);
    if (l->n_lost)
        (void)munmap(l->n_lost, sizeof(*l->n_lost));
    logger_init(l);
}

void logger_enter(const struct logger *l, int output_fd)
{
    if (!logger_exists(l))
        return;
    log_set_fd(l->give_fd, l->n_lost);
    if (output_fd < 0)
        return;
    (void)dup2(output_fd, STDOUT_FILENO);
    (void)dup2(output_fd, STDERR_FILENO);
    if (output_fd > STDERR_FILENO)
        (void)close(output_fd);
}
