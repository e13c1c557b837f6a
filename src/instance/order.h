/* SPDX-License-Identifier: MIT */
#pragma once

#include <signal.h>
#include <stdbool.h>

#include "ipc/bytes.h"

/* What a master can be told, in whatever way: by a signal, by a byte of the Emperor. */
enum order {
    ORDER_NONE,
    ORDER_RELOAD,          /* the configuration is read again, new workers replace the old ones */
    ORDER_CHAIN_RELOAD,    /* the application is loaded anew, workers are replaced in turn */
    ORDER_STOP,            /* at once */
    ORDER_STOP_GRACEFULLY, /* when what has been accepted is answered */
    ORDER_STOP_BY_TERM,    /* the one or the other, as graceful-on-term says */
    ORDER_ADD_WORKER,
    ORDER_REMOVE_WORKER,
    ORDER_SLEEP,   /* the workers leave gracefully, the master stays until it is told to reload */
    ORDER_UPGRADE, /* a new master from the program as it is now, beside this one */
    ORDER_REOPEN_LOGS,
    ORDER_SHOW_STACKS, /* the log says where the workers' threads are */
    ORDER_REINFORCE,   /* the Emperor is asked for another instance */
    ORDER_REAP,        /* a process has ended */
    ORDER_COUNT,
};

/* All signals that are orders. */
void order_signals(sigset_t *ret);
enum order order_of_signal(int sig);
/* Of a letter in the FIFO, with uWSGI's meanings; ORDER_NONE for those that mean nothing to us. */
enum order order_of_letter(char letter);
enum order order_of_byte(enum emperor_byte byte);
