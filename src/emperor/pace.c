/* SPDX-License-Identifier: MIT */
/* Turns are given from a task of the loop, so that whoever gets one may ask for another, or be
 * freed, while the list is not being walked; one in a round, for a start takes milliseconds when
 * the Emperor has many descriptors. Used by vassal.c. */
#include "emperor/pace.h"

static void grant(struct loop_task *task)
{
    struct pace *p = container_of(task, struct pace, grant);
    struct list *first = list_first(&p->waiting);

    if (!first || p->n_taken >= p->limit)
        return;
    list_remove(first);
    p->on_turn(container_of(first, struct turn, link));
    if (!list_empty(&p->waiting))
        loop_task_queue(p->loop, task);
}

static void give_back(struct turn *t)
{
    if (!loop_timer_is_set(&t->over))
        return;
    loop_timer_clear(t->pace->loop, &t->over);
    t->pace->n_taken--;
    if (!list_empty(&t->pace->waiting))
        loop_task_queue(t->pace->loop, &t->pace->grant);
}

static void on_over(struct loop_timer *timer)
{
    struct turn *t = container_of(timer, struct turn, over);

    loop_timer_set(t->pace->loop, timer, UINT64_MAX); /* it is set while the turn is had */
    give_back(t);
}

void pace_init(struct pace *p, struct loop *l, unsigned limit, void (*on_turn)(struct turn *t))
{
    *p = (struct pace){.loop = l, .limit = limit, .on_turn = on_turn};
    list_init(&p->waiting);
    loop_task_init(&p->grant, grant);
}

void pace_done(struct pace *p)
{
    loop_task_cancel(&p->grant);
}

void turn_init(struct turn *t, struct pace *p)
{
    *t = (struct turn){.pace = p, .over.fn = on_over};
    list_init(&t->link);
}

void turn_wait(struct turn *t, bool in_front)
{
    struct pace *p = t->pace;

    if (!list_empty(&t->link))
        return;
    list_append(in_front ? p->waiting.next : &p->waiting, &t->link);
    loop_task_queue(p->loop, &p->grant);
}

bool turn_is_free(const struct turn *t)
{
    return t->pace->n_taken < t->pace->limit && list_empty(&t->pace->waiting);
}

void turn_take(struct turn *t, uint64_t patience_us)
{
    list_remove(&t->link);
    if (!loop_timer_is_set(&t->over))
        t->pace->n_taken++;
    loop_timer_set(t->pace->loop, &t->over, loop_now_us(t->pace->loop) + patience_us);
}

void turn_expect(struct turn *t, uint64_t patience_us)
{
    if (loop_timer_is_set(&t->over))
        loop_timer_set(t->pace->loop, &t->over, loop_now_us(t->pace->loop) + patience_us);
}

void turn_end(struct turn *t)
{
    list_remove(&t->link);
    give_back(t);
}
