/* SPDX-License-Identifier: MIT */
/* What a vassal's past leads to: whether an end was early, how long the next start waits, and how
 * much is said of one that does nothing but die. Used by vassal.c. */
#include "emperor/vassal-past.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

#define EXIT_EXILED    26               /* uWSGI's code for: do not start me again */
#define PROVEN_US      (3 * US_PER_SEC) /* ready this long, a vassal has earned a restart at once */
#define FIRST_DELAY_US (3 * US_PER_SEC)
#define BRIEF_LIVES    5 /* in a row, after which hardly anything is logged about them */
#define SHORT_LIFE_US  (1 * US_PER_SEC) /* from start to end; the throttle is for such */

static bool is_proven(const struct vassal *v)
{
    uint64_t now = loop_now_us(v->realm->loop);

    return v->life.loyal || (v->life.ready_mono_us > 0 && now >= v->life.ready_mono_us + PROVEN_US);
}

/* The back-off that follows on one of @delay_us. */
static uint64_t longer_delay(const struct emperor_conf *c, uint64_t delay_us)
{
    return MIN(delay_us == 0 ? FIRST_DELAY_US : delay_us + c->throttle_us, c->max_throttle_us);
}

/* A reinforcement has ended, and is not started again. The next call for one would bring it back at
 * once: that is what waits if this one was of no use. */
void vassal_past_tell_lord(struct vassal *v)
{
    struct vassal *lord = v->lord;
    uint64_t now = clock_now_us();
    bool was_idle = v->state == VASSAL_RETIRING && now - v->life.asked_mono_us >= SHORT_LIFE_US;

    if (lord && (was_idle || is_proven(v))) {
        lord->sos_delay_us = 0;
    } else if (lord && now >= lord->sos_ignored_till) {
        lord->sos_delay_us = longer_delay(v->realm->conf, lord->sos_delay_us);
        lord->sos_ignored_till = now + lord->sos_delay_us;
        log_warning("vassal %s: is not reinforced for %.1f s, %s has ended too early", lord->id,
                    (double)lord->sos_delay_us / US_PER_SEC, v->id);
    }
}

/* It is going to be started again without a back-off. */
static void count_life(struct vassal *v)
{
    if (!v->broke_off || clock_now_us() - v->life.asked_mono_us >= PROVEN_US) {
        v->n_brief = 0;
        return;
    }
    if (++v->n_brief == BRIEF_LIVES)
        log_warning("vassal %s: has died %d times in a row soon after its start: from now on one "
                    "end of %d is logged",
                    v->id, BRIEF_LIVES, BRIEF_LIVES);
}

/* Which of the ends it was. */
enum vassal_event vassal_past_judge(struct vassal *v, const siginfo_t *end)
{
    bool proven = is_proven(v);
    /* Who asks to be stopped and leaves the connection that it was started for would be started for
     * it at once, again and again. */
    bool told = v->state == VASSAL_RESTARTING || (v->state == VASSAL_RETIRING && !v->demand);

    v->broke_off = !told && !(proven && v->state == VASSAL_RETIRING);
    if (end->si_code == CLD_EXITED && end->si_status == EXIT_EXILED)
        return VASSAL_ENDED_EXILED;
    if (proven) {
        v->delay_us = 0;
        v->n_early = 0;
    } else if (!told && !v->realm->conf->no_blacklist) {
        return VASSAL_ENDED_EARLY;
    }
    count_life(v);
    return v->demand ? VASSAL_CAN_SLEEP : VASSAL_ENDED;
}

/* The back-off of one more early end. */
void vassal_past_raise_delay(struct vassal *v)
{
    v->last_early = time(NULL);
    if (v->n_early++ == 0)
        v->first_early = v->last_early;
    v->delay_us = longer_delay(v->realm->conf, v->delay_us);
}

void vassal_past_forgive(struct vassal *v)
{
    v->delay_us = 0;
    v->n_early = 0;
    v->n_brief = 0;
    v->sos_delay_us = 0;
    v->sos_ignored_till = 0;
    v->failed_serial = 0;
}

/* One on demand that broke off has left the connection that it was started for, perhaps: it would
 * be called by it again and again. Who went to sleep as it should is not kept waiting. */
bool vassal_past_is_throttled(const struct vassal *v, enum vassal_event event,
                              enum vassal_action action)
{
    if (action == VASSAL_QUEUE && event == VASSAL_CALLED && v->broke_off &&
        clock_now_us() - v->life.asked_mono_us < SHORT_LIFE_US)
        return true;
    bool is_new = v->first_run == 0 && (v->state != VASSAL_WAITING || event == VASSAL_BASE_CAME);
    return action == VASSAL_THROTTLE ||
           (action == VASSAL_QUEUE && v->realm->conf->throttle_new && is_new);
}

/* That one is started again which does nothing but die is not worth a line, nor is each end. */
static bool is_left_out(const struct vassal *v, enum vassal_state old, enum vassal_state next)
{
    bool ran = old == VASSAL_STARTING || old == VASSAL_READY || old == VASSAL_LOST;
    bool waits = old == VASSAL_WAITING || old == VASSAL_ASLEEP;
    bool goes_on = next == VASSAL_WAITING || next == VASSAL_STARTING || next == VASSAL_ASLEEP;

    if (v->n_brief < BRIEF_LIVES)
        return false;
    if (ran && goes_on)
        return v->n_brief % BRIEF_LIVES != 0;
    return (waits && goes_on) || (old == VASSAL_STARTING && next == VASSAL_READY);
}

void vassal_past_on_lasts(struct loop_timer *t)
{
    struct vassal *v = container_of(t, struct vassal, lasts);
    enum vassal_state old = v->state == VASSAL_READY ? VASSAL_STARTING : VASSAL_WAITING;

    log_info("vassal %s: %s -> %s, %s; such lines about %u short lives were left out", v->id,
             vassal_state_name(old), vassal_state_name(v->state), v->reason,
             v->n_brief - BRIEF_LIVES);
    v->n_brief = 0;
}

void vassal_past_log(struct vassal *v, enum vassal_state old, const char *reason)
{
    struct loop *l = v->realm->loop;

    loop_timer_clear(l, &v->lasts);
    if (!is_left_out(v, old, v->state))
        log_info("vassal %s: %s -> %s, %s", v->id, vassal_state_name(old),
                 vassal_state_name(v->state), reason);
    else if (v->state == VASSAL_STARTING || v->state == VASSAL_READY)
        loop_timer_set(l, &v->lasts, clock_now_us() + PROVEN_US);
}
