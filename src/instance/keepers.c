/* SPDX-License-Identifier: MIT */
/* A keeper is a child of the master that no slot knows: its worker has started it, and it is still
 * there for a moment when that one has gone. */
#include "instance/keepers.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "loop/child.h"

struct item {
    struct list link;
    struct keepers *keepers;
    struct loop_child child;
};

static void remove_item(struct item *i)
{
    list_remove(&i->link);
    loop_child_done(&i->child);
    free(i);
}

static void on_child_end(struct loop_child *child, const siginfo_t *end)
{
    struct item *i = container_of(child, struct item, child);
    const struct keepers *k = i->keepers;

    (void)end;
    remove_item(i);
    k->on_end(k->data);
}

void keepers_init(struct keepers *k, struct loop *loop, void (*on_end)(void *data), void *data)
{
    *k = (struct keepers){.loop = loop, .on_end = on_end, .data = data};
    list_init(&k->list);
}

void keepers_done(struct keepers *k)
{
    LIST_FOREACH (link, &k->list)
        remove_item(container_of(link, struct item, link));
}

int keepers_add(struct keepers *k, pid_t pid)
{
    struct item *i = malloc(sizeof(*i));

    if (!i)
        return -ENOMEM;
    *i = (struct item){.keepers = k};
    list_append(&k->list, &i->link);
    loop_child_init(&i->child, on_child_end);
    int r = proc_adopt(pid, &i->child.proc);
    if (r == 0)
        r = loop_child_watch(k->loop, &i->child);
    if (r < 0)
        remove_item(i);
    return r;
}

void keepers_kill(const struct keepers *k)
{
    LIST_FOREACH (link, &k->list)
        (void)proc_signal(&container_of(link, struct item, link)->child.proc, SIGKILL);
}

bool keepers_have_pid(const struct keepers *k, pid_t pid)
{
    LIST_FOREACH (link, &k->list)
        if (container_of(link, struct item, link)->child.proc.pid == pid)
            return true;
    return false;
}
