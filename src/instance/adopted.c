/* SPDX-License-Identifier: MIT */
/* From a copy of a base's zygote to a vassal like any other: what execve(2) would have changed is
 * changed by hand, and what it would have thrown away, but for the applications, is left behind.
 * Then the way is that of every instance, from its command line on (start.h). */
#include "instance/adopted.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/strv.h"
#include "base/title.h"
#include "instance/child.h"
#include "instance/start.h"
#include "ipc/adoption.h"
#include "ipc/fdmap.h"
#include "ipc/surroundings.h"

/* Variables that name descriptors: of each process its own. */
static const struct {
    const char *name;
    enum adoption_part part;
} descriptors[] = {
    {"LIEGE_" VASSAL_ENV_EMPEROR_FD, ADOPTION_PIPE},
    {"UWSGI_" VASSAL_ENV_EMPEROR_FD, ADOPTION_PIPE},
    {"LIEGE_" VASSAL_ENV_CONFIG_FD, ADOPTION_CONFIG},
    {"UWSGI_" VASSAL_ENV_CONFIG_FD, ADOPTION_CONFIG},
    {"LIEGE_" VASSAL_ENV_STATUS_FD, ADOPTION_STATUS},
};

static _noreturn_ void give_up(int fd, const struct errmsg *err)
{
    log_error("cannot be an Emperor's vassal: %s", err->text);
    adoption_refuse(fd, err->text);
    _exit(EXIT_FAILURE);
}

/* True if @fd is one of the zygote's own, or the connection. */
static bool is_of_zygote(const struct child_start *start, int connection, int fd)
{
    const int own[] = {
        STDIN_FILENO,      STDOUT_FILENO,         STDERR_FILENO,         connection,
        start->channel_fd, start->queue->give_fd, start->queue->take_fd, start->logger->give_fd,
        start->output_fd};

    for (size_t i = 0; i < COUNT_OF(own); i++)
        if (own[i] == fd)
            return true;
    return false;
}

/* What the applications have opened stays; what the zygote had of its master goes. */
static int leave_base(const struct child_start *start, int connection, struct warm *ret)
{
    const int gone[] = {start->channel_fd, start->queue->give_fd, start->queue->take_fd,
                        start->logger->give_fd, start->output_fd};
    size_t n = 0;

    log_set_fd(STDERR_FILENO, NULL);
    /* A master has to hear of its children, and has a way with closed pipes of its own. */
    (void)sigaction(SIGPIPE, NULL, &ret->on_pipe);
    (void)sigaction(SIGCHLD, NULL, &ret->on_child);
    (void)signal(SIGCHLD, SIG_DFL);
    int r = proc_list_fds(&ret->fds, &n);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n; i++)
        if (!is_of_zygote(start, connection, ret->fds[i]))
            ret->fds[ret->n_fds++] = ret->fds[i];
    for (size_t i = 0; i < COUNT_OF(gone); i++)
        if (gone[i] > STDERR_FILENO)
            (void)close(gone[i]);
    return 0;
}

/* A group of its own, and no life after the Emperor's, who is who asks. -ESRCH: he is not our
 * parent, as the base has died before it could leave us to him. */
static int become_vassal(int fd, struct errmsg *err)
{
    struct ucred emperor = {.pid = 0};
    socklen_t len = sizeof(emperor);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &emperor, &len) < 0 || setpgid(0, 0) < 0)
        return errmsg_set_errno(err, -errno, "process group");
    int r = proc_die_with_parent(emperor.pid);
    return r < 0 ? errmsg_set_errno(err, r, "its parent is not who asked") : 0;
}

static bool names_descriptor(const char *variable)
{
    for (size_t i = 0; i < COUNT_OF(descriptors); i++) {
        size_t len = strlen(descriptors[i].name);
        if (strncmp(variable, descriptors[i].name, len) == 0 && variable[len] == '=')
            return true;
    }
    return false;
}

/* The environment that execve(2) would have given it: @from, and what the Emperor's descriptors are
 * here. Of the base's nothing is left. */
static int set_environment(const struct adoption_request *request, const char *const *from,
                           struct liege_list *ret)
{
    int r = 0;

