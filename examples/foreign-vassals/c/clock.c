/* SPDX-License-Identifier: MIT */
/* A vassal in C: it tells the time over HTTP, and does all that an Emperor asks of a vassal. Its
 * configuration has lines like these, after [clock]; ../python/clock.py says what they mean:
 *
 *     listen = 127.0.0.1:9093
 *     format = %H:%M:%S
 *     heartbeat = 10
 *     idle = 60
 *
 * One client is served at a time, and given a second for its request. To build it: make. */
#include <arpa/inet.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { STOP = 0, RELOAD = 1, STOP_GRACEFULLY = 2, STACK = 116 }; /* from the Emperor */
enum { READY = 1, ACCEPTING = 5, LOYAL = 17, ASK_TO_STOP = 22, HEARTBEAT = 26 }; /* to it */

#define NOT_AGAIN 26 /* the exit code that means: not before my configuration changes */
#define NEVER     (1.0 / 0.0)

struct settings {
    char host[64];
    unsigned short port;
    char format[64];
    double heartbeat, idle; /* seconds; 0: never */
};

struct clock {
    const char *path; /* of the configuration */
    struct settings settings;
    int emperor, listener; /* descriptors */
    unsigned long answered;
    double beat_at, idle_at;
    bool leaving;
};

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void say(struct clock *c, unsigned char byte)
{
    if (send(c->emperor, &byte, 1, MSG_NOSIGNAL) < 0) {
        fprintf(stderr, "the Emperor is gone\n");
        exit(1);
    }
}

/* False if the line is none of ours, or wrong. */
static bool set(struct settings *s, const char *line)
{
    return sscanf(line, " listen = %63[^: ]:%hu", s->host, &s->port) == 2 ||
           sscanf(line, " format = %63[^\n]", s->format) == 1 ||
           (sscanf(line, " heartbeat = %lf", &s->heartbeat) == 1 && s->heartbeat >= 0) ||
           (sscanf(line, " idle = %lf", &s->idle) == 1 && s->idle >= 0);
}

/* Replaces *s if all of the file is right. */
static bool read_settings(const char *path, struct settings *s)
{
    struct settings found = {"127.0.0.1", 9093, "%H:%M:%S", 10, 0};
    char line[256], section[32] = "";
    FILE *file = fopen(path, "r");

    if (!file) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return false;
    }
    for (int number = 1; fgets(line, sizeof(line), file); number++) {
        const char *start = line + strspn(line, " \t");

        if (strchr(";#\n", *start) || sscanf(start, "[%31[^]]", section) == 1 ||
            strcmp(section, "clock") != 0 || set(&found, start))
            continue;
        fprintf(stderr, "%s:%d: what is that? %s", path, number, line);
        fclose(file);
        return false;
    }
    fclose(file);
    *s = found;
    return true;
}

static void start_waiting(struct clock *c)
{
    c->beat_at = c->settings.heartbeat > 0 ? now() : NEVER;
    c->idle_at = c->settings.idle > 0 ? now() + c->settings.idle : NEVER;
}

/* The socket of an on-demand vassal is its descriptor 0, and is there already. */
static int open_socket(const struct settings *s)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(s->port)};
    struct stat st;
    int fd = STDIN_FILENO, on = 1;

    if (fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode)) {
        fd = socket(AF_INET, SOCK_STREAM, 0);
        if (fd < 0 || inet_pton(AF_INET, s->host, &at.sin_addr) != 1 ||
            setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
            bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 100) < 0) {
            fprintf(stderr, "listen = %s:%d: %s\n", s->host, s->port, strerror(errno));
            exit(1);
        }
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static bool answer_client(const struct clock *c, int client)
{
    const struct timeval second = {.tv_sec = 1};
    char request[4096], text[128] = "", response[256];
    time_t t = time(NULL);

    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second));
    if (recv(client, request, sizeof(request), 0) <= 0)
        return false;
    strftime(text, sizeof(text), c->settings.format, localtime(&t));
    int len = snprintf(response, sizeof(response),
                       "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\n"
                       "Content-Length: %zu\r\n\r\n%s from C\n",
                       strlen(text) + strlen(" from C\n"), text);
    return send(client, response, (size_t)len, MSG_NOSIGNAL) == len;
}

/* Serves one connection; false if none waits. */
static bool answer(struct clock *c)
{
    int client = accept(c->listener, NULL, NULL);

    if (client < 0)
        return false;
    if (answer_client(c, client)) {
        if (++c->answered == 1)
            say(c, LOYAL);
        if (c->idle_at < NEVER)
            c->idle_at = now() + c->settings.idle;
    }
    close(client);
    return true;
}

/* The socket stays open. A configuration that is wrong leaves the old one in force. */
static void reload(struct clock *c)
{
    if (!read_settings(c->path, &c->settings))
        fprintf(stderr, "%s: the old settings stay\n", c->path);
    start_waiting(c);
    say(c, READY);
}

/* Who may hang for long hears of this in a thread of its own. */
static void show_stack(void)
{
    void *frames[32];

    backtrace_symbols_fd(frames, backtrace(frames, 32), STDERR_FILENO);
}

static void obey(struct clock *c)
{
    unsigned char orders[64];
    ssize_t n = recv(c->emperor, orders, sizeof(orders), 0);

    if (n <= 0) {
        fprintf(stderr, "the Emperor is gone\n");
        exit(1);
    }
    for (ssize_t i = 0; i < n; i++) {
        switch (orders[i]) {
        case STOP_GRACEFULLY:
            while (answer(c)) /* whoever waits already */
                ;
            c->leaving = true;
            break;
        case STOP:
            c->leaving = true;
            break;
        case RELOAD:
            reload(c);
            break;
        case STACK:
            show_stack();
            break;
        default: /* of a later protocol */
            break;
        }
    }
}

static void look_at_the_time(struct clock *c)
{
    double t = now();

    if (t >= c->beat_at) {
        say(c, HEARTBEAT);
        c->beat_at = t + c->settings.heartbeat;
    }
    if (t >= c->idle_at) {
        say(c, ASK_TO_STOP); /* and go on until the Emperor says so */
        c->idle_at = NEVER;
    }
}

/* For poll(2), whose -1 is for ever. */
static int milliseconds_left(const struct clock *c)
{
    double next = c->beat_at < c->idle_at ? c->beat_at : c->idle_at, left = next - now();

    if (next == NEVER)
        return -1;
    if (left < 0)
        return 0;
    return left < 1e6 ? (int)(left * 1000) + 1 : 1000000000;
}

static void run(struct clock *c)
{
    struct pollfd both[] = {{.fd = c->emperor, .events = POLLIN},
                            {.fd = c->listener, .events = POLLIN}};

    say(c, READY);
    say(c, ACCEPTING);
    while (!c->leaving) {
        look_at_the_time(c);
        if (poll(both, 2, milliseconds_left(c)) <= 0)
            continue;
        if (both[0].revents)
            obey(c);
        if (both[1].revents && !c->leaving)
            answer(c);
    }
}

int main(int argc, char *argv[])
{
    const char *emperor = getenv("UWSGI_EMPEROR_FD");
    struct clock c = {.emperor = emperor ? atoi(emperor) : -1};

    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], "--ini") == 0)
            c.path = argv[i + 1];
    if (!emperor || !c.path) {
        fprintf(stderr, "this is a vassal: let an Emperor start it\n");
        return 1;
    }
    if (!read_settings(c.path, &c.settings))
        return NOT_AGAIN;
    c.listener = open_socket(&c.settings);
    start_waiting(&c);
    run(&c);
    return 0;
}
