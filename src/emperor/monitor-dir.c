/* SPDX-License-Identifier: MIT */
/* The monitor dir://: every configuration in one directory. A vassal is called as its file, and
 * starts in the directory. The directory may be missing, may be unreadable, may be a link that is
 * pointed elsewhere: it is watched for until it is there. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/path.h"
#include "emperor/monitor-file.h"

struct dir_monitor {
    struct file_monitor files;
    struct places_listener listener; /* to the directory */
    struct places_subject way;       /* to what leads there */
    uint64_t inode, device;          /* of the directory at the last look; 0: none yet */
};

static struct dir_monitor *of(struct file_monitor *fm)
{
    return container_of(fm, struct dir_monitor, files);
}

static int path_of(const struct dir_monitor *d, const char *name, char path[PATH_MAX])
{
    int n = snprintf(path, PATH_MAX, "%s/%s", d->files.monitor.directory, name);

    return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static void on_name(struct places_listener *l, uint32_t mask, const char *name)
{
    struct dir_monitor *d = container_of(l, struct dir_monitor, listener);
    char path[PATH_MAX];

    if (monitor_accepts_name(d->files.conf, name) && path_of(d, name, path) == 0)
        file_monitor_noticed(&d->files, name, path, mask);
}

static void on_way(struct places_subject *s, uint32_t mask)
{
    (void)mask;
    file_monitor_refresh(&container_of(s, struct dir_monitor, way)->files);
}

static int locate(struct file_monitor *fm)
{
    struct dir_monitor *d = of(fm);
    const char *directory = fm->monitor.directory;

    places_unlisten(fm->places, &d->listener);
    places_unfollow(fm->places, &d->way);
    int r = file_monitor_listen(fm, &d->listener, directory);
    bool will_be_seen = r == -ENOENT || r == -ENOTDIR || r == -EACCES; /* from above it */
    int way = places_follow(fm->places, &d->way, directory, will_be_seen);
    return will_be_seen ? way : MIN(r, way);
}

static int list(struct file_monitor *fm)
{
    struct dir_monitor *d = of(fm);
    char path[PATH_MAX];
    struct stat st;
    DIR *dir = opendir(fm->monitor.directory);

    if (!dir)
        return -errno;
    int r = fstat(dirfd(dir), &st) < 0 ? -errno : 0;
    if (r == 0 && d->inode != 0 && (d->inode != st.st_ino || d->device != st.st_dev))
        fm->monitor.place++;
    if (r == 0) {
        d->inode = st.st_ino;
        d->device = st.st_dev;
    }
    while (r == 0) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry) {
            r = -errno;
            break;
        }
        if (monitor_accepts_name(fm->conf, entry->d_name) && path_of(d, entry->d_name, path) == 0)
            file_monitor_found(fm, entry->d_name, path);
    }
    (void)closedir(dir);
    return r;
}

static void free_dir(struct file_monitor *fm)
{
    struct dir_monitor *d = of(fm);

    if (fm->places) {
        places_unlisten(fm->places, &d->listener);
        places_unfollow(fm->places, &d->way);
        fm->places = places_free(fm->places);
    }
    free(d);
}

static const struct file_monitor_kind dir_kind = {
    .locate = locate,
    .list = list,
    .free = free_dir,
};

int monitor_dir_new(const char *where, const struct emperor_conf *conf, struct loop *l,
                    struct monitor **ret)
{
    struct dir_monitor *d = calloc(1, sizeof(*d));

    if (!d)
        return -ENOMEM;
    d->listener.fn = on_name;
    places_subject_init(&d->way, on_way);
    int r = file_monitor_init(&d->files, &dir_kind, conf, l);
    /* With its links: what they point to is looked up again at each start. */
    d->files.monitor.directory = path_make_absolute(where);
    if (r == 0 && !d->files.monitor.directory)
        r = -ENOMEM;
    if (r < 0) {
        (void)monitor_free(&d->files.monitor);
        return r;
    }
    *ret = &d->files.monitor;
    return 0;
}
