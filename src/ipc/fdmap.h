/* SPDX-License-Identifier: MIT */
#pragma once

/* The contract between an Emperor and the vassals it starts: which descriptor and which variable
 * means what. Emperor, instance, foreign vassals and tests agree on this page and on nothing else.
 * The numbers are fixed for vassals that are started by execve(2); the variables say them too, in
 * decimal, because a vassal that is forked from a base vassal gets other numbers. */

enum vassal_fd {
    /* 0: /dev/null, or the listening socket of an on-demand vassal; 1 and 2: the log,
     * which is a pipe to the Emperor, or with emperor-log-direct what the Emperor has there */
    VASSAL_FD_EMPEROR = 3, /* stream socket, one byte a message: ipc/bytes.h */
    VASSAL_FD_STATUS = 4,  /* SEQPACKET socket, typed messages: ipc/status.h */
    VASSAL_FD_CONFIG = 5,  /* stream socket with the configuration, when it is in no file */
    VASSAL_FD_END,
};

/* Each exists with LIEGE_ in front and with UWSGI_ in front. */
#define VASSAL_ENV_EMPEROR_FD "EMPEROR_FD"
#define VASSAL_ENV_CONFIG_FD  "EMPEROR_FD_CONFIG"
#define VASSAL_ENV_STATUS_FD  "STATUS_FD"     /* only as LIEGE_STATUS_FD */
#define VASSAL_ENV_DIR        "VASSALS_DIR"   /* the directory that is being watched */
#define VASSAL_ENV_BROODLORD  "BROODLORD_NUM" /* of a reinforcement: which one it is, from 1 */

/* An Emperor that was started by an upgrade: the memfd with the state of the one before, and the
 * program of the one before. Never a vassal's. */
#define EMPEROR_ENV_STATE_FD   "EMPEROR_STATE_FD"
#define EMPEROR_ENV_PROGRAM_FD "EMPEROR_PROGRAM_FD"

/* Options for vassals: the Emperor's LIEGE_VASSAL_X becomes the vassal's LIEGE_X. */
#define VASSAL_ENV_OPTION "VASSAL_"

/* The value of LIEGE_@name or UWSGI_@name in @environ, which ends with NULL; NULL: there is none.
 */
const char *vassal_env_find(const char *const *environ, const char *name);
