/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/macro.h"

/* What is mapped into this process (proc_pid_maps(5)), read without allocating memory, taking a
 * lock or asking for the language: for those who change it while they read. The kernel goes on by
 * address, so what they do to a mapping that has been read does not disturb. */

struct mapping {
    uintptr_t start, end;
    bool readable, writable, executable, shared;
    uint64_t offset; /* in the file */
    dev_t device;
    ino_t inode;    /* 0: no file */
    char name[8];   /* the begin of it: of a path, or "[heap]" and the like */
    char flags[96]; /* of maps_open_flags(): VmFlags, " rd wr mr ..." (proc_pid_smaps(5)) */
};

struct maps {
    int fd;
    bool has_flags;
    size_t len, at;
    char bytes[1024];
};

/* Return 0 or a negative errno. */
int maps_open(struct maps *m) _must_check_;
int maps_open_flags(struct maps *m) _must_check_; /* takes longer: the kernel counts pages */
void maps_close(struct maps *m);

/* Returns 1, 0 at the end, or a negative errno. */
int maps_next(struct maps *m, struct mapping *ret) _must_check_;

/* The C library's heap (brk(2)). */
bool mapping_is_heap(const struct mapping *m);

/* Memory of the process's own that can be written to and is no stack: the heap, what else is of no
 * file, and what has become of a file in memory (snapshot.h). */
bool mapping_is_own(const struct mapping *m);
