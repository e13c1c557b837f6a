/* SPDX-License-Identifier: MIT */
/* Who may ask is who we are the child of: the kernel says so of each connection, by a number that
 * nobody else can have while that process lives, and we do not outlive it. */
#include "instance/fork-server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "instance/generation.h"

static bool is_known(const struct fork_server *f, const struct ucred *peer)
{
    for (size_t i = 0; i < MIN(f->n_strangers, COUNT_OF(f->strangers)); i++)
        if (f->strangers[i].pid == peer->pid && f->strangers[i].uid == peer->uid)
            return true;
    return false;
}

/* Once for each of them is enough. */
static void refuse(struct fork_server *f, const struct ucred *peer)
{
    if (is_known(f, peer) || !local_server_may_log(&f->server))
        return;
    f->strangers[f->n_strangers++ % COUNT_OF(f->strangers)] = *peer;
    log_warning("%s: process %d of user %d is refused: only the Emperor has vassals forked",
                f->server.option, (int)peer->pid, (int)peer->uid);
}

static void serve(struct local_server *s, int fd, const struct ucred *peer)
{
    struct fork_server *f = container_of(s, struct fork_server, server);
    const struct generation *g = f->generation(f->data);

    if (peer->pid != f->emperor) {
        refuse(f, peer);
        return;
    }
    int r = g ? zygote_adopt(g->zygote, fd) : -ESRCH;
    if (r < 0) /* it learns by the closed connection, and asks again */
        (void)log_errno(LOG_WARNING, r, "%s: no vassal can be forked now", s->option);
}

void fork_server_init(struct fork_server *f, const struct generation *(*generation)(void *data),
                      void *data)
{
    *f = (struct fork_server){.server.io.fd = -1, .generation = generation, .data = data};
}

int fork_server_open(struct fork_server *f, const char *address, pid_t emperor, struct errmsg *err)
{
    if (emperor == 0)
        return errmsg_set(err, -EINVAL,
                          "fork-server: only an Emperor has vassals forked, and there is none");
    int r = local_server_open(&f->server, "fork-server", address, serve, err);
    if (r < 0)
        return r;
    f->emperor = emperor;
    /* The name under which everybody finds the socket, wherever they are. */
    f->address = address[0] == '@' ? strdup(address) : path_make_absolute(address);
    return f->address ? 0 : errmsg_set(err, -ENOMEM, "fork-server: no memory");
}

int fork_server_start(struct fork_server *f, struct loop *loop, struct errmsg *err)
{
    return fork_server_exists(f) ? local_server_start(&f->server, loop, err) : 0;
}

void fork_server_tell(const struct fork_server *f, const struct link *link)
{
    const struct generation *g = fork_server_exists(f) ? f->generation(f->data) : NULL;

    if (fork_server_exists(f))
        link_status(link, STATUS_BASE, g ? g->number : 0, f->address);
}

void fork_server_close(struct fork_server *f)
{
    local_server_close(&f->server);
    free(f->address);
    f->address = NULL;
}
