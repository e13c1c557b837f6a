/* SPDX-License-Identifier: MIT */
/* Opening files beneath a directory, with openat2(2) and RESOLVE_BENEATH: the kernel refuses what
 * would leave it, at every step and without a race. A symbolic link that is absolute is refused by
 * it too, also one that comes back; such a name is resolved a second time without opening it
 * (O_PATH), and opened beneath the root or the safe directory that it turned out to lie in, with no
 * symbolic link left to follow. So nothing is ever opened that was only checked before.
 *
 * The directory is held open; when a name is not found it may have been replaced by another
 * directory, which is then used for that request. State does not change: any thread may open. */
#include "static/root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/path.h"

#define READ_FLAGS (O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
#define RETRIES    16 /* when a directory on the way is being renamed (EAGAIN) */

static int open_how(int dir_fd, const char *name, uint64_t flags, uint64_t resolve)
{
    struct open_how how = {.flags = flags, .resolve = resolve};
    long fd = -1;

    for (int i = 0; i < RETRIES; i++) {
        fd = syscall(SYS_openat2, dir_fd, *name == '\0' ? "." : name, &how, sizeof(how));
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
            break;
    }
    return fd < 0 ? -errno : (int)fd;
}

int static_root_supported(struct errmsg *err)
{
    _cleanup_close_ int fd = open_how(AT_FDCWD, "/", O_PATH | O_CLOEXEC, RESOLVE_NO_MAGICLINKS);

    if (fd != -ENOSYS && fd != -EPERM)
        return 0;
    return errmsg_set(err, -ENOSYS,
                      "static files need openat2(2): Linux 5.6 or later, and no filter of system "
                      "calls that refuses it");
}

static int open_directory(const char *path)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

int static_root_init(struct static_root *root, const char *path, int *ret_error)
{
    struct stat st;

    *root = (struct static_root){.fd = -EBADF, .path = path_make_absolute(path)};
    if (!root->path)
        return -ENOMEM;
    root->real = realpath(root->path, NULL);
    if (!root->real)
        root->real = strdup(root->path);
    if (!root->real) {
        static_root_done(root);
        return -ENOMEM;
    }
    if (stat(root->path, &st) < 0) {
        *ret_error = -errno;
        return 1;
    }
    if (!S_ISDIR(st.st_mode))
        return 0;
    root->fd = open_directory(root->path);
    if (root->fd < 0 || fstat(root->fd, &st) < 0) {
        *ret_error = root->fd < 0 ? root->fd : -errno;
        return 1;
    }
    root->dev = st.st_dev;
    root->ino = st.st_ino;
    return 0;
}

void static_root_done(struct static_root *root)
{
    free(root->path);
    free(root->real);
    closep(&root->fd);
    *root = (struct static_root){.fd = -EBADF};
}

/* The part of @path behind the directory @dir, or NULL if it is not below it. */
static const char *below(const char *path, const char *dir)
{
    size_t len = strlen(dir);

    while (len > 0 && dir[len - 1] == '/')
        len--;
    if (strncmp(path, dir, len) != 0 || path[len] != '/')
        return NULL;
    return path + len + 1;
}

/* Where the descriptor leads. */
static int path_of(int fd, char path[PATH_MAX])
{
    char link[sizeof("/proc/self/fd/") + 10];

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, PATH_MAX - 1);
    if (n < 0)
        return -errno;
    path[n] = '\0';
    return 0;
}

static int open_plain(const struct static_root *root, const char *real)
{
    const char *rest = root->fd >= 0 ? below(real, root->real) : NULL;

    return rest ? open_how(root->fd, rest, READ_FLAGS, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)
                : -EXDEV;
}

/* The name left the root by a symbolic link: opens it if it came back, or came to a safe place. */
static int open_outside(const struct static_root *root, int dir_fd, const char *name,
                        const struct static_root *safe, size_t n_safe)
{
    _cleanup_close_ int fd = open_how(dir_fd, name, O_PATH | O_CLOEXEC, RESOLVE_NO_MAGICLINKS);
    char real[PATH_MAX];

    if (fd < 0)
        return fd;
    int r = path_of(fd, real);
    if (r < 0)
        return r;
    r = open_plain(root, real);
    for (size_t i = 0; r == -EXDEV && i < n_safe; i++)
        r = open_plain(&safe[i], real);
    return r;
}

static int open_below(const struct static_root *root, int dir_fd, const char *name,
                      const struct static_root *safe, size_t n_safe)
{
    int fd = open_how(dir_fd, name, READ_FLAGS, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);

    return fd == -EXDEV ? open_outside(root, dir_fd, name, safe, n_safe) : fd;
}

/* True if the root is another directory now than at the start. */
static bool is_replaced(const struct static_root *root)
{
    struct stat st;

    return stat(root->path, &st) == 0 && S_ISDIR(st.st_mode) &&
           (root->fd < 0 || st.st_dev != root->dev || st.st_ino != root->ino);
}

static int open_name(const struct static_root *root, const char *name,
                     const struct static_root *safe, size_t n_safe)
{
    int fd = root->fd < 0 ? -ENOENT : open_below(root, root->fd, name, safe, n_safe);

    if (fd != -ENOENT || !is_replaced(root))
        return fd;
    _cleanup_close_ int dir_fd = open_directory(root->path);
    return dir_fd < 0 ? dir_fd : open_below(root, dir_fd, name, safe, n_safe);
}

/* The root itself, which the operator has named: its links are the operator's, too. */
static int open_root(const struct static_root *root, const char *suffix)
{
    char path[PATH_MAX];

    if ((size_t)snprintf(path, sizeof(path), "%s%s", root->path, suffix) >= sizeof(path))
        return -ENAMETOOLONG;
    int fd = open(path, READ_FLAGS);
    return fd < 0 ? -errno : fd;
}

int static_root_open(const struct static_root *root, const char *name, const char *suffix,
                     const struct static_root *safe, size_t n_safe, struct static_file *ret)
{
    _cleanup_close_ int fd = -EBADF;
    char full[PATH_MAX];
    struct static_file file;

    if ((size_t)snprintf(full, sizeof(full), "%s%s", name, suffix) >= sizeof(full))
        return -ENAMETOOLONG;
    fd = *name == '\0' ? open_root(root, suffix) : open_name(root, full, safe, n_safe);
    if (fd < 0)
        return fd;
    if (fstat(fd, &file.st) < 0)
        return -errno;
    file.fd = TAKE_FD(fd);
    *ret = file;
    return 0;
}
