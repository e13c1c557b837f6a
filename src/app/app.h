/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

#include "app/app-conf.h"
#include "base/errmsg.h"
#include "liege/plugin.h"

/* The applications of an instance: which prefix of the path belongs to which, and the languages
 * that run them. One for each process that loads applications; workers inherit it by fork. */
struct app_mount {
    char *prefix; /* "" or "/prefix", no slash at the end */
    size_t prefix_len;
    const struct liege_plugin *plugin;
    void *app; /* the plugin's */
};

struct apps {
    struct app_mount *mounts; /* the longest prefix first */
    size_t n_mounts;
    struct app_mount early; /* the first that was loaded early; @plugin is NULL: there is none */
    const struct liege_plugin *plugins[8]; /* started ones */
    size_t n_plugins;
};

struct apps_input {
    const struct app_conf *conf;
    const void *const *plugin_confs; /* by index of languages */
    const bool *plugin_wanted;       /* an option of it names an application */
    const struct liege_host *host;   /* its settings say in which order early options act */
    bool is_base;                    /* its vassals name applications: it needs none itself */
};

/* Does what the early options say, starts the languages that are wanted and loads every
 * application; the first early one serves everything if no option names another. Returns 0, or a
 * negative errno with @err saying place and cause (-ENOENT: there is no application, and one is
 * needed). */
int apps_load(struct apps *a, const struct apps_input *in, struct errmsg *err) _must_check_;

/* As apps_load(), where @a has been inherited, by forks, from a process that loaded for another
 * instance: what that one has loaded is there already, and its first early application comes after
 * the ones of @in. Nothing else of its settings is left, its mounts neither. To be called after
 * apps_after_fork_child(). -EBUSY: a language would have to be started anew. */
int apps_adopt(struct apps *a, const struct apps_input *in, struct errmsg *err) _must_check_;

/* All that is to be loaded has been, and forks follow, by which the memory is shared: see settle()
 * of liege/plugin.h. What is free of it goes back to the kernel. */
void apps_settle(const struct apps *a);

/* The mount of @path: the longest prefix that ends at a slash or at the end of the path; NULL when
 * none fits. */
const struct app_mount *apps_route(const struct apps *a, const char *path, size_t len);

/* What a thread or a descriptor is to an application: see liege/plugin.h. */
bool apps_describe_thread(const struct apps *a, pid_t tid, char *text, size_t size);
bool apps_describe_fd(const struct apps *a, int fd, char *text, size_t size);

/* Calls @add for each file that was loaded since the last call. False if no language wants that. */
bool apps_sources(const struct apps *a, void (*add)(void *data, const char *path), void *data);

/* Calls the hook of that name in every language that has it. */
void apps_before_fork(const struct apps *a);
void apps_after_fork_parent(const struct apps *a);
void apps_after_fork_child(const struct apps *a);
int apps_zygote_start(const struct apps *a, struct errmsg *err) _must_check_;
int apps_worker_start(const struct apps *a, struct errmsg *err) _must_check_;
void apps_wait_begin(const struct apps *a);
void apps_wait_end(const struct apps *a);

/* Where the interpreters are: see dump() of liege/plugin.h. */
void apps_dump(const struct apps *a, int fd);
void apps_stop(const struct apps *a);
