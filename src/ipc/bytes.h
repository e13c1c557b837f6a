/* SPDX-License-Identifier: MIT */
#pragma once

/* The Emperor's pipe: a stream socket, one byte a message in both directions, no answer. The values
 * are uWSGI's, so that any program that speaks to its Emperor speaks to ours. Unknown bytes are
 * ignored by both sides; the end of the stream means that the other side is gone. */

enum emperor_byte { /* Emperor to vassal */
                    EMPEROR_BYTE_STOP = 0,
                    EMPEROR_BYTE_RELOAD = 1,
                    EMPEROR_BYTE_STOP_GRACEFULLY = 2,
                    EMPEROR_BYTE_STACK = 116, /* say in the log where you hang: liege's own, the
                                                 letter of master-fifo */
};

enum vassal_byte {                        /* vassal to Emperor */
                   VASSAL_BYTE_READY = 1, /* set up: sockets are bound, the application is loaded */
                   VASSAL_BYTE_CONFIG = 2,    /* wants its configuration sent again */
                   VASSAL_BYTE_ACCEPTING = 5, /* a worker takes connections */
                   VASSAL_BYTE_LOYAL = 17,    /* a first request has been answered */
                   VASSAL_BYTE_STOP = 22,     /* wants to be stopped (or to wait on demand) */
                   VASSAL_BYTE_HEARTBEAT = 26,
                   VASSAL_BYTE_SOS = 30, /* wants reinforcement */
};
