/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "base/macro.h"
#include "base/proc.h"
#include "emperor/demand.h"
#include "emperor/emperor-conf.h"
#include "emperor/job.h"
#include "emperor/launch.h"
#include "emperor/monitor.h"
#include "emperor/pace.h"
#include "emperor/throttle.h"
#include "emperor/vassal-log.h"
#include "emperor/vassal-state.h"
#include "ipc/channel.h"
#include "loop/loop.h"

struct vassal;
struct adoption;
struct succession;

#define VASSAL_ADDRESS_BYTES 108 /* of a base: unix(7) */

/* What all vassals of an Emperor share. */
struct vassal_realm {
    struct loop *loop;
    const struct emperor_conf *conf;
    const char *binary; /* absolute path of the program that vassals run */
    const char *const *environ;
    struct log_out *log;  /* where vassals' lines go */
    struct rlimit nofile; /* the limit of descriptors that vassals get */
    struct pace pace;
    struct throttle throttle;
    unsigned n_last_hooks;  /* that run for vassals which do not wait for them */
    struct hash by_pid;     /* decimal pid -> who takes care of its end */
    struct hash by_address; /* of on-demand sockets -> struct vassal */
    struct hash bases;      /* address at which others are forked -> struct vassal */
    struct list awaiting;   /* struct vassal: those who wait for their base: to be there, to have
                               room, or to be asked again; or for the end of what ran before */
    struct list woken;      /* those whose base has come, */
    struct loop_task go_on; /* with whom it goes on */
    struct list roomy;      /* bases that may be asked for one more, */
    struct loop_task give_room; /* of which those who wait for that hear */
    uint32_t last_serial;       /* of what bases have to fork: vassal.offers_serial */
    void (*on_state)(struct vassal_realm *r, struct vassal *v); /* it has entered a state: only to
                                                                   be noted; may be NULL */
    void (*on_sos)(struct vassal_realm *r, struct vassal *v);   /* it calls for reinforcement */
    void (*on_base)(struct vassal_realm *r); /* a base may have something newer */
    int (*on_outdated)(struct vassal_realm *r, struct vassal *v); /* is to be succeeded; returns 0
                                                                     or a negative errno */
    void (*on_end)(struct vassal_realm *realm);                   /* a process was reaped */
    void (*on_gone)(struct vassal_realm *r, struct vassal *v); /* @v is for vassal_free() now, but
                                                                  not before the loop is back */
};

/* What is known of the life that is running, and goes where its process goes. */
struct vassal_life {
    unsigned place;                     /* monitor->place when it was started */
    bool adopted;                       /* it was forked from a base, or is going to be */
    char base[VASSAL_ADDRESS_BYTES];    /* from which one; of one that waits: for which */
    uint32_t base_pid, base_generation; /* then */
    uint32_t base_serial;               /* its offers_serial then */
    bool accepting, loyal, speaks;      /* speaks: on the status channel */
    bool kept;                          /* the last reload failed */
    uint64_t asked_mono_us;             /* to start or to reload, monotonic */
    uint64_t ready_mono_us;             /* of the first time, monotonic; 0: not yet */
    uint32_t generation, workers;
    char complaint[192]; /* why it cannot go on, by its own words */
    struct vassal_memory {
        uint64_t pss_bytes, uss_bytes; /* of all its processes: proc_pid_smaps(5) */
        uint64_t largest_bytes;        /* resident, of the largest of them */
        time_t measured;               /* 0: never */
    } memory;
};

/* One vassal: its configuration, its process, and what it said. Only vassal*.c write to it, and
 * court.c to what ties it to its monitor and to others. */
struct vassal {
    struct vassal_realm *realm;
    char *id; /* in log and stats; unique */
    char *name, *path;
    struct monitor *monitor;
    struct monitor_item *item; /* the monitor's; NULL: the configuration is gone */
    unsigned zerg;             /* it reinforces another one: which it is, from 1; 0: it does not */
    struct vassal *lord;       /* that one; NULL: it needs nobody any more */
    struct vassal *elder;      /* the one whose place it takes, or in whose it was; NULL: none's */
    struct stamp stamp;        /* of the configuration */
    uint64_t first_stamp_us;   /* the same when it was added */
    bool restored;  /* from the Emperor before an upgrade; its monitor has not told of it yet */
    bool stray;     /* its monitor is not known: any may tell of it */
    bool unsettled; /* so is what that Emperor was about to do when it knew the socket */
    uid_t uid;      /* whose it is */
    gid_t gid;
    bool program;                 /* the configuration is written by the file, when it is run */
    struct liege_list attributes; /* KEY=VALUE, of section [emperor] */
    struct vassal_file {
        char *path;
        struct stamp stamp; /* when it was read; all zero: it was not there */
    } * files;              /* that its configuration includes, by its own words */
    size_t n_files;

    struct list departed; /* in the list of those to be freed */
    struct list hooks;    /* vassal-hook.c: those that run */
    struct list waits;    /* control.c: who wants to know how it goes on */

    enum vassal_state state;
    uint64_t since_us; /* since the epoch; so are all times below that are not called otherwise */
    char reason[256];  /* one line */
    struct loop_timer timer; /* of the state: cleared when it changes */

