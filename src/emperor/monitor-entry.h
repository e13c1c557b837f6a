/* SPDX-License-Identifier: MIT */
#pragma once

#include "emperor/monitor-file.h"

/* A configuration file that a file monitor knows of, whether or not it has been told already. */
struct entry {
    struct file_monitor *fm;
    struct monitor_item item;
    char *name, *path;           /* the item's */
    bool told;                   /* MONITOR_ADDED was sent */
    bool gone;                   /* its removal was seen, or a complete scan did not find it */
    bool seen;                   /* by the scan that is running */
    uint64_t first_us;           /* first of the events that are being waited out; 0: none */
    struct loop_timer timer;     /* when it is looked at */
    struct list news;            /* in the monitor's list of those to be looked at soon */
    struct places_subject links; /* what it depends on beyond its own name */
    struct list includes;        /* struct include */
};

int entry_new(struct file_monitor *fm, const char *name, const char *path,
              struct entry **ret) _must_check_;
struct entry *entry_free(struct entry *e);

/* Something happened to the file of @e. With @complete nobody is writing to it any more. */
void entry_touch(struct entry *e, bool complete);

/* Looks at it now. The entry may be freed by that. */
void entry_look(struct entry *e);

/* What stat(2) says of the file, with or without following a link. */
int entry_stat(const struct entry *e, struct stat *ret) _must_check_;

/* What there is to tell if the file, or one that it includes, is not what was told last. False: it
 * is. */
bool entry_differs(struct entry *e, const struct stat *st, enum monitor_event *ret);

/* Watches what the file depends on, anew. */
void entry_follow(struct entry *e);

/* Adds an included file, or forgets all with NULL. */
void entry_include(struct entry *e, const char *path);
