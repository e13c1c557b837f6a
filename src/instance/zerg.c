/* SPDX-License-Identifier: MIT */
/* An instance that serves on the sockets of another one. What comes may be anything: a descriptor
 * that is no listening stream socket is closed, and the log says so. */
#include "instance/zerg.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "conf/settings.h"
#include "ipc/zerg.h"

#define WAIT_US (2 * US_PER_SEC)

/* Takes over the @n descriptors @fds. Returns how many of them are of use. */
static size_t take(const char *address, const int *fds, int n, struct listeners *ret)
{
    size_t n_good = 0;

    for (int i = 0; i < n; i++) {
        struct errmsg why = {""};
        if (listeners_give(ret, fds[i], -1, &why) == 0)
            n_good++;
        else
            log_warning("zerg = %s: %s", address, why.text);
    }
    return n_good;
}

static int attach(const char *address, struct listeners *ret, struct errmsg *err)
{
    int fds[ZERG_MAX_FDS];
    int n = zerg_ask(address, WAIT_US, fds, err);

    if (n < 0)
        return errmsg_prefix(err, n, "zerg");
    if (take(address, fds, n, ret) > 0)
        return 0;
    return errmsg_set(err, -ENOENT, "zerg: there is no socket to be had from %s", address);
}

int zerg_attach(const struct registry *r, bool have_some, struct listeners *ret, struct errmsg *err)
{
    for (size_t i = 0; i < r->instance.zergs.n_items; i++) {
        const char *address = r->instance.zergs.items[i];
        const struct conf_setting *s = registry_find_setting(r, "zerg", address);
        int e = attach(address, ret, err);

        if (e < 0 && s)
            (void)setting_blame(s, e, err);
        if (e < 0 && !have_some && !r->instance.zerg_fallback)
            return e;
        if (e < 0)
            log_warning("%s: %s", err->text,
                        have_some ? "the sockets of the old master are there"
                                  : "the sockets that this configuration names are used");
    }
    return 0;
}
