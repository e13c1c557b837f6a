/* SPDX-License-Identifier: MIT */
/* From a command line to what it asks for. Called by main(), and in a process that a base vassal
 * has forked, which goes on from here (adopted.c). */
#include "instance/start.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/libexec.h"
#include "base/log.h"
#include "base/strv.h"
#include "conf/doc.h"
#include "instance/daemon.h"
#include "instance/master.h"
#include "ipc/config-pipe.h"

static void warn(const char *text)
{
    log_warning("%s", text);
}

static int print_buf(int r, struct buf *b)
{
    if (r == 0 && fwrite(buf_at(b), 1, buf_len(b), stdout) != buf_len(b))
        r = -EIO;
    if (r == 0 && fflush(stdout) != 0)
        r = -errno;
    if (r < 0)
        (void)log_errno(LOG_ERR, r, "cannot write the answer");
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int print_help(const struct registry *r)
{
    struct conf_table all[INSTANCE_MAX_TABLES + 2] = {conf_meta_table, conf_logic_table};
    _cleanup_(buf_done) struct buf out = {0};

    memcpy(all + 2, r->tables, r->n_tables * sizeof(*all));
    return print_buf(doc_help(all, r->n_tables + 2, &out), &out);
}

static int dump_options(const struct registry *r)
{
    const struct conf_table own[] = {conf_meta_table, conf_logic_table};
    _cleanup_(buf_done) struct buf out = {0};
    int e = doc_words(own, COUNT_OF(own), &out);

    return print_buf(e == 0 ? doc_words(r->tables, r->n_tables, &out) : e, &out);
}

static int show_value(const struct registry *r)
{
    _cleanup_(buf_done) struct buf out = {0};
    int e = conf_show_value(&r->conf, r->conf.get, &out);

    if (e != -ENOENT)
        return print_buf(e, &out);
    log_error("nothing is called '%s'", r->conf.get);
    return EXIT_FAILURE;
}

static int answer(const struct registry *r)
{
    _cleanup_(buf_done) struct buf out = {0};

    switch (r->conf.action) {
    case CONF_EXIT:
        return r->conf.exit_code;
    case CONF_HELP:
        return print_help(r);
    case CONF_DUMP_OPTIONS:
        return dump_options(r);
    case CONF_GET:
        return show_value(r);
    case CONF_VERSION:
        return print_buf(buf_printf(&out, "liege %s\n", LIEGE_VERSION), &out);
    case CONF_SHOW_CONFIG:
        return print_buf(conf_show(&r->conf, &out), &out);
    default:
        return print_buf(buf_printf(&out, "%s: the configuration is valid\n",
                                    *r->conf.name ? r->conf.name : "command line"),
                         &out);
    }
}

/* Sets *@ret to the descriptor for daemon_ready(), or -1. */
static int go_to_background(const struct registry *r, bool is_vassal, bool is_newer, int *ret,
                            struct errmsg *err)
{
    const char *file = r->instance.daemonize;

    *ret = -1;
    if (!file || is_newer)
        return 0;
    if (is_vassal)
        return errmsg_set(err, -EINVAL,
                          "daemonize: a vassal must not leave its Emperor: remove the option");
    int fd = daemon_begin(file, err);
    if (fd < 0)
        return fd;
    *ret = fd;
    return 0;
}

/* A vassal may be an Emperor itself: becomes the program that is one. Returns only on failure. */
static void become_emperor(const char *const *args, const struct link *link, struct errmsg *err)
{
    _cleanup_(strv_done) struct liege_list argv = {0};
    _cleanup_free_ char *path = NULL;
    const int fds[] = {link->pipe.fd, link->status.io.fd};
    int r = libexec_find("liege", &path, err);

    if (r == 0)
        r = strv_append(&argv, path);
    if (r == 0)
        r = strv_copy(&argv, args + 1);
    for (size_t i = 0; r == 0 && i < COUNT_OF(fds); i++)
        r = fds[i] < 0 ? 0 : fd_set_cloexec(fds[i], false);
    if (r < 0)
        return;
    assert(path && argv.items);
    (void)execve(path, argv.items, environ);
    (void)errmsg_set_errno(err, -errno, "cannot run %s", path);
}

int instance_start(const struct instance_start *with)
{
    const struct registry_input input = {
        .argv = with->argv,
        .environ = with->environ,
        .sources = with->sources,
        .receive = config_pipe_receive,
        .is_reload = with->older_fd >= 0,
        .warn = warn,
    };
    const pid_t parent = getppid();
    struct registry *registry = NULL;
    struct link link = LINK_NONE;
    struct errmsg err = {""};
    int ready_fd = -1;

    int r = link_open(&link, with->environ, &err);
    if (r == 0)
        r = registry_load(&input, &registry, &err);
    if (r != 0) {
        log_error("%s", err.text);
        link_status(&link, STATUS_FAILED, 0, err.text);
        (void)registry_free(registry);
        return EXIT_FAILURE;
    }
    if (registry_has_emperor(registry)) {
        become_emperor(with->argv, &link, &err);
        log_error("%s", err.text);
        return EXIT_FAILURE;
    }
    if (registry->conf.action == CONF_EXIT)
        log_info("%s", err.text);
    if (registry->conf.action != CONF_RUN) {
        int code = answer(registry);
        (void)registry_free(registry);
        return code;
    }
    if (*registry->conf.name)
        log_set_subject("%s", registry->conf.name);
    r = go_to_background(registry, link_exists(&link), with->older_fd >= 0, &ready_fd, &err);
    if (r < 0) {
        log_error("%s", err.text);
        link_status(&link, STATUS_FAILED, 0, err.text);
        (void)registry_free(registry);
        return EXIT_FAILURE;
    }
    const struct master_start start = {
        .input = input,
        .registry = registry,
        .link = link,
        .emperor = link_exists(&link) ? parent : 0,
        .program = with->program,
        .ready_fd = ready_fd,
        .given_fd = with->given_fd,
        .older_fd = with->older_fd,
        .warm = with->warm,
    };
    source_cache_expire(with->sources);
    with->sources->offline = true; /* from now on there is a loop */
    return master_run(&start);
}
