/* SPDX-License-Identifier: MIT */
#pragma once

/* What the processes of one instance say to each other (messages of ipc/message.h). The master has
 * one channel to the zygote of each generation and one to each worker. */

enum family_type {
    /* master to zygote */
    FAMILY_FORK = 1, /* value: worker's id; fds: the worker's end of its channel, and perhaps where
                        it is to print */
    FAMILY_ADOPT,    /* fork the master of another instance; fd: to the Emperor who wants it
                        (ipc/adoption.h) */

    /* zygote and worker to master */
    FAMILY_SOURCES, /* text: files that code was loaded from, a line each: "SECONDS.NANOSECONDS
                       PATH", when the file had changed last */

    /* zygote to master */
    FAMILY_LOADED,      /* the application is loaded */
    FAMILY_LOAD_FAILED, /* text: FILE:LINE: cause; the zygote ends */
    FAMILY_FORK_FAILED, /* value: worker's id; text: cause */

    /* worker to master */
    FAMILY_HELLO,         /* forked; the kernel says who it is */
    FAMILY_KEEPER,        /* is not the worker but its keeper (worker/keeper.h) */
    FAMILY_READY,         /* could take connections now, and waits for FAMILY_SERVE */
    FAMILY_WORKER_FAILED, /* text: why it cannot start; it ends */
    FAMILY_RETIRES,       /* wants to be replaced, and serves until then; text: why, or empty */
    FAMILY_CLOSED,        /* was told to finish and takes no connections any more */
    FAMILY_LOYAL,         /* has answered its first request */
    FAMILY_RELOAD,        /* the application asks for a reload of the instance */
    FAMILY_WARM,          /* has answered refork-after requests */

    /* master to worker */
    FAMILY_SERVE,   /* take connections: until then you may be killed without a loss */
    FAMILY_DRAIN,   /* finish what you have, then end; value: enum family_drain */
    FAMILY_STOP,    /* end now, with exit handlers */
    FAMILY_GIVE_UP, /* say in the log what keeps you from ending, then end at once */
    FAMILY_SHOW,    /* say in the log where your threads are, and go on */
    FAMILY_PROMOTE, /* fork a copy that is the next zygote; fds: its end of its channel, and where
                       it is to print if the value is not 0. It says FAMILY_HELLO, then what a
                       zygote says */

    FAMILY_TYPE_COUNT,
};

enum family_drain {
    FAMILY_DRAIN_SUCCEEDED, /* a next generation takes what is not accepted yet */
    FAMILY_DRAIN_LAST,      /* nobody follows: what waits in the backlog is answered too */
};
