/* SPDX-License-Identifier: MIT */
/* From a vassal's record to a running process: command line, environment, descriptors. What the
 * descriptors and variables mean is the contract of ipc/fdmap.h. Called by vassal.c alone. */
#include "emperor/launch.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/strv.h"
#include "emperor/monitor.h"
#include "ipc/fdmap.h"
#include "ipc/message.h"

static const char *const prefixes[] = {"LIEGE_", "UWSGI_"};

/* Variables, without prefix, that say something of the Emperor's own process. */
static const char *const own_names[] = {
    VASSAL_ENV_EMPEROR_FD,
    VASSAL_ENV_CONFIG_FD,
    VASSAL_ENV_STATUS_FD,
    VASSAL_ENV_DIR,
    EMPEROR_ENV_STATE_FD,
    EMPEROR_ENV_PROGRAM_FD,
    "RELOADS",
};

static int append_each(struct liege_list *argv, const char *option, const struct liege_list *values)
{
    for (size_t i = 0; i < values->n_items; i++)
        if (strv_append(argv, option) < 0 || strv_append(argv, values->items[i]) < 0)
            return -ENOMEM;
    return 0;
}

/* Appends exec://PATH, for a shell. */
static int append_program(struct liege_list *argv, const char *path)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/";
    _cleanup_(buf_done) struct buf text = {0};
    bool is_plain = path[strspn(path, plain)] == '\0';
    int r = buf_printf(&text, "exec://%s", is_plain ? path : "'");

    for (const char *c = path; r == 0 && !is_plain && *c; c++)
        r = *c == '\'' ? buf_printf(&text, "'\\''") : buf_append(&text, c, 1);
    if (r == 0)
        r = buf_append(&text, is_plain ? "" : "'", is_plain ? 1 : 2);
    return r < 0 ? r : strv_append(argv, buf_at(&text));
}

int launch_argv(const struct launch *l, struct liege_list *ret)
{
    const struct emperor_conf *c = l->conf;

    if (strv_append(ret, l->binary) < 0 || (l->check && strv_append(ret, "--check") < 0) ||
        append_each(ret, "--inherit", &c->inherit_before) < 0 ||
        append_each(ret, "--include", &c->include_before) < 0 ||
        append_each(ret, "--set", &c->vassal_set) < 0 ||
        strv_appendf(ret, "--%s", monitor_format_of(l->name)) < 0 ||
        (l->program ? append_program(ret, l->program) : strv_append(ret, l->name)) < 0 ||
        append_each(ret, "--inherit", &c->inherit) < 0 ||
        append_each(ret, "--include", &c->include) < 0)
        return -ENOMEM;
    return 0;
}

/* True if the variable @var (without prefix, @len bytes) is how the environment spells the option
 * @name. */
static bool spells_option(const char *var, size_t len, const char *name, size_t name_len)
{
    if (len != name_len)
        return false;
    for (size_t i = 0; i < len; i++)
        if (tolower((unsigned char)var[i] == '_' ? '-' : var[i]) != name[i])
            return false;
    return true;
}

static bool is_emperor_option(const char *var, size_t len)
{
    for (size_t i = 0; i < emperor_options_count; i++) {
        const struct liege_option *o = &emperor_options[i];
        if (spells_option(var, len, o->name, strlen(o->name)))
            return true;
        for (const char *alias = o->aliases; alias && *alias;) {
            size_t n = strcspn(alias, " ");
            if (spells_option(var, len, alias, n))
                return true;
            alias += n;
            alias += strspn(alias, " ");
        }
    }
    return false;
}

static bool is_own(const char *var, size_t len)
{
    for (size_t i = 0; i < COUNT_OF(own_names); i++)
        if (strlen(own_names[i]) == len && memcmp(own_names[i], var, len) == 0)
            return true;
    return is_emperor_option(var, len);
}

/* Appends the variable @text ("NAME=VALUE") as a vassal shall see it, if it shall. */
static int append_variable(struct liege_list *env, const char *text)
{
    if (str_starts(text, "NOTIFY_SOCKET="))
        return 0;
    for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
        if (!str_starts(text, prefixes[i]))
            continue;
        const char *var = text + strlen(prefixes[i]);
        if (is_own(var, strcspn(var, "=")))
            return 0;
        if (str_starts(var, VASSAL_ENV_OPTION))
            return strv_appendf(env, "%s%s", prefixes[i], var + strlen(VASSAL_ENV_OPTION));
    }
    return strv_append(env, text);
}

