/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errmsg.h"

/* A program that is run for what it writes. */
struct command {
    const char *const
        *argv; /* NULL-terminated; argv[0] is the program's path, there is no search */
    const char *const *environ;
    const char *cwd;   /* where it runs; NULL: here */
    const char *input; /* what it reads; NULL: nothing */
    size_t max_bytes;  /* of what it writes */
    bool says_why;     /* if it fails, its last line is all there is to say */
    uint64_t wait_us;  /* how long it may take */
};

/* Runs the program and waits for its end. *@ret_text is its standard output, allocated and
 * terminated. Returns 0, or a negative errno with @err saying what became of it, with the last line
 * of its standard error: -EIO if it failed; -EFBIG, -ETIME, or -EINTR if this process is
 * to end by a signal, and then it is killed with all that it has started. */
int command_read(const struct command *c, char **ret_text, size_t *ret_len,
                 struct errmsg *err) _must_check_;
