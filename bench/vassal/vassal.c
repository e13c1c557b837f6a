/* SPDX-License-Identifier: MIT */
/* A vassal that costs next to nothing, so that what is measured is its Emperor: no interpreter, no
 * allocation that lasts, one loop over the Emperor's pipe and, if it is on demand, the socket that
 * is descriptor 0. liege's Emperor and uWSGI's start it alike, with "--ini NAME".
 *
 * Its configuration has a word a line:
 *   loyal      says after its start that it has answered a request
 *   exit N     ends with this code when it has said what it says at its start
 *   deaf       does not act on being told to stop
 *   serve N    answers connections with its pid, and asks to be stopped after N of them
 *   tell PATH  sends a datagram to this UNIX socket when it has started and at each reload:
 *              microseconds of CLOCK_MONOTONIC, and its name */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/macro.h"

enum { STOP = 0, RELOAD = 1, STOP_GRACEFULLY = 2 };
enum { READY = 1, ACCEPTING = 5, LOYAL = 17, ASK_TO_STOP = 22 };

struct vassal {
    const char *name;
    int pipe_fd;
    bool loyal, deaf;
    int exit_code; /* -1: it stays */
    int serve;     /* connections that are left; 0: it has no socket, or has asked to be stopped */
    struct sockaddr_un listener; /* no path: it tells nobody */
};

/* 0 of what is no number. */
static int number(const char *text)
{
    return (int)strtol(text, NULL, 10);
}

static void read_words(struct vassal *v)
{
    char line[256], word[16], rest[108];
    FILE *f = fopen(v->name, "re");

    while (f && fgets(line, sizeof(line), f)) {
        rest[0] = '\0';
        if (sscanf(line, "%15s %107s", word, rest) < 1)
            continue;
        v->loyal |= strcmp(word, "loyal") == 0;
        v->deaf |= strcmp(word, "deaf") == 0;
        if (strcmp(word, "exit") == 0)
            v->exit_code = number(rest);
        else if (strcmp(word, "serve") == 0)
            v->serve = number(rest);
        else if (strcmp(word, "tell") == 0)
            memcpy(v->listener.sun_path, rest, strlen(rest) + 1);
    }
    if (f)
        (void)fclose(f);
}

static void tell(const struct vassal *v)
{
    char text[300];

    if (!v->listener.sun_path[0])
        return;
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int n = snprintf(text, sizeof(text), "%llu %s", (unsigned long long)clock_now_us(), v->name);
    if (fd < 0 || n < 0 ||
        sendto(fd, text, (size_t)n, 0, (const struct sockaddr *)&v->listener, sizeof(v->listener)) <
            0)
        perror("vassal: cannot tell of a reload");
}

/* A closed pipe ends it at the next read. */
static void send_byte(const struct vassal *v, unsigned char byte)
{
    (void)send(v->pipe_fd, &byte, 1, MSG_NOSIGNAL);
}

static void start(const struct vassal *v)
{
    send_byte(v, READY);
    send_byte(v, ACCEPTING);
    if (v->loyal)
        send_byte(v, LOYAL);
    tell(v);
    if (v->exit_code >= 0)
        exit(v->exit_code);
}

static void hear(const struct vassal *v)
{
    unsigned char byte = 0;

    if (recv(v->pipe_fd, &byte, 1, 0) <= 0)
        exit(1);
    if (byte == RELOAD) {
        tell(v);
        send_byte(v, READY);
    } else if ((byte == STOP || byte == STOP_GRACEFULLY) && !v->deaf) {
        exit(0);
    }
}

static void answer(struct vassal *v)
{
    char text[32];
    _cleanup_close_ int fd = accept4(0, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
        return;
    int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    if (n < 0 || recv(fd, &(char){0}, 1, 0) < 0 || send(fd, text, (size_t)n, MSG_NOSIGNAL) < 0)
        perror("vassal: cannot answer");
    if (--v->serve == 0)
        send_byte(v, ASK_TO_STOP);
}

int main(int argc, char **argv)
{
    const char *fd = getenv("UWSGI_EMPEROR_FD");
    struct vassal v = {.exit_code = -1, .listener = {.sun_family = AF_UNIX}};
    struct stat st = {0};

    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], "--ini") == 0)
            v.name = argv[i + 1];
    if (!fd || !v.name) {
        (void)fprintf(stderr, "vassal: an Emperor starts it, with --ini NAME\n");
        return EXIT_FAILURE;
    }
    v.pipe_fd = number(fd);
    read_words(&v);
    if (fstat(0, &st) < 0 || !S_ISSOCK(st.st_mode))
        v.serve = 0;
    start(&v);

    for (;;) {
        struct pollfd fds[] = {{.fd = v.pipe_fd, .events = POLLIN},
                               {.fd = v.serve > 0 ? 0 : -1, .events = POLLIN}};
        if (poll(fds, COUNT_OF(fds), -1) < 0 && errno != EINTR)
            return EXIT_FAILURE;
        if (fds[1].revents)
            answer(&v);
        if (fds[0].revents)
            hear(&v);
    }
}
