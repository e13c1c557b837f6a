/* SPDX-License-Identifier: MIT */
#pragma once

#include "emperor/monitor-file.h"

/* One vassal of a file. */
struct entry_item {
    struct monitor_item item;
    struct entry *entry;
    char *name, *path;    /* the item's */
    uint64_t digest;      /* of what it is made of in the file; 0: not known */
    bool told;            /* MONITOR_ADDED was sent */
    bool seen;            /* by the look that is under way */
    struct list includes; /* struct include */
    struct list link;
};

/* A configuration file that a file monitor knows of, whether or not it has been told already. */
struct entry {
    struct file_monitor *fm;
    char *name, *path;
    struct stamp stamp;          /* at the last look */
    struct list items;           /* struct entry_item: what was told of it */
    bool gone;                   /* its removal was seen, or a complete scan did not find it */
    bool seen;                   /* by the scan that is running */
    bool written;                /* it is open for writing, as far as was seen */
    uint64_t first_us;           /* first of the events that are being waited out; 0: none */
    uint64_t looked_us;          /* when it was looked at; 0: never */
    struct loop_timer timer;     /* when it is looked at */
    struct list news;            /* in the monitor's list of those to be looked at soon */
    struct places_subject links; /* what it depends on beyond its own name */
};

int entry_new(struct file_monitor *fm, const char *name, const char *path,
              struct entry **ret) _must_check_;
struct entry *entry_free(struct entry *e);

/* True if a vassal was told of. */
bool entry_is_told(const struct entry *e);

/* Something happened to the file of @e. With @complete nobody is writing to it any more, as far as
 * was seen. */
void entry_touch(struct entry *e, bool complete);

/* Looks at it now. The entry may be freed by that. */
void entry_look(struct entry *e);

/* True if a complete look at everything has to look at this one too: it may have changed. */
bool entry_may_differ(const struct entry *e);

/* Watches what the file depends on, anew. */
void entry_follow(struct entry *e);

/* Adds an included file, or forgets all with NULL. */
void entry_include(struct entry_item *i, const char *path);
