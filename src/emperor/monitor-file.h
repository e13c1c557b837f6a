/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/hash.h"
#include "emperor/monitor.h"
#include "loop/places.h"

/* The common part of monitors whose configurations are files. Which directories are watched and
 * which names in them count is the kind's business; when a file is new, changed or gone is decided
 * here. */
struct file_monitor;

struct file_monitor_kind {
    /* (Re-)watches the directories in which configurations can lie. Returns 0, or a negative errno
     * when some cannot be watched (they are looked at from time to time then). */
    int (*locate)(struct file_monitor *fm);
    /* Calls file_monitor_found() for every configuration that is there. Returns 0, or a negative
     * errno when that is not known; then nothing counts as gone. */
    int (*list)(struct file_monitor *fm);
    void (*free)(struct file_monitor *fm); /* what is the kind's own, and the object itself */
};

struct file_monitor {
    struct monitor monitor;
    const struct file_monitor_kind *kind;
    const struct emperor_conf *conf;
    struct loop *loop;
    struct places *places;
    struct hash entries; /* name -> struct entry */
    struct loop_task refresh;
    struct loop_timer poll;
    struct loop_timer later; /* of a refresh that waits */
    uint64_t looked_us;      /* when everything was looked at; 0: never */
    struct list news;        /* struct entry: found by a scan, and not looked at yet */
    struct loop_task tell_news;
    bool due;        /* everything is going to be looked at */
    bool lost;       /* since something was lost, and that was logged */
    bool looked;     /* successfully, once */
    bool settled;    /* MONITOR_SETTLED was sent */
    int trouble;     /* why the last look failed, already logged */
    bool blind;      /* something cannot be watched */
    bool blind_told; /* that was logged */
};

extern const struct monitor_ops file_monitor_ops;

/* Prepares the common part; the kind has set monitor.directory. */
int file_monitor_init(struct file_monitor *fm, const struct file_monitor_kind *kind,
                      const struct emperor_conf *conf, struct loop *l) _must_check_;

/* For a kind's list(): the configuration @name is there, at the absolute @path. */
void file_monitor_found(struct file_monitor *fm, const char *name, const char *path);

/* For a kind's listener: inotify(7) said @mask of a name that counts. */
void file_monitor_noticed(struct file_monitor *fm, const char *name, const char *path,
                          uint32_t mask);

/* As places_listen(), for a kind's locate(). Returns -EREMOTE if others can change the directory
 * without our kernel's knowledge; what it knows of is heard all the same. */
int file_monitor_listen(struct file_monitor *fm, struct places_listener *l,
                        const char *path) _must_check_;

/* Something cannot be watched, for the reason @r: logs it once, and looks from time to time. */
void file_monitor_cannot_watch(struct file_monitor *fm, int r);

/* Looks at everything again, in this round of the loop, or a little later if it was just done. */
void file_monitor_refresh(struct file_monitor *fm);
