/* SPDX-License-Identifier: MIT */
/* Actions are a table. Those of uWSGI that need privileges, or functions of the program, are not
 * here, and an unknown one is an error when the configuration is loaded. */
#include "base/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/proc.h"

/* @first is the argument, or its first word where there are two; @rest what follows it. */
typedef int action_fn(const char *first, const char *rest, struct errmsg *err);

static int fail(struct errmsg *err, const char *what)
{
    return errmsg_set_errno(err, -errno, "%s", what);
}

static int do_chdir(const char *dir, const char *rest, struct errmsg *err)
{
    (void)rest;
    return chdir(dir) < 0 ? fail(err, dir) : 0;
}

static int do_mkdir(const char *dir, const char *rest, struct errmsg *err)
{
    (void)rest;
    return mkdir(dir, 0777) < 0 && errno != EEXIST ? fail(err, dir) : 0;
}

static int do_unlink(const char *file, const char *rest, struct errmsg *err)
{
    (void)rest;
    return unlink(file) < 0 ? fail(err, file) : 0;
}

static int do_putenv(const char *name, const char *value, struct errmsg *err)
{
    return setenv(name, value, 1) < 0 ? fail(err, name) : 0;
}

static int do_chmod(const char *file, const char *mode, struct errmsg *err)
{
    char *end = NULL;
    unsigned long m = strtoul(mode, &end, 8);

    if (*mode == '\0' || *end != '\0' || m > ALLPERMS)
        return errmsg_set(err, -EINVAL, "%s: '%s' is no mode", file, mode);
    return chmod(file, (mode_t)m) < 0 ? fail(err, file) : 0;
}

static int do_sticky(const char *dir, const char *rest, struct errmsg *err)
{
    struct stat st;

    (void)rest;
    if (stat(dir, &st) < 0 || chmod(dir, (st.st_mode & ALLPERMS) | S_ISVTX) < 0)
        return fail(err, dir);
    return 0;
}

/* Without waiting for a reader, should the file be a FIFO. */
static int put(const char *file, int flags, const char *text, const char *end, struct errmsg *err)
{
    const size_t len = strlen(text), end_len = strlen(end);

    _cleanup_close_ int fd = open(file, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | flags, 0666);
    if (fd < 0)
        return fail(err, file);
    if ((len > 0 && write(fd, text, len) != (ssize_t)len) ||
        (end_len > 0 && write(fd, end, end_len) != (ssize_t)end_len))
        return fail(err, file);
    return 0;
}

static int do_create(const char *file, const char *rest, struct errmsg *err)
{
    (void)rest;
    return put(file, O_CREAT | O_TRUNC, "", "", err);
}

static int do_write(const char *file, const char *text, struct errmsg *err)
{
    return put(file, O_CREAT | O_TRUNC, text, "", err);
}

static int do_writen(const char *file, const char *text, struct errmsg *err)
{
    return put(file, O_CREAT | O_TRUNC, text, "\n", err);
}

static int do_append(const char *file, const char *text, struct errmsg *err)
{
    return put(file, O_CREAT | O_APPEND, text, "", err);
}

static int do_appendn(const char *file, const char *text, struct errmsg *err)
{
    return put(file, O_CREAT | O_APPEND, text, "\n", err);
}

static int do_writefifo(const char *file, const char *text, struct errmsg *err)
{
    return put(file, 0, text, "", err);
}

static int do_print(const char *text, const char *rest, struct errmsg *err)
{
    (void)rest;
    (void)err;
    log_text(LOG_INFO, text, strlen(text));
    return 0;
}

