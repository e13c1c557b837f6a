/* SPDX-License-Identifier: MIT */
/* liege-instance: everything that serves. Reads the configuration and runs a master, or answers one
 * of the questions --check, --show-config, --help and --version and ends. Started by an Emperor, by
 * `liege`, or by hand. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/sock.h"
#include "base/strv.h"
#include "base/title.h"
#include "instance/start.h"
#include "instance/takeover.h"

static const char *const no_strings[] = {NULL};

/* The program as it was called, if that says where it is: it may be a link whose target changes. */
static const char *find_program(const char *called)
{
    static char path[PATH_MAX];

    if (strchr(called, '/'))
        return called;
    return readlink("/proc/self/exe", path, sizeof(path) - 1) < 0 ? called : path;
}

/* An on-demand vassal has a listening socket as its standard input (ipc/fdmap.h). Sets *@ret to it,
 * with another number, or to -1; what reads standard input from now on finds nothing. */
static int take_given_socket(int *ret)
{
    struct addr addr;

    *ret = -1;
    if (sock_find_addr(STDIN_FILENO, &addr) < 0)
        return 0;
    _cleanup_close_ int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    _cleanup_close_ int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0 || null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0)
        return -errno;
    *ret = TAKE_FD(fd);
    return 0;
}

int main(int argc, char *argv[])
{
    _cleanup_(strv_done) struct liege_list env = {0}; /* as it was: ours may change */
    _cleanup_(source_cache_done) struct source_cache sources = {0};
    struct errmsg err = {""};
    int older_fd = -1, given_fd = -1;

    (void)argc;
    log_set_subject("liege");
    int r = fd_open_standard();
    /* Before a variable is taken out of the environment: that would make a hole in it. */
    if (r == 0)
        r = title_init(&argv);
    if (r == 0 &&
        (takeover_find(&older_fd, &err) < 0 || source_cache_inherit(&sources, &err) < 0)) {
        log_error("%s", err.text);
        return EXIT_FAILURE;
    }
    if (r == 0)
        r = take_given_socket(&given_fd);
    if (r == 0 && older_fd >= 0)
        r = takeover_inherit_names(older_fd);
    if (r == 0)
        r = strv_copy(&env, (const char *const *)environ);
    if (r < 0) {
        (void)log_errno(LOG_ERR, r, "cannot start");
        return EXIT_FAILURE;
    }
    const struct instance_start start = {
        .argv = (const char *const *)argv,
        .environ = env.items ? (const char *const *)env.items : no_strings,
        .program = find_program(argv[0]),
        .sources = &sources,
        .older_fd = older_fd,
        .given_fd = given_fd,
    };
    return instance_start(&start);
}
