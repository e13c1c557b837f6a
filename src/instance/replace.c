/* SPDX-License-Identifier: MIT */
/* Whom a worker is replaced by, and when: of one that leaves by itself at once, of those that want
 * to be replaced a few at a time, and in a renewal all of them by what the application is now. */
#include "instance/replace.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "instance/generation.h"

void generation_on_worker_leaves(struct generation *g, struct slot *s)
{
    struct slot *next = NULL;

    if (g->state != GENERATION_SERVING)
        return;
    if (generation_add_slot(g, s->id, &next) < 0) {
        (void)log_errno(LOG_ERR, ENOMEM, "worker %d cannot be replaced before it ends", s->id);
        return;
    }
    s->leaves = true;
    slot_handle(next, SLOT_START, "replaces the one that leaves");
}

/* Replaces those that want it, the oldest first, but no more than a tenth of all at a time: each is
 * two processes until its successor serves. */
void generation_on_worker_retires(struct generation *g)
{
    size_t n_leaving = 0, max = MAX(g->n_slots / 10, (size_t)1);

    FOR_EACH_SLOT (s, g)
        n_leaving += s->leaves && s->state != SLOT_EMPTY && (size_t)s->id <= g->n_slots;
    FOR_EACH_SLOT (s, g)
        if (s->retires && !s->leaves && s->state == SLOT_READY && n_leaving < max) {
            generation_on_worker_leaves(g, s);
            n_leaving += s->leaves;
        }
}

/* Renewal */

/* All workers that are there are replaced, in turn. */
static void retire_all(struct generation *g)
{
    FOR_EACH_SLOT (s, g)
        s->retires |= !s->leaves && s->state != SLOT_EMPTY && s->state != SLOT_BACKOFF;
    g->renewing = true;
    generation_on_worker_retires(g);
}

int generation_renew(struct generation *g)
{
    assert(g->state == GENERATION_SERVING);

    g->heir = zygote_free(g->heir); /* it came too late */
    if (g->lazy) {
        retire_all(g);
        return 0;
    }
    int r = zygote_new(g, &g->heir);
    if (r == 0)
        r = zygote_start(g->heir);
    if (r < 0)
        g->heir = zygote_free(g->heir);
    return r;
}

void generation_on_worker_warm(struct generation *g, const struct slot *s)
{
    if (g->state != GENERATION_SERVING || g->reforked || g->heir)
        return;
    g->reforked = true;
    log_info("generation %u: worker %d is warm, a copy of it shall be the zygote", g->number,
             s->id);
    int r = zygote_new(g, &g->heir);
    if (r == 0)
        r = zygote_promote(g->heir, s);
    if (r < 0) {
        (void)log_errno(LOG_WARNING, r, "worker %d cannot be asked to become the zygote", s->id);
        g->heir = zygote_free(g->heir);
    }
}

static bool is_forking(const struct generation *g)
{
    FOR_EACH_SLOT (s, g)
        if (s->state == SLOT_FORKING)
            return true;
    return false;
}

/* The heir takes over, unless the zygote still forks: that is a matter of milliseconds. */
static void succeed_if_ready(struct generation *g)
{
    if (!g->heir || !g->heir->loaded || g->state != GENERATION_SERVING || is_forking(g))
        return;
    (void)zygote_free(g->zygote);
    g->zygote = TAKE(g->heir, NULL);
    if (g->zygote->model != 0)
        log_info(
            "generation %u: a copy of worker %d, which is warm, is the zygote, the workers are "
            "replaced in turn",
            g->number, g->zygote->model);
    else
        log_info("generation %u: the application is loaded anew, its workers are replaced in turn",
                 g->number);
    g->reforked = g->zygote->model != 0;
    generation_on_loaded(g, g->zygote); /* others may have waited for a zygote */
    retire_all(g);
}

static void report_renewal(struct generation *g)
{
    if (!g->renewing || g->heir)
        return;
    FOR_EACH_SLOT (s, g)
        if (s->retires || s->leaves)
            return;
    g->renewing = false;
    log_info("generation %u: all workers are replaced", g->number);
}

static void give_up_if_ended(struct generation *g)
{
    if (!g->heir || !g->heir->ended)
        return;
    /* One that has been looked at is no better later; what only went wrong is tried again. */
    if (g->heir->model != 0 && !g->heir->refused)
        g->reforked = false;
    if (g->heir->model != 0)
        log_warning("generation %u: worker %d cannot become the zygote, all go on as they are: %s",
                    g->number, g->heir->model, g->heir->cause);
    else
        log_error("generation %u cannot be renewed, its workers go on as they are: %s", g->number,
                  g->heir->cause);
    g->heir = zygote_free(g->heir);
}

void replace_step(struct generation *g)
{
    give_up_if_ended(g);
    succeed_if_ready(g);
    report_renewal(g);
}
