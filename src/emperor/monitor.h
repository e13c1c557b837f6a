/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/errmsg.h"
#include "emperor/emperor-conf.h"
#include "loop/loop.h"

/* An imperial monitor: a source of vassal configurations. It says what is there, what changed and
 * what is gone; what follows from that is not its business. */

/* By what a new version of a configuration is told from an old one, and whose it is. A change of
 * permissions alone is no new version. */
struct stamp {
    uint64_t mtime_ns; /* since the epoch */
    uint64_t inode, device;
    uint64_t size;
    uid_t uid;
    gid_t gid;
};

struct stamp stamp_of(const struct stat *st);
bool stamp_same_version(const struct stamp *a, const struct stamp *b);

/* One configuration. Belongs to the monitor, from MONITOR_ADDED to MONITOR_REMOVED. */
struct monitor_item {
    const char *name;   /* as the vassal is told, relative to the monitor's directory */
    const char *path;   /* absolute; of one of several in a file with ":NAME" behind it */
    const char *config; /* its text, for a source that has no files; NULL: the file has it */
    size_t config_len;
    bool program;       /* the file does not hold the text but writes it when it is run */
    const char *socket; /* of a vassal that runs on demand, if the source says so; NULL: it does
                           not */
    struct liege_list attributes; /* KEY=VALUE */
    struct stamp stamp;
    void *owner; /* of whoever listens to the monitor */
};

enum monitor_event {
    MONITOR_ADDED,
    MONITOR_CHANGED,
    MONITOR_RENEWED, /* not the configuration itself changed, but a file that it includes, perhaps
                        as many others do */
    MONITOR_REMOVED,
    MONITOR_SETTLED, /* once: what was there at the start has been told; there is no item */
};

struct monitor;
typedef void monitor_fn(void *data, struct monitor *m, enum monitor_event event,
                        struct monitor_item *item);

struct monitor_ops {
    /* Begins; what is there now is told from the loop, or at once. A source that cannot be reached
     * now is logged and tried again, not an error. */
    int (*start)(struct monitor *m);
    /* Looks at everything again, in the next round of the loop. */
    void (*rescan)(struct monitor *m);
    /* Reports a change of @item also when the file @path changes: one that its configuration
     * includes. NULL: forget all such files. */
    void (*include)(struct monitor *m, struct monitor_item *item, const char *path);
    void (*free)(struct monitor *m); /* tells nothing more */
};

struct monitor {
    const struct monitor_ops *ops;
    char *source;    /* as the option says */
    char *directory; /* absolute; vassals start in it */
    unsigned place;  /* counts how often `directory` came to be another directory */
    monitor_fn *fn;
    void *data;
};

/* Makes the monitor that @source means: by its scheme; else dir if it is one directory (or nothing
 * yet, and no pattern), else glob. @conf lives longer than the monitor. Returns 0 or a negative
 * errno with @err. */
int monitor_new(const char *source, const struct emperor_conf *conf, struct loop *l, monitor_fn *fn,
                void *data, struct monitor **ret, struct errmsg *err) _must_check_;
struct monitor *monitor_free(struct monitor *m);

/* Whether monitor_new() would understand @source: 0, or -EINVAL with @err. */
int monitor_check(const char *source, struct errmsg *err) _must_check_;

/* True if a file called @name (without directories) is a configuration. */
bool monitor_accepts_name(const struct emperor_conf *conf, const char *name);

/* The option that makes a vassal read the configuration @name ("app.ini", "app.ini:shop"): "ini",
 * "xml", "yaml", "json", or "config" for an extra extension. */
const char *monitor_format_of(const char *name);

/* The makers behind the schemes. @where is the source without its scheme. */
typedef int monitor_make_fn(const char *where, const struct emperor_conf *conf, struct loop *l,
                            struct monitor **ret);
monitor_make_fn monitor_dir_new, monitor_glob_new;
