/* SPDX-License-Identifier: MIT */
#pragma once

#include <signal.h>
#include <stddef.h>
#include <sys/types.h>

#include "app/app.h"
#include "base/macro.h"

struct child_start;

/* Of a base's zygote, as it was before applications were loaded in it. */
struct pristine {
    struct liege_list environ;
    mode_t umask;
};

/* What a vassal has from the base that it was forked from. */
struct warm {
    struct apps apps; /* loaded; their interpreters have not been told of the fork yet */
    int *fds;         /* that are open for the applications */
    size_t n_fds;
    struct sigaction on_child, on_pipe; /* SIGCHLD and SIGPIPE, as the applications want them */
};

/* The life of a process that the zygote of a base has just forked, as its Emperor's child: answers
 * on @fd, the Emperor's connection, and is the master of an instance of its own. @start is the
 * zygote's, @apps what it has loaded, @before what it was without that. The interpreters are not
 * run in it, but in its own zygotes. */
_noreturn_ void adopted_main(const struct child_start *start, const struct apps *apps,
                             const struct pristine *before, int fd);
