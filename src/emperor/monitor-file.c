/* SPDX-License-Identifier: MIT */
/* Monitors of files: takes what inotify says of single names to their entries, and looks at
 * everything when that is not enough: at the start, when a watch or events were lost, when a
 * directory appears or is another one, on request.
 *
 * What cannot be watched (no watches left, a file system whose changes come from elsewhere) is
 * looked at every emperor-freq seconds; only then is there a timer. A look that fails is logged
 * once and stops nobody. Used by monitor-dir.c and monitor-glob.c. */
#include "emperor/monitor-file.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/vfs.h>

#include "base/clock.h"
#include "base/log.h"
#include "emperor/monitor-entry.h"

/* New files of a scan are told in portions of about this time: ten thousand of them leave room for
 * whatever else happens. */
#define PORTION_US (2 * US_PER_MS)

/* Between two looks at everything: whoever owns a directory that is watched can ask for them. */
#define DISTANCE_US (100 * US_PER_MS)

#define CIFS_MAGIC 0xFF534D42
#define FUSE_MAGIC 0x65735546

/* File systems that others write to unseen by our kernel. */
static const uint32_t remote_magics[] = {
    NFS_SUPER_MAGIC, SMB_SUPER_MAGIC,  SMB2_SUPER_MAGIC, CIFS_MAGIC,   V9FS_MAGIC,
    FUSE_MAGIC,      CEPH_SUPER_MAGIC, AFS_SUPER_MAGIC,  AFS_FS_MAGIC,
};

static bool is_remote(const char *directory)
{
    struct statfs fs;

    if (statfs(directory, &fs) < 0)
        return false;
    for (size_t i = 0; i < COUNT_OF(remote_magics); i++)
        if ((uint32_t)fs.f_type == remote_magics[i])
            return true;
    return false;
}

static struct entry *get_entry(struct file_monitor *fm, const char *name, const char *path)
{
    struct entry *e = hash_get(&fm->entries, name);

    if (!e) {
        int r = entry_new(fm, name, path, &e);
        if (r < 0)
            (void)log_errno(LOG_ERR, r, "monitor %s: %s is left out", fm->monitor.source, name);
    }
    return e;
}

void file_monitor_found(struct file_monitor *fm, const char *name, const char *path)
{
    struct entry *e = get_entry(fm, name, path);

    if (!e)
        return;
    e->seen = true;
    if (loop_timer_is_set(&e->timer) || !list_empty(&e->news))
        return; /* it is about to be looked at */
    if (!entry_is_told(e)) {
        list_append(&fm->news, &e->news);
        loop_task_queue(fm->loop, &fm->tell_news);
        return;
    }
    entry_follow(e);
    if (entry_may_differ(e))
        entry_touch(e, false); /* what has happened to it was not seen */
}

/* True if a file that was just created is all there already: nobody can be writing to a symbolic
 * link, nor (as far as we can know) to a file with a second name. */
static bool is_complete(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && (S_ISLNK(st.st_mode) || st.st_nlink > 1);
}

/* True if @mask leaves the file of @e complete, as far as was seen: its writer has closed it, it
 * was put into its place, or its times changed while nobody wrote. */
static bool note_writing(struct entry *e, const char *path, uint32_t mask)
{
    bool put = (mask & IN_MOVED_TO) || ((mask & IN_CREATE) && is_complete(path));

    if (put || (mask & IN_CLOSE_WRITE))
        e->written = false;
    else if (mask & (IN_CREATE | IN_MODIFY))
        e->written = true;
    return put || (mask & IN_CLOSE_WRITE) ||
           ((mask & IN_ATTRIB) && entry_is_told(e) && !e->written);
}

void file_monitor_noticed(struct file_monitor *fm, const char *name, const char *path,
                          uint32_t mask)
{
    bool removed = mask & (IN_DELETE | IN_MOVED_FROM);
    struct entry *e = removed ? hash_get(&fm->entries, name) : get_entry(fm, name, path);

    if (!e || (mask & IN_ISDIR))
        return;
    if (removed)
        e->gone = true;
    else if (mask & (IN_CREATE | IN_MOVED_TO))
        e->gone = false;
    entry_touch(e, removed || note_writing(e, path, mask));
}

/* Lists what is there and marks what is not there any more. */
static int scan(struct file_monitor *fm)
{
    struct entry *e = NULL;

    for (size_t pos = 0; (e = hash_next(&fm->entries, &pos));)
        e->seen = false;
    int r = fm->kind->list(fm);
    if (r < 0)
        return r;
    for (size_t pos = 0; (e = hash_next(&fm->entries, &pos));)
        if (!e->seen) {
            e->gone = true;
            if (!loop_timer_is_set(&e->timer))
                entry_touch(e, true);
        }
    return 0;
}

static void note_trouble(struct file_monitor *fm, int r)
{
    const char *source = fm->monitor.source;

    if (r == fm->trouble)
        return;
    if (r < 0)
        (void)log_errno(LOG_WARNING, r,
                        "monitor %s: cannot look into it, its vassals stay as they are", source);
    else
        log_info("monitor %s: can be looked into again", source);
    fm->trouble = r;
}

int file_monitor_listen(struct file_monitor *fm, struct places_listener *l, const char *path)
{
    int r = places_listen(fm->places, l, path);

    return r == 0 && is_remote(path) ? -EREMOTE : r;
}

