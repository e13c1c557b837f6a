/* SPDX-License-Identifier: MIT */
/* From a vassal's record to a running process: command line, environment, descriptors. What the
 * descriptors and variables mean is the contract of ipc/fdmap.h. Called by vassal.c,
 * adoption.c and control-check.c. */
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
#include "emperor/vassal-hook.h"
#include "ipc/fdmap.h"
#include "ipc/message.h"
#include "ipc/surroundings.h"

static const char *const prefixes[] = {"LIEGE_", "UWSGI_"};

/* Variables, without prefix, that say something of the Emperor's own process. */
static const char *const own_names[] = {
    VASSAL_ENV_EMPEROR_FD, VASSAL_ENV_CONFIG_FD, VASSAL_ENV_STATUS_FD,   VASSAL_ENV_DIR,
    VASSAL_ENV_BROODLORD,  EMPEROR_ENV_STATE_FD, EMPEROR_ENV_PROGRAM_FD, "RELOADS",
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

/* What the vassal reads its configuration from. */
static int append_name(struct liege_list *argv, const struct launch *l)
{
    if (l->program)
        return append_program(argv, l->program);
    if (l->sends_config)
        return strv_appendf(argv, "emperor://%s", l->name);
    if (l->name[0] != '/' && strcmp(l->cwd, l->directory) != 0)
        return strv_appendf(argv, "%s/%s", l->directory, l->name); /* it starts elsewhere */
    return strv_append(argv, l->name);
}

int launch_argv(const struct launch *l, struct liege_list *ret)
{
    const struct emperor_conf *c = l->conf;

    if (strv_append(ret, l->binary) < 0 || (l->check && strv_append(ret, "--check") < 0) ||
        append_each(ret, "--inherit", &c->inherit_before) < 0 ||
        append_each(ret, "--include", &c->include_before) < 0 ||
        append_each(ret, "--set", &c->vassal_set) < 0 ||
        strv_appendf(ret, "--%s", monitor_format_of(l->name)) < 0 || append_name(ret, l) < 0 ||
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
        if (!l->check && l->sends_config &&
            strv_appendf(ret, "%s%s=%d", prefixes[i], VASSAL_ENV_CONFIG_FD, VASSAL_FD_CONFIG) < 0)
            return -ENOMEM;
        if (strv_appendf(ret, "%s%s=%s", prefixes[i], VASSAL_ENV_DIR, l->directory) < 0)
            return -ENOMEM;
    }
    for (size_t i = 0; l->zerg > 0 && i < COUNT_OF(prefixes); i++)
        if (strv_appendf(ret, "%s%s=%u", prefixes[i], VASSAL_ENV_BROODLORD, l->zerg) < 0)
            return -ENOMEM;
    if (l->check)
        return 0;
    return strv_appendf(ret, "LIEGE_%s=%d", VASSAL_ENV_STATUS_FD, VASSAL_FD_STATUS);
}

/* The vassal's ends of what it has in common with its Emperor; negative: it has none of that. */
struct ends {
    int pipe, status, config, log;
};

static void ends_done(struct ends *e)
{
    closep(&e->pipe);
    closep(&e->status);
    closep(&e->config);
    closep(&e->log);
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

/* Runs the program with the vassal's ends; without one of the log, with the Emperor's. */
static int spawn(const struct launch *l, const struct ends *ends, struct proc *ret)
{
    _cleanup_(strv_done) struct liege_list argv = {0}, env = {0};
    _cleanup_close_ int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct launch chosen = *l;

    if (null_fd < 0)
        return -errno;
    chosen.binary = choose_program(l);
    if (launch_argv(&chosen, &argv) < 0 || launch_env(&chosen, &env) < 0)
        return -ENOMEM;
    if (l->conf->start_hook && !l->check) {
        if (vassal_hook_wrap(l->conf->start_hook, l->name, &argv) < 0)
            return -ENOMEM;
        chosen.binary = argv.items[0];
    }
    int fds[] = {
        [STDIN_FILENO] = l->socket_fd >= 0 ? l->socket_fd : null_fd,
        [STDOUT_FILENO] = ends->log >= 0 ? ends->log : STDOUT_FILENO,
        [STDERR_FILENO] = ends->log >= 0 ? ends->log : STDERR_FILENO,
        [VASSAL_FD_EMPEROR] = ends->pipe,
        [VASSAL_FD_STATUS] = ends->status,
        [VASSAL_FD_CONFIG] = ends->config,
    };
    struct proc_exec exec = {
        .path = chosen.binary,
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
static int make_log(int *ret_ours, int *ret_theirs)
{
    int fds[2] = {-EBADF, -EBADF};

    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    *ret_ours = fds[0];
    *ret_theirs = fds[1];
    int r = fd_set_nonblock(fds[0], true);
    if (r == 0 && fchmod(fds[1], 0622) < 0)
        r = -errno;
    return r;
}

/* A stream: our end does not wait, the vassal's does, as under uWSGI. */
static int make_stream(int *ret_ours, int *ret_theirs)
{
    int fds[2] = {-EBADF, -EBADF};
    int r = fd_socketpair(SOCK_STREAM, fds);

    if (r < 0)
        return r;
    *ret_ours = fds[0];
    *ret_theirs = fds[1];
    return fd_set_nonblock(fds[0], true);
}

static int make_status(int *ret_ours, int *ret_theirs)
{
    int fds[2] = {-EBADF, -EBADF};
    int r = message_socketpair(fds);

    *ret_ours = fds[0];
    *ret_theirs = fds[1];
    return r;
}

int launch_check(const struct launch *l, struct proc *ret, int *ret_output)
{
    _cleanup_(ends_done) struct ends theirs = {-EBADF, -EBADF, -EBADF, -EBADF};
    _cleanup_close_ int ours = -EBADF;
    int r = make_log(&ours, &theirs.log);

    if (r == 0)
        r = spawn(l, &theirs, ret);
    if (r == 0)
        *ret_output = TAKE_FD(ours);
    return r;
}

static int make_ends(const struct launch *l, struct ends *ours, struct ends *theirs)
{
    int r = make_stream(&ours->pipe, &theirs->pipe);

    if (r == 0)
        r = make_status(&ours->status, &theirs->status);
    if (r == 0 && l->sends_config)
        r = make_stream(&ours->config, &theirs->config);
    if (r == 0 && !l->conf->log_direct)
        r = make_log(&ours->log, &theirs->log);
    return r;
}

static struct launched take_ends(struct ends *ours, struct proc proc)
{
    return (struct launched){
        .proc = proc,
        .pipe_fd = TAKE_FD(ours->pipe),
        .status_fd = TAKE_FD(ours->status),
        .config_fd = TAKE_FD(ours->config),
        .log_fd = TAKE_FD(ours->log),
    };
}

void launched_done(struct launched *l)
{
    closep(&l->pipe_fd);
    closep(&l->status_fd);
    closep(&l->config_fd);
    closep(&l->log_fd);
    proc_done(&l->proc);
    *l = LAUNCHED_NONE;
}

int launch(const struct launch *l, struct launched *ret)
{
    _cleanup_(ends_done) struct ends ours = {-EBADF, -EBADF, -EBADF, -EBADF};
    _cleanup_(ends_done) struct ends theirs = ours;
    struct proc proc = PROC_NONE;
    int r = make_ends(l, &ours, &theirs);

    if (r == 0)
        r = spawn(l, &theirs, &proc);
    if (r == 0)
        *ret = take_ends(&ours, proc);
    return r;
}

/* Another descriptor of what stays open here. */
static int copy_fd(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    return copy < 0 ? -errno : copy;
}

static int seal_surroundings(const struct launch *l)
{
    _cleanup_(strv_done) struct liege_list env = {0};
    int r = launch_env(l, &env);

    if (r < 0)
        return r;
    const struct surroundings s = {.cwd = (char *)l->cwd, .nofile = *l->nofile, .environ = env};
    return surroundings_seal(&s);
}

/* Puts the parts in that are not ends of ours. Without one of the log, the vassal writes to where
 * the Emperor does. */
static int add_parts(const struct launch *l, int fds[ADOPTION_PART_COUNT])
{
    int r = seal_surroundings(l);

    fds[ADOPTION_SURROUNDINGS] = r;
    if (r >= 0 && l->socket_fd >= 0)
        r = fds[ADOPTION_SOCKET] = copy_fd(l->socket_fd);
    if (r >= 0 && l->older_fd >= 0)
        r = fds[ADOPTION_OLDER] = copy_fd(l->older_fd);
    if (r >= 0 && fds[ADOPTION_LOG] < 0) {
        r = fds[ADOPTION_LOG] = copy_fd(STDOUT_FILENO);
        if (r >= 0)
            r = fds[ADOPTION_ERRORS] = copy_fd(STDERR_FILENO);
    }
    return r < 0 ? r : 0;
}

int launch_request(const struct launch *l, struct adoption_request *ret_request,
                   struct launched *ret)
{
    _cleanup_(ends_done) struct ends ours = {-EBADF, -EBADF, -EBADF, -EBADF};
    _cleanup_(ends_done) struct ends theirs = ours;
    _cleanup_(adoption_request_done) struct adoption_request request = ADOPTION_REQUEST_NONE;
    int r = make_ends(l, &ours, &theirs);

    if (r == 0)
        r = launch_argv(l, &request.argv);
    if (r < 0)
        return r;
    request.fds[ADOPTION_PIPE] = TAKE_FD(theirs.pipe);
    request.fds[ADOPTION_STATUS] = TAKE_FD(theirs.status);
    request.fds[ADOPTION_CONFIG] = TAKE_FD(theirs.config);
    request.fds[ADOPTION_LOG] = TAKE_FD(theirs.log);
    r = add_parts(l, request.fds);
    if (r < 0)
        return r;
    *ret_request = TAKE(request, ADOPTION_REQUEST_NONE);
    *ret = take_ends(&ours, PROC_NONE);
    return 0;
}
