/* SPDX-License-Identifier: MIT */
/* liegectl: tells an instance what to do, through the FIFO of master-fifo. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/macro.h"

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

static int print_usage(FILE *to, int code)
{
    (void)fprintf(to, "usage: liegectl ORDER FIFO\n\nFIFO is what the option master-fifo of the "
                      "instance names. Orders:\n");
    for (size_t i = 0; i < COUNT_OF(orders); i++)
        (void)fprintf(to, "  %-13s %s\n", orders[i].name, orders[i].help);
    return code;
}

/* The letter of an order, or 0. */
static char find_letter(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(orders); i++)
        if (strcmp(orders[i].name, name) == 0)
            return orders[i].letter;
    return '\0';
}

static int fail(const char *path, const char *why)
{
    (void)fprintf(stderr, "liegectl: %s: %s\n", path, why);
    return EXIT_FAILURE;
}

static int tell(const char *path, char letter)
{
    struct stat st = {0};

    _cleanup_close_ int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return fail(path, errno == ENXIO ? "no instance listens there" : strerror(errno));
    if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode))
        return fail(path, "it is no FIFO: name that of the option master-fifo");
    if (write(fd, &letter, 1) != 1)
        return fail(path, strerror(errno));
    return EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
        return print_usage(stdout, EXIT_SUCCESS);
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return printf("liegectl %s\n", LIEGE_VERSION) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    if (argc != 3 || find_letter(argv[1]) == '\0')
        return print_usage(stderr, 2);
    return tell(argv[2], find_letter(argv[1]));
}
