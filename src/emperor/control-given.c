/* SPDX-License-Identifier: MIT */
/* The commands that give the Emperor a configuration that is in no file, and take it back. Called
 * by control-command.c. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "emperor/control-private.h"
#include "emperor/monitor-given.h"

/* The vassal that it is has another name if that one is taken. */
int control_given_add(struct control_client *cl, struct errmsg *err)
{
    struct control_request *r = &cl->request;
    const struct monitor_item *item = NULL;
    const char *text = buf_len(&cl->in) > 0 ? buf_at(&cl->in) : "";

    if (cl->control->court->closing)
        return errmsg_set(err, -ESHUTDOWN, "the Emperor stops");
    int ret = monitor_given_put(cl->control->court->given, r->vassal, text, r->bytes, r->socket,
                                &item, err);
    if (ret < 0)
        return ret;
    const struct vassal *v = item->owner;
    if (!v)
        return errmsg_set(err, -EEXIST, "%s cannot be a vassal now: the Emperor's log says why",
                          r->vassal);
    (void)snprintf(r->vassal, sizeof(r->vassal), "%s", v->id);
    return 0;
}

int control_given_remove(struct control_client *cl, struct errmsg *err)
{
    const struct court *c = cl->control->court;
    const struct vassal *v = hash_get(&c->vassals, cl->request.vassal);

    if (monitor_given_remove(c->given, cl->request.vassal) == 0)
        return 0;
    if (v)
        return errmsg_set(err, -EINVAL, "%s is the configuration of %s: remove that", v->path,
                          v->id);
    return errmsg_set(err, -ENOENT, "no configuration called %s was added", cl->request.vassal);
}