void file_monitor_cannot_watch(struct file_monitor *fm, int r)
{
    fm->blind = true;
    if (!fm->blind_told)
        (void)log_errno(LOG_WARNING, r, "monitor %s: cannot watch everything, looking every %.1f s",
                        fm->monitor.source, (double)fm->conf->freq_us / US_PER_SEC);
    fm->blind_told = true;
    if (!loop_timer_is_set(&fm->poll))
        loop_timer_set(fm->loop, &fm->poll, loop_now_us(fm->loop) + fm->conf->freq_us);
}

static void look(struct loop_task *t)
{
    struct file_monitor *fm = container_of(t, struct file_monitor, refresh);

    fm->blind = false;
    fm->due = false;
    fm->lost = false;
    fm->looked_us = loop_now_us(fm->loop);
    loop_timer_clear(fm->loop, &fm->later);
    int r = fm->kind->locate(fm);
    if (r < 0)
        file_monitor_cannot_watch(fm, r);
    r = scan(fm);
    note_trouble(fm, r);
    if (r == 0 && !fm->looked) {
        fm->looked = true;
        loop_task_queue(fm->loop, &fm->tell_news);
    }
    if (fm->blind_told && !fm->blind)
        log_info("monitor %s: everything can be watched now", fm->monitor.source);
    fm->blind_told = fm->blind;
}

/* True if all that was there at the first look is told, or is not there any more: not what is
 * about to be looked at again since something has happened to it. */
static bool is_all_told(const struct file_monitor *fm)
{
    const struct entry *e = NULL;

    for (size_t pos = 0; (e = hash_next(&fm->entries, &pos));)
        if (loop_timer_is_set(&e->timer) && !entry_is_told(e))
            return false;
    return true;
}

static void tell_news(struct loop_task *t)
{
    struct file_monitor *fm = container_of(t, struct file_monitor, tell_news);
    uint64_t end_us = clock_now_us() + PORTION_US;
    struct list *first = NULL;

    while ((first = list_first(&fm->news)) && clock_now_us() < end_us)
        entry_look(container_of(first, struct entry, news));
    if (first) {
        loop_task_queue(fm->loop, t);
    } else if (fm->looked && !fm->settled && is_all_told(fm)) {
        fm->settled = true;
        fm->monitor.fn(fm->monitor.data, &fm->monitor, MONITOR_SETTLED, NULL);
    }
}

static void on_poll(struct loop_timer *t)
{
    file_monitor_refresh(container_of(t, struct file_monitor, poll));
}

static void on_later(struct loop_timer *t)
{
    struct file_monitor *fm = container_of(t, struct file_monitor, later);

    loop_task_queue(fm->loop, &fm->refresh);
}

static void on_lost(void *data, const char *why)
{
    struct file_monitor *fm = data;

    if (!fm->lost)
        log_info("monitor %s: %s, looking at everything again", fm->monitor.source, why);
    fm->lost = true;
    file_monitor_refresh(fm);
}

void file_monitor_refresh(struct file_monitor *fm)
{
    uint64_t at_us = fm->looked_us + DISTANCE_US;

    if (fm->due)
        return;
    fm->due = true;
    if (fm->looked_us == 0 || loop_now_us(fm->loop) >= at_us)
        loop_task_queue(fm->loop, &fm->refresh);
    else
        loop_timer_set(fm->loop, &fm->later, at_us);
}

int file_monitor_init(struct file_monitor *fm, const struct file_monitor_kind *kind,
                      const struct emperor_conf *conf, struct loop *l)
{
    fm->monitor.ops = &file_monitor_ops;
    fm->kind = kind;
    fm->conf = conf;
    fm->loop = l;
    fm->poll.fn = on_poll;
    fm->later.fn = on_later;
    list_init(&fm->news);
    loop_task_init(&fm->refresh, look);
    loop_task_init(&fm->tell_news, tell_news);
    return places_new(l, on_lost, fm, &fm->places);
}

static int start(struct monitor *m)
{
    file_monitor_refresh(container_of(m, struct file_monitor, monitor));
    return 0;
}

static void rescan(struct monitor *m)
{
    struct file_monitor *fm = container_of(m, struct file_monitor, monitor);

    fm->due = true;
    loop_task_queue(fm->loop, &fm->refresh); /* who may ask for that need not wait */
}

static void include(struct monitor *m, struct monitor_item *item, const char *path)
{
    (void)m;
    entry_include(container_of(item, struct entry_item, item), path);
}

static void free_monitor(struct monitor *m)
{
    struct file_monitor *fm = container_of(m, struct file_monitor, monitor);
    struct entry *e = NULL;

    loop_task_cancel(&fm->refresh);
    loop_task_cancel(&fm->tell_news);
    loop_timer_clear(fm->loop, &fm->poll);
    loop_timer_clear(fm->loop, &fm->later);
    for (size_t pos = 0; (e = hash_next(&fm->entries, &pos));)
        (void)entry_free(e);
    hash_done(&fm->entries);
    fm->kind->free(fm);
}

const struct monitor_ops file_monitor_ops = {
    .start = start,
    .rescan = rescan,
    .include = include,
    .free = free_monitor,
};