/* @parent is us, who ends with whoever wanted this done. */
_noreturn_ static void become_shell(pid_t parent, const char *command)
{
    proc_reset_signals();
    if (proc_die_with_parent(parent) < 0)
        _exit(EXIT_FAILURE);
    (void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

static int do_exec(const char *command, const char *rest, struct errmsg *err)
{
    struct proc child = PROC_NONE;
    const pid_t us = getpid();
    siginfo_t end = {0};
    char text[96];
    int r = proc_fork(&child);

    (void)rest;
    if (r == 0)
        become_shell(us, command);
    if (r < 0)
        return errmsg_set_errno(err, r, "cannot start a process");
    struct pollfd p = {.fd = child.pidfd, .events = POLLIN};
    while (poll(&p, 1, -1) < 0 && errno == EINTR)
        ;
    r = proc_reap(&child, &end);
    if (r == 1 && end.si_code == CLD_EXITED && end.si_status == 0)
        return 0;
    proc_done(&child);
    return errmsg_set(err, -EIO, "the command %s%s", end.si_code == CLD_EXITED ? "" : "was ",
                      proc_describe_end(&end, text, sizeof(text)));
}

static int do_safeexec(const char *command, const char *rest, struct errmsg *err)
{
    return do_exec(command, rest, err) < 0 ? 1 : 0;
}

static int do_exit(const char *code, const char *rest, struct errmsg *err)
{
    (void)rest;
    (void)err;
    _exit((int)(strtol(code, NULL, 10) & 0xff)); /* "" is 0; hook_check() has seen it */
}

/* clang-format off */
static const struct action {
    const char *name;
    action_fn *fn;
    char separator; /* between the first word and the rest; 0: the argument is one */
    bool optional;  /* it may be without an argument */
} actions[] = {
    { "append",    do_append,    ' ', false },
    { "appendn",   do_appendn,   ' ', false },
    { "cd",        do_chdir,     0,   false },
    { "chdir",     do_chdir,     0,   false },
    { "chmod",     do_chmod,     ' ', false },
    { "creat",     do_create,    0,   false },
    { "create",    do_create,    0,   false },
    { "exec",      do_exec,      0,   false },
    { "exit",      do_exit,      0,   true },
    { "log",       do_print,     0,   false },
    { "mkdir",     do_mkdir,     0,   false },
    { "print",     do_print,     0,   false },
    { "putenv",    do_putenv,    '=', false },
    { "safeexec",  do_safeexec,  0,   false },
    { "sticky",    do_sticky,    0,   false },
    { "unlink",    do_unlink,    0,   false },
    { "write",     do_write,     ' ', false },
    { "writefifo", do_writefifo, ' ', false },
    { "writen",    do_writen,    ' ', false },
};
/* clang-format on */

/* *@ret_argument is what follows the colon, or empty. NULL: there is no such action. */
static const struct action *find(const char *hook, const char **ret_argument)
{
    const char *name = hook + (*hook == '!');
    size_t len = strcspn(name, ":");

    *ret_argument = name + len + (name[len] == ':');
    for (size_t i = 0; i < COUNT_OF(actions); i++)
        if (strlen(actions[i].name) == len && memcmp(actions[i].name, name, len) == 0)
            return &actions[i];
    return NULL;
}

int hook_check(const char *hook, char *reason, size_t size)
{
    const char *argument = NULL;
    const struct action *a = find(hook, &argument);

    if (a && (a->optional ||
              (*argument != '\0' && (a->separator == 0 || strchr(argument, a->separator)))))
        return 0;
    if (a) {
        (void)snprintf(reason, size, "'%.60s' is to be %s:ARGUMENT%s", hook, a->name,
                       a->separator == '=' ? ", with NAME=VALUE"
                       : a->separator      ? ", with two words"
                                           : "");
        return -EINVAL;
    }
    int n = snprintf(reason, size, "'%.60s' is no ACTION:ARGUMENT; actions are", hook);
    for (size_t i = 0; i < COUNT_OF(actions) && n >= 0 && (size_t)n < size; i++)
        n += snprintf(reason + n, size - (size_t)n, " %s", actions[i].name);
    return -EINVAL;
}

const char *hook_show(const char *hook, char *text, size_t size)
{
    if (*hook == '!')
        (void)snprintf(text, size, "%.*s", (int)strcspn(hook + 1, ":"), hook + 1);
    else
        (void)snprintf(text, size, "%s", hook);
    return text;
}

int hook_do(const char *hook, struct errmsg *err)
{
    const char *argument = NULL;
    const struct action *a = find(hook, &argument);

    if (!a)
        return errmsg_set(err, -EINVAL, "there is no such action");
    _cleanup_free_ char *first = strdup(argument);
    if (!first)
        return errmsg_set(err, -ENOMEM, "out of memory");
    char *rest = a->separator ? strchr(first, a->separator) : NULL;
    if (rest)
        *rest++ = '\0';
    return a->fn(first, rest ? rest : "", err);
}