    bool owes_reload; /* is to load its configuration again, whatever its base has */
    struct turn turn;
    uint64_t wait_us;          /* that it was given last: by the throttle, or for its base */
    struct demand *demand;     /* its socket; NULL: it does not run on demand */
    struct question *question; /* about its socket, not answered yet */
    char *next_address; /* of the socket that it gets when its process has ended: vassal-demand.c */
    bool moves;         /* next_address is meant */

    char offers[VASSAL_ADDRESS_BYTES]; /* where others are forked from it; "": nowhere */
    uint32_t offers_generation; /* whose application those get; 0: this process has not said */
    uint32_t offers_serial;     /* no other base has it, nor this one of before it had something
                                   newer; it stays if it is only started again */
    struct list asked;          /* struct adoption: those that it is to fork */
    struct list promised;       /* struct vassal: those who may ask it, and have not yet */
    unsigned n_asked;           /* of both */
    struct list has_room;       /* in realm->roomy */

    struct list awaits;  /* in realm->awaiting, realm->woken */
    struct list promise; /* in promised of that one: */
    struct vassal *promised_by;
    bool prepared;             /* for its start: its base is asked, however busy it is */
    uint64_t base_delay_us;    /* before its base is asked again */
    struct adoption *adoption; /* its base is asked for it; NULL: it is not */

    struct succession *succession; /* another one takes its place, or has just taken it */
    struct succession *succeeds;   /* it is that other one, or has what was there before */
    uint32_t failed_serial;        /* of what its base had when that failed; 0: it did not */

    struct proc proc;               /* PROC_NONE: none runs */
    char pid_key[12];               /* in realm->by_pid */
    struct loop_io end_io;          /* the pidfd: readable when the process has ended */
    struct loop_io pipe_io;         /* fd -1: closed */
    struct loop_timer closed_timer; /* the pipe was closed, and the process may just be ending */
    struct loop_timer heart;        /* set once its generation has sent a heartbeat */
    struct channel status;
    struct vassal_log log;
    struct vassal_config *config; /* vassal-config.c; NULL: its configuration is in a file */
    struct vassal_life life;

    /* Of all lives */
    struct log_limit complaints;
    time_t first_run, last_run, last_ready, last_accepting, last_loyal, last_heartbeat;
    uint64_t n_reloads, n_respawns;
    char last_end[64]; /* "exited with code 1"; "": never ended */
    bool broke_off;    /* then, though nobody had told it to end */
    uint64_t delay_us; /* the back-off that the last early end led to; 0: none */
    unsigned n_early;  /* early ends in a row */
    time_t first_early, last_early;
    unsigned n_brief;          /* lives in a row that were short, and not early */
    struct loop_timer lasts;   /* this one is not: its lines, which were left out, are said */
    uint64_t sos_delay_us;     /* the same of those that reinforced it */
    uint64_t sos_ignored_till; /* monotonic: that long nobody else does */
};

/* Makes the record in state new. @id, and what @item says, are copied. */
int vassal_new(struct vassal_realm *realm, struct monitor *m, struct monitor_item *item,
               const char *id, struct vassal **ret) _must_check_;

/* Ends what still runs, without waiting. */
struct vassal *vassal_free(struct vassal *v);

/* Takes over what the monitor says of the configuration now; NULL: it is gone. */
void vassal_set_item(struct vassal *v, struct monitor_item *item);

/* Something happened, for the reason that is given: does what the table says. */
void vassal_handle(struct vassal *v, enum vassal_event event, const char *fmt, ...) _printf_(3, 4);

/* Has it load its configuration again, in a state in which that may be. */
void vassal_reload(struct vassal *v);

/* Its base has forked it: takes over the process as vassal_adopt() does. */
void vassal_born(struct vassal *v, struct launched *started);

/* Its base has not: what is wrong is @error, a negative errno of adoption_hear() or connect(2). */
void vassal_unborn(struct vassal *v, int error, const char *why);

/* Puts it into the state that it had, without doing anything; its deadlines are monotonic times, 0
 * for none. */
void vassal_restore_state(struct vassal *v, enum vassal_state state, uint64_t timer_us,
                          uint64_t heart_us);

/* It has said on its status channel that it is there. */
void vassal_speaks(struct vassal *v);

/* Its turn has come: has done what is to be done before it starts; then it does. */
void vassal_prepare(struct vassal *v);

/* It has sent a heartbeat. */
void vassal_beats(struct vassal *v);

/* What its monitor says of its configuration; of a reinforcement, what is said of the one that it
 * reinforces, and so on. NULL: it is gone. */
static inline const struct monitor_item *vassal_item(const struct vassal *v)
{
    const struct vassal *owner = v->lord ? v->lord : v->elder ? v->elder : v;

    return owner->item;
}

static inline bool vassal_runs(const struct vassal *v)
{
    return v->proc.pid > 0;
}

/* It has a process, or is getting one. */
static inline bool vassal_lives(const struct vassal *v)
{
    return vassal_runs(v) || v->adoption;
}

/* The value of the attribute @key; NULL: it has none, or @key is NULL. */
const char *vassal_attribute(const struct vassal *v, const char *key);
