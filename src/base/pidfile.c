/* SPDX-License-Identifier: MIT */
/* The file is written under another name and renamed. Folders such as /run are root's: what was
 * written with privileges that are gone can neither be removed nor renamed, but it can be written.
 */
#include "base/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"

static char *name_of(const struct pidfile *p, const char *suffix)
{
    char *name = NULL;

    return asprintf(&name, "%s%s%s", p->path, p->second ? ".2" : "", suffix) < 0 ? NULL : name;
}

static int put_pid(int fd)
{
    return dprintf(fd, "%d\n", (int)getpid()) < 0 ? -errno : 0;
}

static int write_new(const struct pidfile *p, const char *name, const struct cred *owner)
{
    _cleanup_free_ char *other = name_of(p, ".new");
    int r = 0;

    if (!other)
        return -ENOMEM;
    _cleanup_close_ int fd =
        open(other, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    if (owner->set_uid && fchown(fd, owner->uid, owner->set_gid ? owner->gid : (gid_t)-1) < 0)
        r = -errno;
    if (r == 0)
        r = put_pid(fd);
    if (r == 0 && rename(other, name) < 0)
        r = -errno;
    if (r < 0)
        (void)unlink(other);
    return r;
}

int pidfile_keep(struct pidfile *p, const char *path)
{
    *p = (struct pidfile){.path = path ? strdup(path) : NULL};
    p->written = p->path != NULL;
    return path && !p->path ? -ENOMEM : 0;
}

int pidfile_write(struct pidfile *p, const char *path, bool second, const struct cred *owner,
                  struct errmsg *err)
{
    *p = (struct pidfile){.second = second};
    if (!path)
        return 0;
    p->path = strdup(path);
    _cleanup_free_ char *name = p->path ? name_of(p, "") : NULL;
    int r = name ? write_new(p, name, owner) : -ENOMEM;
    p->written = r == 0;
    return r < 0 ? errmsg_set_errno(err, r, "cannot write %s%s", path, second ? ".2" : "") : 0;
}

/* The older master has left its file for us, because its folder is not ours. */
static int write_into(const char *path)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC);

    return fd < 0 ? -errno : put_pid(fd);
}

int pidfile_promote(struct pidfile *p, struct errmsg *err)
{
    if (!p->path || !p->second)
        return 0;
    _cleanup_free_ char *name = name_of(p, "");
    p->second = false;
    if (!name)
        return errmsg_set(err, -ENOMEM, "out of memory");
    if (p->written && rename(name, p->path) == 0)
        return 0;
    int r = write_into(p->path);
    p->written = r == 0;
    return r < 0 ? errmsg_set_errno(err, r, "cannot write %s", p->path) : 0;
}

/* True if the file says our pid. */
static bool is_ours(const char *name)
{
    _cleanup_free_ char *text = NULL;
    size_t len = 0;

    return file_read_all(name, 64, &text, &len) == 0 && strtol(text, NULL, 10) == getpid();
}

void pidfile_done(struct pidfile *p, bool leave)
{
    _cleanup_free_ char *name = p->path ? name_of(p, "") : NULL;

    if (name && p->written && !leave && is_ours(name) && unlink(name) < 0)
        (void)!truncate(name, 0); /* at least it names nobody any more */
    free(p->path);
    *p = (struct pidfile){.path = NULL};
}
