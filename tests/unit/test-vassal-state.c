/* SPDX-License-Identifier: MIT */
/* Walks every cell of the table of a vassal's life. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#include "base/macro.h"
#include "emperor/vassal-state.h"

/* One letter an action, one line a state, one column an event, in the order of the enums: what has
 * to be done, as a second opinion on the table. */
static const char action_letters[] = {
    [VASSAL_IGNORE] = '.', [VASSAL_ENTER] = 'e', [VASSAL_SLEEP] = 'z',    [VASSAL_SLEEP_ON] = 'Z',
    [VASSAL_QUEUE] = 'q',  [VASSAL_AWAIT] = 'a', [VASSAL_THROTTLE] = 'h', [VASSAL_START] = 's',
    [VASSAL_RELOAD] = 'r', [VASSAL_STOP] = 't',  [VASSAL_CURSE] = 'c',    [VASSAL_DUMP] = 'u',
    [VASSAL_KILL] = 'k',   [VASSAL_DELAY] = 'd', [VASSAL_RELEASE] = 'x',
};

/* clang-format off */
static const struct {
    enum vassal_state state;
    /*                   added, changed, renewed, moved, removed, condemned, pardoned,
     *                   |        halted, resumed, called, turn, base newer, base came,
     *                   |        |       ready, kept, accepting, loyal, asked to stop, closed pipe,
     *                   |        |       |      silent, ended, early, exiled, can sleep, failed,
     *                   |        |       |      unborn, timer */
    const char *actions;
} rows[] = {
    { VASSAL_NEW,        "q...xx." "e....." "......" "....zd.." },
    { VASSAL_ASLEEP,     "q...xx." "eqq..." "......" "....Zd.." },
    { VASSAL_WAITING,    "....xxq" "e..s.q" "......" "....zd.q" },
    { VASSAL_STARTING,   ".kkktk." "t....." "e.eetc" "uhdezda." },
    { VASSAL_READY,      ".rqttk." "t...q." "....tc" "rhdezd.." },
    { VASSAL_OUTDATED,   ".r.ttk." "t..r.." "....tc" "rhdezd.." },
    { VASSAL_RELOADING,  ".rrttk." "t...r." "ee..tc" "uhdezd.." },
    { VASSAL_STOPPING,   "c....k." "......" "......" ".xxxxxxk" },
    { VASSAL_RESTARTING, "....ck." "c....." "......" ".qqqzdqk" },
    { VASSAL_RETIRING,   ".cccck." "cc...." "......" ".edezd.k" },
    { VASSAL_LOST,       ".kkkkk." "k....." "......" ".hdezd.k" },
    { VASSAL_BACKOFF,    "qqqqxxq" "eq...." "......" "....zd.h" },
    { VASSAL_RESTING,    "qqqqxx." "eq...." "......" "....zd.." },
    { VASSAL_HOLDING,    "....ck." ".c...." "......" ".eeeeeek" },
    { VASSAL_HELD,       "....xx." ".q...." "......" "....zd.." },
    { VASSAL_GONE,       "......." "......" "......" "........" },
};
/* clang-format on */

static bool has_process(enum vassal_state s)
{
    return s != VASSAL_NEW && s != VASSAL_ASLEEP && s != VASSAL_WAITING && s != VASSAL_BACKOFF &&
           s != VASSAL_RESTING && s != VASSAL_HELD && s != VASSAL_GONE;
}

static bool is_end(enum vassal_event e)
{
    return e == VASSAL_ENDED || e == VASSAL_ENDED_EARLY || e == VASSAL_ENDED_EXILED ||
           e == VASSAL_CAN_SLEEP || e == VASSAL_FAILED || e == VASSAL_UNBORN;
}

