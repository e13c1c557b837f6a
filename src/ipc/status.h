/* SPDX-License-Identifier: MIT */
#pragma once

/* The status channel: what a vassal of ours tells its Emperor beyond the bytes of the pipe, and
 * what the Emperor wants of it beyond them; messages of ipc/message.h. A vassal that does not use
 * it works all the same; one that does lets the Emperor say why. */

enum status_type {
    STATUS_STATE = 1,  /* text: what the instance is doing, one line: "loading the application" */
    STATUS_READY = 2,  /* value: generation that serves now */
    STATUS_FAILED = 3, /* text: why the instance could not start, "FILE:LINE: cause"; it ends now */
    STATUS_KEPT = 4,   /* text: why a reload failed; the generation in value goes on serving */
    STATUS_FILE = 5,   /* text: absolute path of a file that the configuration was read from */
    STATUS_WORKERS = 6, /* value: workers that are ready */
    STATUS_BASE = 7,    /* text: address at which vassals are forked from it now (ipc/adoption.h);
                           value:    generation whose application they get */

    /* Emperor to vassal */
    STATUS_GIVE_WAY = 32, /* fd: to one that is to take its place (instance/takeover.h), which is
                             given the sockets; if it is closed, that one has to end */
};
