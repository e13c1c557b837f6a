/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/cred.h"
#include "base/errmsg.h"

/* The file that says which process a master, or an Emperor, is. During an upgrade the newer
 * master's has ".2" behind its name, until the older one is gone. */
struct pidfile {
    char *path;  /* NULL: none is wanted */
    bool second; /* ".2" */
    bool written;
};

/* Writes our pid to @path (NULL: does nothing), or @path.2 if @second, in one step: whoever reads
 * it finds a whole number. The file will belong to @owner, who shall be able to empty it. Returns
 * 0, or a negative errno with @err. */
int pidfile_write(struct pidfile *p, const char *path, bool second, const struct cred *owner,
                  struct errmsg *err) _must_check_;

/* @path was written by the program that this process was before. Returns 0 or -ENOMEM. */
int pidfile_keep(struct pidfile *p, const char *path) _must_check_;

/* The older master is gone: ".2" goes away. Returns 0, or a negative errno with @err. */
int pidfile_promote(struct pidfile *p, struct errmsg *err) _must_check_;

/* Removes the file if it still says our pid, or empties it if its folder is not; with @leave it
 * stays.
 */
void pidfile_done(struct pidfile *p, bool leave);
