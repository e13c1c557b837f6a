/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macro.h"
#include "liege/option.h"
#include "worker/worker.h"

/* What is done about threads and connections that a fork would lose or share (fork-check.h). */
enum fork_check {
    FORK_CHECK_WARN,
    FORK_CHECK_REFUSE,
    FORK_CHECK_OFF,
    FORK_CHECK_COUNT,
};

/* -EINVAL: there is none with this name. */
int fork_check_find(const char *name, enum fork_check *ret) _must_check_;

/* -EINVAL: there is no protocol with this name. */
int protocol_find(const char *name, enum proto_id *ret) _must_check_;

/* Options of an instance: its sockets, its identity, its processes. */
struct instance_conf {
    struct liege_list http_sockets, https_sockets, uwsgi_sockets, fastcgi_sockets, scgi_sockets;
    char *protocol; /* of uwsgi_sockets, and of those that were given without another option */
    uint64_t backlog;
    uint64_t chmod_socket;
    char *chown_socket;
    bool vacuum;

    struct liege_list zergs; /* servers whose sockets are served */
    char *zerg_server;       /* where ours can be had */
    bool zerg_fallback;
    struct liege_list zerg_pools; /* PATH:ADDRESS,ADDRESS... */

    char *fork_server; /* where the Emperor has vassals forked; NULL: this is no base */

    char *uid, *gid;
    char *pidfile, *pidfile2;
    char *daemonize; /* then @logto is set, too */
    char *logto, *logto2;
    char *stats;
    char *master_fifo;
    struct liege_list touch_reload, touch_chain_reload;
    struct liege_list loggers;
    char *procname;
    char *chdir;

    uint64_t processes;                /* once resolved (size.h) never 0 for "auto" */
    uint64_t cheaper, cheaper_initial; /* the fewest; 0: always @processes. And the first ones */
    uint64_t cheaper_step, cheaper_overload, cheaper_idle;
    uint64_t cheaper_busyness_min, cheaper_busyness_max, cheaper_busyness_multiplier;
    char *cheaper_algo;
    uint64_t idle_us; /* without a request; 0: that means nothing */
    bool die_on_idle;
    struct liege_list hooks_emperor_stop, hooks_emperor_reload, hooks_emperor_lost;
    uint64_t vassal_sos_us; /* 0: no call because all workers are busy */
    uint64_t vassal_sos_backlog;
    bool lazy_apps;
    bool ksm;
    struct liege_list warmup;
    char *fork_check;         /* warn, refuse or off */
    uint64_t reload_mercy_us; /* how long a graceful end may take */
    uint64_t start_timeout_us;
    bool graceful_on_term;
    uint64_t drain_delay_us; /* from the wish for a graceful end to its begin */
};

extern const struct liege_option instance_options[];
extern const size_t instance_n_options;
