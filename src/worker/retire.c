/* SPDX-License-Identifier: MIT */
/* Memory is looked at after a request, at most once a second (resident pages: /proc/self/statm) or
 * once in ten (proportional share: /proc/self/smaps_rollup, which takes milliseconds in a large
 * process). */
#include "worker/retire.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/meminfo.h"
#include "ipc/family.h"
#include "worker/worker-private.h"

#define AGAIN_US    (10 * US_PER_SEC) /* when nothing has come of it */
#define LOOK_RSS_US US_PER_SEC
#define LOOK_PSS_US (10 * US_PER_SEC)
#define MIB         (1024ULL * 1024)

static void ask(const struct worker *w, const char *why)
{
    if (w->draining || w->stopping)
        return;
    if (message_send_text(w->channel.io.fd, FAMILY_RETIRES, 0, why) < 0)
        log_debug("the master does not listen");
}

static void check(struct worker *w, const char *what, uint64_t bytes, uint64_t max)
{
    char why[160];

    if (max == 0 || bytes <= max)
        return;
    (void)snprintf(why, sizeof(why), "%s is %llu MiB, more than %llu", what,
                   (unsigned long long)(bytes / MIB), (unsigned long long)(max / MIB));
    ask(w, why);
    w->retire.look_us = loop_now_us(w->loop) + AGAIN_US;
}

static void look_at_memory(struct worker *w)
{
    const struct worker_conf *conf = w->conf;
    uint64_t now_us = loop_now_us(w->loop);

    if ((conf->reload_on_rss == 0 && conf->reload_on_pss == 0) || now_us < w->retire.look_us)
        return;
    w->retire.look_us = now_us + (conf->reload_on_pss != 0 ? LOOK_PSS_US : LOOK_RSS_US);
    if (conf->reload_on_rss != 0)
        check(w, "its resident memory", meminfo_get(getpid()).resident_bytes, conf->reload_on_rss);
    if (conf->reload_on_pss != 0)
        check(w, "its share of memory (PSS)", meminfo_get_shares(getpid()).pss_bytes,
              conf->reload_on_pss);
}

void retire_on_answer(struct worker *w)
{
    if (w->retire.at_requests != 0 && w->n_requests >= w->retire.at_requests) {
        w->retire.at_requests += w->conf->max_requests;
        ask(w, "");
    }
    look_at_memory(w);
}

static void on_lifetime(struct loop_timer *t)
{
    struct worker *w = container_of(t, struct worker, retire.timer);

    ask(w, "");
    loop_timer_set(w->loop, t, loop_now_us(w->loop) + AGAIN_US);
}

void retire_start(struct worker *w)
{
    const struct worker_conf *conf = w->conf;
    const uint64_t id = (uint64_t)w->start->id;

    w->retire = (struct retire){.timer.fn = on_lifetime};
    if (conf->max_requests > 0)
        w->retire.at_requests = conf->max_requests + conf->max_requests_delta * id;
    if (conf->max_worker_lifetime_us > 0)
        loop_timer_set(w->loop, &w->retire.timer,
                       loop_now_us(w->loop) + conf->max_worker_lifetime_us +
                           conf->max_worker_lifetime_delta_us * id);
}