    for (size_t i = 0; r == 0 && from[i]; i++)
        if (!names_descriptor(from[i]))
            r = strv_append(ret, from[i]);
    for (size_t i = 0; r == 0 && i < COUNT_OF(descriptors); i++) {
        int fd = request->fds[descriptors[i].part];
        if (fd >= 0)
            r = strv_appendf(ret, "%s=%d", descriptors[i].name, fd);
    }
    return r;
}

/* The C library changes its array, and the list is to stay as it is. */
static int install_environment(const struct liege_list *list)
{
    char **copy = calloc(list->n_items + 1, sizeof(*copy));

    if (!copy)
        return -ENOMEM;
    for (size_t i = 0; i < list->n_items; i++)
        copy[i] = list->items[i];
    environ = copy;
    tzset(); /* the applications may have had their own time zone */
    return 0;
}

static int enter_surroundings(const struct surroundings *s, struct errmsg *err)
{
    if (chdir(s->cwd) < 0)
        return errmsg_set_errno(err, -errno, "%s", s->cwd);
    if (setrlimit(RLIMIT_NOFILE, &s->nofile) < 0)
        return errmsg_set_errno(err, -errno, "limit of descriptors");
    return 0;
}

static int take_log(int fds[ADOPTION_PART_COUNT], struct errmsg *err)
{
    int *out = &fds[ADOPTION_LOG], *errors = &fds[ADOPTION_ERRORS];

    if (*out < 0)
        return 0; /* it writes where the base does */
    if (dup2(*out, STDOUT_FILENO) < 0 || dup2(*errors < 0 ? *out : *errors, STDERR_FILENO) < 0)
        return errmsg_set_errno(err, -errno, "log");
    closep(out);
    closep(errors);
    *out = *errors = -1;
    return 0;
}

/* Makes of this process what @request says. */
static int settle(struct adoption_request *request, const struct pristine *before,
                  struct liege_list *ret_env, struct errmsg *err)
{
    _cleanup_(surroundings_done) struct surroundings s = {0};
    const int fd = request->fds[ADOPTION_SURROUNDINGS];
    int r = take_log(request->fds, err);

    (void)umask(before->umask);
    if (r == 0 && fd >= 0) {
        r = surroundings_read(fd, &s);
        r = r < 0 ? errmsg_set_errno(err, r, "surroundings") : enter_surroundings(&s, err);
    }
    if (r < 0)
        return r;
    const char *const none[] = {NULL};
    char *const *from = fd >= 0 ? s.environ.items : before->environ.items; /* uWSGI sends none */
    r = set_environment(request, from ? (const char *const *)from : none, ret_env);
    if (r == 0)
        r = install_environment(ret_env);
    if (fd >= 0)
        (void)close(fd);
    request->fds[ADOPTION_SURROUNDINGS] = -1;
    return r < 0 ? errmsg_set_errno(err, r, "environment") : 0;
}

_noreturn_ void adopted_main(const struct child_start *start, const struct apps *apps,
                             const struct pristine *before, int fd)
{
    static struct adoption_request request; /* what is in these lives as long as the process */
    static struct source_cache sources;
    static struct liege_list env;
    static struct warm warm;
    struct errmsg err = {""};

    warm.apps = *apps;
    log_set_subject("liege");
    title_set("liege: adopted");
    int r = leave_base(start, fd, &warm);
    if (r < 0)
        (void)errmsg_set_errno(&err, r, "descriptors");
    if (r == 0)
        r = become_vassal(fd, &err);
    if (r == -ESRCH)
        _exit(EXIT_FAILURE); /* no answer: the vassal waits for the next base */
    if (r == 0)
        r = adoption_receive(fd, &request, &err);
    if (r == 0)
        r = settle(&request, before, &env, &err);
    if (r < 0)
        give_up(fd, &err);
    if (adoption_answer(fd) < 0)
        _exit(EXIT_FAILURE); /* it wants us no more */
    (void)close(fd);
    const struct instance_start as = {
        .argv = (const char *const *)request.argv.items,
        .environ = (const char *const *)env.items,
        .program = request.argv.items[0],
        .sources = &sources,
        .older_fd = request.fds[ADOPTION_OLDER],
        .given_fd = request.fds[ADOPTION_SOCKET],
        .warm = &warm,
    };
    /* The exit handlers are the interpreters', which this process does not run. */
    _exit(instance_start(&as));
}
