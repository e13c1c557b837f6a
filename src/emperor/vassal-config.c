/* SPDX-License-Identifier: MIT */
/* When a text is sent: at the start, and whenever the vassal asks for it again, which it does
 * before it reloads. How it is sent is config-push.c's business. A vassal that breaks its pipe
 * cannot reload any more, and says so itself. Used by vassal.c and vassal-talk.c. */
#include "emperor/vassal-config.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "emperor/config-push.h"

struct vassal_config {
    struct config_push push;
    struct vassal *vassal;
    uint64_t stamp_ns; /* of the text that was queued last */
};

static void on_event(struct config_push *p, enum config_push_event event, int error)
{
    const struct vassal *v = container_of(p, struct vassal_config, push)->vassal;

    if (event == CONFIG_PUSH_TAKEN)
        log_debug("vassal %s: it has its configuration", v->id);
    else if (event == CONFIG_PUSH_CLOSED && error < 0)
        (void)log_errno(LOG_WARNING, error, "vassal %s: its configuration pipe is broken", v->id);
}

int vassal_config_adopt(struct vassal *v, int fd)
{
    struct vassal_config *c = calloc(1, sizeof(*c));

    if (!c) {
        (void)close(fd);
        return -ENOMEM;
    }
    c->vassal = v;
    config_push_init(&c->push, on_event);
    v->config = c;
    return config_push_open(&c->push, v->realm->loop, fd);
}

int vassal_config_open(struct vassal *v, int fd)
{
    int r = vassal_config_adopt(v, fd);

    if (r == 0)
        vassal_config_send(v);
    return r;
}

void vassal_config_send(struct vassal *v)
{
    const struct monitor_item *item = vassal_item(v);

    if (!v->config || !item || !item->config)
        return; /* it has a file */
    /* A vassal can ask faster than texts are copied. */
    if (config_push_has_waiting(&v->config->push) && v->config->stamp_ns == item->stamp.mtime_ns)
        return;
    int r = config_push_send(&v->config->push, item->config, item->config_len);
    v->config->stamp_ns = item->stamp.mtime_ns;
    if (r < 0 && log_limit_allows(&v->complaints, clock_now_us()))
        (void)log_errno(LOG_ERR, r, "vassal %s: cannot send its configuration", v->id);
}

int vassal_config_fd(const struct vassal *v)
{
    return v->config && !config_push_is_busy(&v->config->push) ? v->config->push.io.fd : -1;
}

int vassal_config_take(struct vassal *v)
{
    int fd = vassal_config_fd(v);

    if (fd >= 0) {
        loop_io_remove(v->realm->loop, &v->config->push.io);
        v->config->push.io.fd = -1;
    }
    vassal_config_close(v);
    return fd;
}

void vassal_config_close(struct vassal *v)
{
    if (!v->config)
        return;
    config_push_close(&v->config->push);
    free(v->config);
    v->config = NULL;
}