int launch_env(const struct launch *l, struct liege_list *ret)
{
    for (const char *const *text = l->environ; *text; text++)
        if (append_variable(ret, *text) < 0)
            return -ENOMEM;
    for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
        if (!l->check &&
            strv_appendf(ret, "%s%s=%d", prefixes[i], VASSAL_ENV_EMPEROR_FD, VASSAL_FD_EMPEROR) < 0)
            return -ENOMEM;
        if (strv_appendf(ret, "%s%s=%s", prefixes[i], VASSAL_ENV_DIR, l->directory) < 0)
            return -ENOMEM;
    }
    if (l->check)
        return 0;
    return strv_appendf(ret, "LIEGE_%s=%d", VASSAL_ENV_STATUS_FD, VASSAL_FD_STATUS);
}

/* Runs the program with the vassal's ends of pipe, status channel and log (-1: the Emperor's). */
static int spawn(const struct launch *l, int pipe_fd, int status_fd, int log_fd, struct proc *ret)
{
    _cleanup_(strv_done) struct liege_list argv = {0}, env = {0};
    _cleanup_close_ int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null_fd < 0)
        return -errno;
    if (launch_argv(l, &argv) < 0 || launch_env(l, &env) < 0)
        return -ENOMEM;
    int fds[] = {
        [STDIN_FILENO] = l->socket_fd >= 0 ? l->socket_fd : null_fd,
        [STDOUT_FILENO] = log_fd >= 0 ? log_fd : STDOUT_FILENO,
        [STDERR_FILENO] = log_fd >= 0 ? log_fd : STDERR_FILENO,
        [VASSAL_FD_EMPEROR] = pipe_fd,
        [VASSAL_FD_STATUS] = status_fd,
    };
    struct proc_exec exec = {
        .path = l->binary,
        .argv = argv.items,
        .envp = env.items,
        .cwd = l->cwd,
        .fds = fds,
        .n_fds = l->check ? STDERR_FILENO + 1 : COUNT_OF(fds),
        .nofile = l->nofile,
    };
    return proc_spawn(&exec, ret);
}

/* The pipe of the log: our end does not wait, the vassal's does. Whoever runs as another user in
 * the vassal may open it by its name, /dev/stderr. */
static int make_log(int ret_fds[2])
{
    if (pipe2(ret_fds, O_CLOEXEC) < 0)
        return -errno;
    int r = fd_set_nonblock(ret_fds[0], true);
    if (r == 0 && fchmod(ret_fds[1], 0622) < 0)
        r = -errno;
    return r;
}

int launch_check(const struct launch *l, struct proc *ret, int *ret_output)
{
    int fds[2] = {-EBADF, -EBADF};
    int r = make_log(fds);
    _cleanup_close_ int ours = fds[0], theirs = fds[1];

    if (r == 0)
        r = spawn(l, -EBADF, -EBADF, theirs, ret);
    if (r == 0)
        *ret_output = TAKE_FD(ours);
    return r;
}

/* The program for the vassal: the first of emperor-wrapper-override that can be run, else its own,
 * else the first of emperor-wrapper-fallback. */
static const char *choose_program(const struct launch *l)
{
    const struct liege_list *first = &l->conf->wrapper_override, *last = &l->conf->wrapper_fallback;

    for (size_t i = 0; i < first->n_items; i++)
        if (access(first->items[i], X_OK) == 0)
            return first->items[i];
    if (last->n_items == 0 || access(l->binary, X_OK) == 0)
        return l->binary;
    for (size_t i = 0; i < last->n_items; i++)
        if (access(last->items[i], X_OK) == 0)
            return last->items[i];
    return l->binary;
}

int launch(const struct launch *with, struct launched *ret)
{
    struct launch chosen = *with, *l = &chosen;

    int pipe_fds[2] = {-EBADF, -EBADF}, status_fds[2] = {-EBADF, -EBADF};
    int log_fds[2] = {-EBADF, -EBADF};
    struct launched done = {.proc = PROC_NONE};

    chosen.binary = choose_program(with);
    int r = fd_socketpair(SOCK_STREAM, pipe_fds);
    if (r < 0)
        return r;
    _cleanup_close_ int our_pipe = pipe_fds[0], their_pipe = pipe_fds[1];
    r = fd_set_nonblock(our_pipe, true); /* the vassal's end waits, as it does under uWSGI */
    if (r == 0)
        r = message_socketpair(status_fds);
    if (r < 0)
        return r;
    _cleanup_close_ int our_status = status_fds[0], their_status = status_fds[1];

    r = l->conf->log_direct ? 0 : make_log(log_fds);
    _cleanup_close_ int our_log = log_fds[0], their_log = log_fds[1];
    if (r == 0)
        r = spawn(l, their_pipe, their_status, their_log, &done.proc);
    if (r < 0)
        return r;
    done.pipe_fd = TAKE_FD(our_pipe);
    done.status_fd = TAKE_FD(our_status);
    done.log_fd = TAKE_FD(our_log);
    *ret = done;
    return 0;
}
