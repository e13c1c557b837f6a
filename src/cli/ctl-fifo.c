/* SPDX-License-Identifier: MIT */
/* Orders to one instance, through the FIFO of master-fifo: each is a letter. Called by ctl.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/macro.h"
#include "cli/ctl.h"

/* clang-format off */
static const struct {
    const char *name;
    char letter;
    const char *help;
} orders[] = {
    { "reload",       'r', "read the configuration again, new workers take over" },
    { "chain-reload", 'c', "load the application anew, replace the workers in turn" },
    { "stop",         'q', "finish the requests, then end" },
    { "stop-now",     'Q', "end at once" },
    { "more",         '+', "one worker more" },
    { "fewer",        '-', "one worker less" },
    { "reopen-logs",  'l', "open the files of the log anew" },
    { "upgrade",      'f', "start a new master from the program as it is now, beside this one" },
    { "stack",        't', "write into the log where the threads of the workers are" },
    { "reinforce",    'B', "ask the Emperor for reinforcement" },
};
/* clang-format on */

void ctl_fifo_usage(void *to)
{
    for (size_t i = 0; i < COUNT_OF(orders); i++)
        (void)fprintf(to, "  %-13s %s\n", orders[i].name, orders[i].help);
}

/* The letter of an order, or 0. */
static char find_letter(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(orders); i++)
        if (strcmp(orders[i].name, name) == 0)
            return orders[i].letter;
    return '\0';
}

bool ctl_fifo_knows(const char *order)
{
    return find_letter(order) != '\0';
}

static enum ctl_code fail(const char *path, const char *why)
{
    (void)fprintf(stderr, "liegectl: %s: %s\n", path, why);
    return CTL_FAILED;
}

enum ctl_code ctl_fifo(const char *order, const char *path)
{
    char letter = find_letter(order);
    struct stat st = {0};

    _cleanup_close_ int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return fail(path, errno == ENXIO ? "no instance listens there" : strerror(errno));
    if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode))
        return fail(path, "it is no FIFO: name that of the option master-fifo");
    if (write(fd, &letter, 1) != 1)
        return fail(path, strerror(errno));
    return CTL_DONE;
}
