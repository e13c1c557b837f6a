/* SPDX-License-Identifier: MIT */
/* Two masters know each other by a channel: its end is the other's end. The newer one is the older
 * one's child as well, so it is reaped here, and its end is told with how it came about; but for
 * the one that an Emperor has started in our place. Neither dies with the other. */
#include "instance/partner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/proc.h"
#include "base/strv.h"
#include "conf/source-cache.h"

static void end(struct partner *p, const char *how)
{
    struct partner was = *p;

    channel_close(&p->channel);
    p->exists = false;
    p->pid = 0;
    p->older = p->serves = p->shares_queue = false;
    p->on_end(p->data, &was, how);
}

static int on_serves(struct channel *c, struct message *m)
{
    struct partner *p = container_of(c, struct partner, channel);

    p->serves = true;
    p->pid = m->sender;
    p->shares_queue = m->value == 1;
    p->on_serves(p->data);
    return 0;
}

/* clang-format off */
static const struct channel_rule rules[TAKEOVER_TYPE_COUNT] = {
    [TAKEOVER_SERVES] = { .handler = on_serves },
};
/* clang-format on */

static void on_channel_closed(struct channel *c, int error)
{
    struct partner *p = container_of(c, struct partner, channel);

    (void)error;
    if (p->child.proc.pid == 0) /* else its end is seen by the process */
        end(p, "ended");
}

static void on_child_end(struct loop_child *child, const siginfo_t *info)
{
    struct partner *p = container_of(child, struct partner, child);
    char text[96];

    end(p, proc_describe_end(info, text, sizeof(text)));
}

void partner_init(struct partner *p, void (*serves)(void *data),
                  void (*ended)(void *data, const struct partner *was, const char *how), void *data)
{
    *p = (struct partner){.channel.io.fd = -1, .on_serves = serves, .on_end = ended, .data = data};
    loop_child_init(&p->child, on_child_end);
}

void partner_done(struct partner *p)
{
    if (p->channel.loop)
        channel_close(&p->channel);
    else
        closep(&p->channel.io.fd);
    p->channel.io.fd = -1;
    loop_child_done(&p->child);
    p->exists = false;
    p->pid = 0;
}

enum { CHANNEL_FD = STDERR_FILENO + 1, SOURCES_FD };

/* @has_sources: SOURCES_FD will be open. */
static int make_environment(const char *const *environ, bool has_sources, struct liege_list *ret)
{
    int r = strv_appendf(ret, "%s=%d", TAKEOVER_ENV_FD, CHANNEL_FD);

    if (r == 0 && has_sources)
        r = strv_appendf(ret, "%s=%d", SOURCE_CACHE_ENV, SOURCES_FD);
    for (size_t i = 0; environ[i] && r == 0; i++)
        if (!str_starts(environ[i], "WATCHDOG_PID=")) /* it will be another one's to prove itself */
            r = strv_append(ret, environ[i]);
    return r;
}

/* Runs the program with its end of the channel, and with what cannot be read again of the
 * configuration, as the first descriptors after the standard ones. */
static int spawn(const char *program, const struct registry_input *input, int channel_fd,
                 struct proc *ret)
{
    _cleanup_(strv_done) struct liege_list args = {0}, env = {0};
    _cleanup_close_ int sources_fd = source_cache_seal(input->sources, true);

    if (sources_fd < 0 && sources_fd != -ENODATA)
        return sources_fd;
    int r = strv_copy(&args, input->argv);
    if (r == 0)
        r = make_environment(input->environ, sources_fd >= 0, &env);
    if (r < 0)
        return -ENOMEM;
    const int fds[] = {channel_fd, sources_fd};
    const struct proc_exec exec = {
        .path = program,
        .argv = args.items,
        .envp = env.items,
        .fds = fds,
        .n_fds = COUNT_OF(fds),
        .first_fd = CHANNEL_FD,
        .stays = true,
    };
    return proc_spawn(&exec, ret);
}

int partner_start(struct partner *p, struct loop *loop, const char *program,
                  const struct registry_input *input, const struct listeners *l,
                  const struct queue *q)
{
    int fds[2];
    int r = message_socketpair(fds);

    if (r < 0)
        return r;
    _cleanup_close_ int ours = fds[0], theirs = fds[1];
    r = takeover_send(ours, l, q);
    if (r == 0)
        r = spawn(program, input, theirs, &p->child.proc);
    if (r < 0)
        return r;
    p->exists = true;
    p->pid = p->child.proc.pid;
    p->older = false;
    r = channel_open(&p->channel, loop, TAKE_FD(ours), rules, COUNT_OF(rules), on_channel_closed);
    if (r == 0)
        r = loop_child_watch(loop, &p->child);
    if (r < 0) {
        (void)proc_signal(&p->child.proc, SIGKILL); /* unwatched it could not be told apart */
        partner_done(p);
    }
    return r;
}

int partner_give_way(struct partner *p, struct loop *loop, int fd, const struct listeners *l,
                     const struct queue *q)
{
    _cleanup_close_ int ours = fd;
    int r = takeover_send(ours, l, q);

    if (r == 0)
        r = channel_open(&p->channel, loop, TAKE_FD(ours), rules, COUNT_OF(rules),
                         on_channel_closed);
    p->exists = r == 0;
    p->older = false;
    return r;
}

int partner_join(struct partner *p, int fd, struct listeners *ret_listeners,
                 struct queue *ret_queue, struct errmsg *err)
{
    p->channel.io.fd = fd;
    p->older = true;
    int r = takeover_receive(fd, ret_listeners, ret_queue, &p->pid, err);
    p->exists = r == 0;
    p->shares_queue = r == 0 && ret_queue->board;
    p->serves = r == 0;
    return r;
}

int partner_watch(struct partner *p, struct loop *loop)
{
    if (!partner_exists(p))
        return 0;
    return channel_open(&p->channel, loop, p->channel.io.fd, rules, COUNT_OF(rules),
                        on_channel_closed);
}

void partner_say_serves(const struct partner *p)
{
    const struct message m = {.type = TAKEOVER_SERVES, .value = p->shares_queue};

    if (partner_exists(p) && p->older)
        (void)!message_send(p->channel.io.fd, &m); /* it has ended, or is about to */
}
