/* SPDX-License-Identifier: MIT */
/* Finding and loading language plugins. Called in the process that loads applications (the zygote,
 * or each worker with lazy-apps), never in a master or an Emperor. */
#include "app/plugin.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Writes the path of the object, if it is there. */
static bool find_object(const char *dir, const char *name, char *path, size_t size)
{
    (void)snprintf(path, size, "%s/liege_%s.so", dir, name);
    if (access(path, R_OK) == 0)
        return true;
    (void)snprintf(path, size, "%s/plugins/%s/liege_%s.so", dir, name, name);
    return access(path, R_OK) == 0;
}

static int check(const struct liege_plugin *p, const struct liege_plugin_info *info,
                 const char *path, struct errmsg *err)
{
    if (p->abi != LIEGE_PLUGIN_ABI)
        return errmsg_set(err, -ENOEXEC, "%s was built for ABI %u, this server has %u: rebuild it",
                          path, p->abi, LIEGE_PLUGIN_ABI);
    if (p->conf_size != info->conf_size)
        return errmsg_set(err, -ENOEXEC,
                          "%s was built with other options than this server: rebuild "
                          "it",
                          path);
    return 0;
}

int plugin_open(const struct liege_plugin_info *info, const struct liege_plugin **ret,
                struct errmsg *err)
{
    char dir[PATH_MAX], path[PATH_MAX + 64];

    ssize_t n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);
    if (n < 0)
        return errmsg_set_errno(err, -errno, "/proc/self/exe");
    dir[n] = '\0';
    *strrchr(dir, '/') = '\0';
    if (!find_object(dir, info->name, path, sizeof(path)))
        return errmsg_set(err, -ENOENT, "the plugin liege_%s.so is not installed in %s", info->name,
                          dir);

    /* Global: extension modules of the interpreter look for its symbols in the process. */
    void *object = dlopen(path, RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE);
    if (!object)
        return errmsg_set(err, -ENOEXEC, "cannot load %s: %s", path, dlerror());
    const struct liege_plugin *p = dlsym(object, "liege_plugin");
    if (!p)
        return errmsg_set(err, -ENOEXEC, "%s is not a plugin of liege: %s", path, dlerror());
    int r = check(p, info, path, err);
    if (r < 0)
        return r;
    *ret = p;
    return 0;
}
