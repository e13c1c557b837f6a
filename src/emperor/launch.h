/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/proc.h"
#include "emperor/emperor-conf.h"
#include "ipc/adoption.h"

/* The start of a vassal's process. */
struct launch {
    const struct emperor_conf *conf;
    const char *binary;          /* absolute path of the program, before the wrappers of @conf */
    const char *const *environ;  /* the Emperor's environment */
    const struct rlimit *nofile; /* the vassal's limit of descriptors */
    const char *name;            /* of the configuration, as the vassal shall read it */
    const char *directory;       /* that is being watched */
    const char *cwd;             /* in which it starts */
    const char *program;         /* absolute path of what writes the configuration; NULL: it is read
                                    from the file */
    bool sends_config;           /* the configuration is in no file, and comes over a pipe */
    int socket_fd;               /* becomes descriptor 0; -1: /dev/null does */
    unsigned zerg;               /* it reinforces another one, as which; 0: it does not */
    int older_fd;                /* to the one whose place it takes; -1: it takes none's */
    bool check;                  /* only to check its configuration */
};

/* The Emperor's side of it. */
struct launched {
    struct proc proc;
    int pipe_fd;   /* ipc/bytes.h; non-blocking, close-on-exec, the caller's to close */
    int status_fd; /* ipc/status.h; the same */
    int config_fd; /* ipc/config-pipe.h; -1: the configuration is in a file; the same */
    int log_fd;    /* what it writes to descriptors 1 and 2; -1 with emperor-log-direct; the same */
    bool configured; /* it has had its configuration */
};

#define LAUNCHED_NONE                                                                              \
    ((struct launched){                                                                            \
        .proc = PROC_NONE, .pipe_fd = -1, .status_fd = -1, .config_fd = -1, .log_fd = -1})

/* The command line: binary, what comes before, the configuration, what comes after. Returns 0 or
 * -ENOMEM; the caller releases @ret with strv_done() either way. */
int launch_argv(const struct launch *l, struct liege_list *ret) _must_check_;

/* The environment: the Emperor's, without its own options and what was meant for it alone, with
 * X_VASSAL_OPTION as X_OPTION, and with what ipc/fdmap.h promises. The same rules. */
int launch_env(const struct launch *l, struct liege_list *ret) _must_check_;

/* With l->check: starts a process that checks the configuration and ends, with code 0 if it is
 * good. What it says comes out of *@ret_output, which is non-blocking. Returns 0 or a negative
 * errno. */
int launch_check(const struct launch *l, struct proc *ret, int *ret_output) _must_check_;

void launched_done(struct launched *l);

/* What a base is asked for to fork the vassal from itself: command line, surroundings and the
 * vassal's ends, for adoption_request_done(). @ret gets ours, and no process yet. Returns 0 or a
 * negative errno. */
int launch_request(const struct launch *l, struct adoption_request *ret_request,
                   struct launched *ret) _must_check_;

/* Starts the process; what fails in it is seen as its end. Returns 0 or a negative errno. */
int launch(const struct launch *l, struct launched *ret) _must_check_;
