/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <sys/stat.h>

#include "base/errmsg.h"
#include "base/macro.h"

/* A place in the file system below which files are opened, and nothing else is: a directory, or one
 * file. */
struct static_root {
    char *path; /* absolute, as configured */
    char *real; /* without symbolic links, as it was at the start; or as @path */
    int fd;     /* of the directory (O_PATH); -EBADF: it is a file, or was missing at the start */
    dev_t dev;
    ino_t ino;
};

/* What was opened: a file for reading, or anything else, which is not for sending. The descriptor
 * does not wait, whatever it is of. */
struct static_file {
    int fd;
    struct stat st;
};

/* Returns 0, or -ENOSYS with @err where the kernel (before Linux 5.6) or a filter of system calls
 * does not let us confine opening with openat2(2). */
int static_root_supported(struct errmsg *err) _must_check_;

/* Opens the place @path, relative to the working directory. Returns 0; 1 if there is nothing that
 * can be opened yet, with the cause in *@ret_error (a negative errno): it is looked for again with
 * each request; or -ENOMEM. */
int static_root_init(struct static_root *root, const char *path, int *ret_error) _must_check_;
void static_root_done(struct static_root *root);

/* Opens @name below @root: it is relative, and has neither "." nor ".." in it. "" is the root
 * itself, and with a suffix the file beside a root that is a file: @suffix follows the name.
 * Symbolic links are followed as long as they lead to something below the root or below one of
 * @safe; links of /proc that are none in truth are not. Never waits for a FIFO or a device. Returns
 * 0 and a descriptor that the caller closes, or a negative errno: -EXDEV for what leads elsewhere.
 */
int static_root_open(const struct static_root *root, const char *name, const char *suffix,
                     const struct static_root *safe, size_t n_safe,
                     struct static_file *ret) _must_check_;
