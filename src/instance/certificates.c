/* SPDX-License-Identifier: MIT */
/* Loading and keeping the TLS contexts of an instance. The master reads the files before it drops
 * its privileges, and again at each reload, with what privileges it has then. */
#include "instance/certificates.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

struct tls_context *certificates_find(const struct certificates *c, const char *text)
{
    for (size_t i = 0; c && i < c->n_items; i++)
        if (strcmp(tls_context_text(c->items[i]), text) == 0)
            return c->items[i];
    return NULL;
}

static int load_one(const char *text, const struct tls_ticket_key *key, struct tls_context **ret,
                    struct errmsg *err)
{
    struct tls_setting setting;
    int r = tls_setting_parse(text, &setting, err);

    if (r < 0)
        return r;
    r = tls_context_new(&setting, key, ret, err);
    tls_setting_done(&setting);
    return r;
}

int certificates_load(struct certificates *ret, const struct liege_list *settings,
                      const struct certificates *old, const struct tls_ticket_key *key,
                      struct errmsg *err)
{
    ret->items = calloc(settings->n_items + 1, sizeof(struct tls_context *));
    if (!ret->items)
        return errmsg_set(err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < settings->n_items; i++) {
        const char *text = settings->items[i];
        struct tls_context *kept = certificates_find(old, text), *c = NULL;
        int r = load_one(text, key, &c, err);

        if ((r == -EACCES || r == -EPERM) && kept) {
            log_warning("https-socket %s: %s: what was read with more privileges stays in use "
                        "until a restart",
                        text, err->text);
            c = tls_context_ref(kept);
        } else if (r < 0) {
            return errmsg_prefix(err, r, "https-socket");
        }
        ret->items[ret->n_items++] = c;
    }
    return 0;
}

void certificates_release(struct certificates *c)
{
    for (size_t i = 0; i < c->n_items; i++)
        (void)tls_context_unref(c->items[i]);
    free(c->items);
    *c = (struct certificates){0};
}
