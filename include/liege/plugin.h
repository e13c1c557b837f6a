/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "liege/app.h"
#include "liege/option.h"

/* A language plugin is a shared object with one exported symbol, `liege_plugin`, a const struct
 * liege_plugin. It includes include/liege/ and nothing else of liege, and calls back only through
 * the struct liege_host that start() is given. */

#define LIEGE_PLUGIN_ABI 5

/* A sentence for the operator: where (file:line) and why. */
struct liege_error {
    char text[1024];
};

/* A setting of the instance, in the order it was given, expanded: what `opt` shows. */
struct liege_setting {
    const char *key, *value;
};

enum liege_log_level {
    LIEGE_LOG_ERROR = 3, /* the values are syslog's */
    LIEGE_LOG_WARNING = 4,
    LIEGE_LOG_INFO = 6,
    LIEGE_LOG_DEBUG = 7,
};

/* What the server offers to a plugin. Valid for the life of the process, and after its forks. */
struct liege_host {
    uint32_t size;       /* of this structure, in bytes: newer hosts have more at the end */
    const char *version; /* of liege: "0.1.0" */
    const char *name;    /* of the instance: its configuration's name */
    const struct liege_setting *settings;
    size_t n_settings;
    bool multiprocess; /* more than one worker */
    bool multithread;  /* more than one thread calls the application in a worker */
    uint64_t n_workers;

    /* For the request that is being answered: to be looked up in each call. */
    const struct liege_respond *respond;
    const struct liege_body *body;

    /* Writes lines to the log of the instance; @text may have several, each gets the name. */
    void (*log)(enum liege_log_level level, const char *text, size_t len);

    int (*worker_id)(void); /* 1 ..., or 0 outside a worker */
    int64_t (*master_pid)(void);
    int (*reload)(void); /* asks the master for a reload of the instance; 0 or a negative errno */

    bool on_heap; /* other instances will be forked from what is loaded: its memory shall be of
                     malloc(3) */
};

struct liege_plugin {
    uint32_t abi;        /* LIEGE_PLUGIN_ABI: read before anything else */
    uint32_t conf_size;  /* bytes of the structure that the plugin's options fill */
    const char *name;    /* "python" */
    const char *version; /* of the interpreter: "Python 3.11.2" */

    /* Starts the interpreter. @conf is the filled structure; it and @host stay valid until adopt()
     * gives others. Called once, in the process that loads applications. Returns 0, or a negative
     * errno with @err. */
    int (*start)(const struct liege_host *host, const void *conf, struct liege_error *err);

    /* Does what an option with LIEGE_OPTION_EARLY says: called for each that is set, in the order
     * of the configuration, after start() and before prepare(). @option is its name, not an alias.
     * If it loads an application, that is in *@ret_app, as from load(). May be NULL. */
    int (*early)(const char *option, const char *value, void **ret_app, struct liege_error *err);

    /* The early options are done, applications are loaded next: runs what is to run before them
     * (perl-exec). May be NULL. */
    int (*prepare)(struct liege_error *err);

    /* Loads an application: the one the plugin's own options name when @source is NULL, else the
     * one that "mount = /prefix=SOURCE" names. What was loaded early, or before adopt(), from the
     * same source is given again. The result belongs to the plugin and lives until the process
     * ends. A failure puts place and cause into @err ("/srv/app.py:12: SyntaxError: ...")
     * and the whole traceback into the log. */
    int (*load)(const char *source, void **ret_app, struct liege_error *err);

    /* For the operator, before the process that loaded the applications forks: what the thread @tid
     * (gettid(2)) or the descriptor @fd is to the application, in a few words: "\"poller\" at
     * /srv/app.py:12 in run", "app.database". Return false with @text untouched or empty if the
     * interpreter does not know. May be NULL. */
    bool (*describe_thread)(pid_t tid, char *text, size_t size);
    bool (*describe_fd)(int fd, char *text, size_t size);

    /* Calls @add for each file that code was loaded from since the last call, so that a change of
     * it makes a reload. Returns false if that is not wanted (py-auto-reload). May be NULL. */
    bool (*sources)(void (*add)(void *data, const char *path), void *data);

    /* This process has been forked from one that had started the interpreter for another instance;
     * after_fork_child() has been called. From now on all is as if it had been started with @host
     * and @conf, but what is loaded stays, and is there for load(): early() and prepare() follow.
     * What can be set only by a start, and is set otherwise now, is refused with -EBUSY and @err.
     * NULL: the language cannot be taken over. */
    int (*adopt)(const struct liege_host *host, const void *conf, struct liege_error *err);

    /* All that is to be loaded has been, forks follow: lets memory be as it will stay, so that the
     * pages are shared for long, and writes out what is buffered. Returns false if nothing has been
     * loaded since the last call, also one in a process that this one was forked from. May be
     * NULL. */
    bool (*settle)(void);

    /* Around each fork of the process that loaded the applications. All may be NULL. */
    void (*before_fork)(void);
    void (*after_fork_parent)(void);
    void (*after_fork_child)(void);

    /* In a copy of a worker, after after_fork_child(), that is to be forked from itself: the
     * application gives up what it must not share. May be NULL. */
    int (*zygote_start)(struct liege_error *err);

    /* In each worker, after the fork and after the privileges were dropped, before any request. */
    int (*worker_start)(struct liege_error *err);

    /* Runs the application (req->app) and answers through host->respond. Returns after the answer
     * has been handed over and the application has been told (close(), psgix.cleanup). */
    void (*call)(struct liege_request *req);

    /* Around the worker's waiting for events: gives the interpreter's lock to other threads. */
    void (*wait_begin)(void);
    void (*wait_end)(void);

    /* Writes to @fd, as lines of text, where the interpreter's threads are: file and line of each
     * call. For a worker that is about to be killed: on any thread, without the interpreter's lock,
     * whatever the others are doing. It may do what a signal handler may. May be NULL. */
    void (*dump)(int fd);

    /* The process ends: runs the interpreter's exit handlers. It is not called on a kill. */
    void (*stop)(void);
};

/* What is known of a plugin without loading it: linked into liege as plain data. */
struct liege_plugin_info {
    const char *name;     /* finds the shared object: liege_NAME.so */
    const char *suffixes; /* of files it loads, separated by blanks: ".py .wsgi" */
    const struct liege_option *options;
    size_t n_options;
    size_t conf_size; /* bytes of the structure that the options fill */
};
