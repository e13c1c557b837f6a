/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/list.h"
#include "emperor/monitor.h"
#include "emperor/vassal.h"

struct memory;

/* The vassals of an Emperor, by their ids, and what monitors mean to them. */
struct court {
    struct vassal_realm realm;
    pid_t pid;             /* the Emperor's */
    struct hash vassals;   /* id -> struct vassal */
    unsigned n_zergs;      /* vassals that reinforce others */
    unsigned last_zerg;    /* number of the last one */
    struct monitor *given; /* monitor-given.c; NULL: not there yet */
    struct memory *memory; /* what measures theirs */
    size_t n_unsettled;    /* monitors that have not told of all that there was at an upgrade */
    struct list gone;      /* struct vassal: to be freed when the loop is back */
    struct loop_pulse pulse;
    struct loop_task bury;
    struct loop_task reap;             /* adopted orphans */
    bool closing;                      /* no vassal is added or started any more */
    void (*on_empty)(struct court *c); /* closing; the last vassal, and its hook, are gone */
};

void court_init(struct court *c, struct loop *l, const struct emperor_conf *conf,
                const char *binary, const char *const *environ);
void court_done(struct court *c);

/* Takes up a vassal that was made from an earlier Emperor's record. Returns 0, or a negative errno;
 * then it is freed. */
int court_take_in(struct court *c, struct vassal *v) _must_check_;

/* Makes a record beside that of @v, of the same configuration, by a name that is free and says
 * @what it is. Returns 0 or a negative errno. */
int court_add_beside(struct court *c, struct vassal *v, const char *what,
                     struct vassal **ret) _must_check_;

/* Those that reinforce @lord go: it is another one now, or is none. */
void court_dismiss(struct court *c, const struct vassal *lord, const char *why);

/* The turn of @v has come. */
void court_take_turn(struct vassal *v);

/* A monitor's callback; @data is the court. */
monitor_fn court_hear;

/* What an operator wants of one vassal: VASSAL_CHANGED (its configuration loaded again),
 * VASSAL_HALTED, VASSAL_RESUMED or VASSAL_PARDONED. False if that changes nothing in its state. */
bool court_order(struct vassal *v, enum vassal_event event, const char *why);

/* Every vassal: its configuration is loaded again. */
void court_reload(struct court *c, const char *why);

/* Every vassal that waits because it ended too early is started at once. */
void court_pardon(struct court *c, const char *why);

/* One line about each vassal. */
void court_log(const struct court *c);

/* Tells every vassal to stop, all at once; on_empty follows. */
void court_close(struct court *c, const char *why);

/* Kills every vassal. */
void court_kill(struct court *c, const char *why);

/* Reaps children that are nobody's vassal: orphans that became ours (PR_SET_CHILD_SUBREAPER). For
 * SIGCHLD; vassals are left to their pidfds. */
void court_reap_orphans(struct court *c);