/* What must hold of each cell, whatever it says. */
static void check_step(enum vassal_state state, enum vassal_event event, struct vassal_step step)
{
    bool process = has_process(state) && !is_end(event);

    assert_true(step.next < VASSAL_STATE_COUNT);
    switch (step.action) {
    case VASSAL_IGNORE:
        assert_int_equal(step.next, state);
        break;
    case VASSAL_SLEEP:
    case VASSAL_SLEEP_ON:
        assert_false(process);
        assert_int_equal(step.next, VASSAL_ASLEEP);
        assert_int_equal(step.action == VASSAL_SLEEP_ON, state == VASSAL_ASLEEP);
        break;
    case VASSAL_QUEUE:
        assert_int_equal(step.next, process ? VASSAL_OUTDATED : VASSAL_WAITING);
        break;
    case VASSAL_AWAIT:
    case VASSAL_THROTTLE:
        assert_false(process);
        assert_int_equal(step.next, VASSAL_WAITING);
        break;
    case VASSAL_START:
        assert_false(process);
        assert_int_equal(step.next, VASSAL_STARTING);
        break;
    case VASSAL_RELOAD:
        assert_true(process);
        assert_int_equal(step.next, VASSAL_RELOADING);
        break;
    case VASSAL_STOP:
    case VASSAL_CURSE:
    case VASSAL_DUMP:
    case VASSAL_KILL:
        assert_true(process);
        assert_true(has_process(step.next) && step.next != VASSAL_STARTING &&
                    step.next != VASSAL_READY && step.next != VASSAL_OUTDATED &&
                    step.next != VASSAL_RELOADING);
        break;
    case VASSAL_DELAY:
        assert_false(process);
        assert_int_equal(step.next, VASSAL_BACKOFF);
        break;
    case VASSAL_RELEASE:
        assert_false(process);
        assert_int_equal(step.next, VASSAL_GONE);
        break;
    case VASSAL_ENTER:
        assert_int_equal(process, has_process(step.next));
        break;
    case VASSAL_ACTION_COUNT:
        fail();
    }
}

static void test_every_cell(void **state)
{
    (void)state;
    assert_int_equal(COUNT_OF(rows), VASSAL_STATE_COUNT);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(rows[i].state, i);
        assert_int_equal(strlen(rows[i].actions), VASSAL_EVENT_COUNT);
        for (int e = 0; e < VASSAL_EVENT_COUNT; e++) {
            struct vassal_step step = vassal_step(rows[i].state, (enum vassal_event)e);
            if (action_letters[step.action] != rows[i].actions[e])
                fail_msg("%s, event %d: %c", vassal_state_name(rows[i].state), e,
                         action_letters[step.action]);
            check_step(rows[i].state, (enum vassal_event)e, step);
        }
    }
}

/* From every state a vassal that has to go is gone after its process ended, if it has one. */
static void test_every_state_can_be_left(void **state)
{
    (void)state;
    for (int s = 0; s < VASSAL_GONE; s++) {
        struct vassal_step step = vassal_step((enum vassal_state)s, VASSAL_CONDEMNED);
        if (has_process((enum vassal_state)s))
            step = vassal_step(step.next, VASSAL_ENDED_EARLY);
        assert_int_equal(step.next, VASSAL_GONE);
    }
}

/* No state stays when its process has ended, whatever the end was like. */
static void test_every_end_counts(void **state)
{
    (void)state;
    for (int s = 0; s < VASSAL_GONE; s++)
        for (int e = 0; has_process((enum vassal_state)s) && e < VASSAL_EVENT_COUNT; e++)
            if (is_end((enum vassal_event)e) && e != VASSAL_UNBORN)
                assert_false(
                    has_process(vassal_step((enum vassal_state)s, (enum vassal_event)e).next));
}

/* Wherever a vassal can be while its base is asked for it, it can be told that it was not forked.
 */
static void test_nobody_waits_for_what_was_never_born(void **state)
{
    (void)state;
    for (int e = 0; e < VASSAL_EVENT_COUNT; e++) {
        struct vassal_step step = vassal_step(VASSAL_STARTING, (enum vassal_event)e);
        if (e < VASSAL_SAID_READY) /* what comes after that needs a process */
            assert_false(has_process(vassal_step(step.next, VASSAL_UNBORN).next));
    }
}

static void test_names(void **state)
{
    (void)state;
    for (int a = 0; a < VASSAL_STATE_COUNT; a++)
        for (int b = 0; b < a; b++)
            assert_string_not_equal(vassal_state_name((enum vassal_state)a),
                                    vassal_state_name((enum vassal_state)b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cell),
        cmocka_unit_test(test_every_state_can_be_left),
        cmocka_unit_test(test_every_end_counts),
        cmocka_unit_test(test_nobody_waits_for_what_was_never_born),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
