/* SPDX-License-Identifier: MIT */
#include "loop/service.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/strv.h"

static const char *find(const char *const *environ, const char *name)
{
    size_t len = strlen(name);

    for (const char *const *e = environ; *e; e++)
        if (str_starts(*e, name) && (*e)[len] == '=')
            return *e + len + 1;
    return NULL;
}

/* A path, or "@NAME", which is abstract (sd_notify(3)). */
static void set_address(struct service *s, const char *text)
{
    size_t len = strlen(text);

    if (len < 2 || len >= sizeof(s->to.sun_path) || (*text != '/' && *text != '@')) {
        log_warning("NOTIFY_SOCKET=%s is no address of a service manager", text);
        return;
    }
    s->to.sun_family = AF_UNIX;
    memcpy(s->to.sun_path, text, len + 1);
    s->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    if (*text == '@')
        s->to.sun_path[0] = '\0';
}

static void on_timer(struct loop_timer *t)
{
    struct service *s = container_of(t, struct service, timer);

    service_say(s, "WATCHDOG=1");
    loop_timer_set(s->loop, t, loop_now_us(s->loop) + s->watchdog_us / 2);
}

void service_open(struct service *s, const char *const *environ)
{
    static const char *const names[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"};
    const char *to = find(environ, names[0]);
    const char *usec = find(environ, names[1]), *pid = find(environ, names[2]);

    *s = (struct service){.fd = -1, .timer.fn = on_timer};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        (void)unsetenv(names[i]); /* they are names */
    if (to)
        set_address(s, to);
    if (s->len > 0)
        s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd >= 0 && usec && (!pid || strtoll(pid, NULL, 10) == getpid()))
        s->watchdog_us = strtoull(usec, NULL, 10);
}

void service_close(struct service *s)
{
    if (s->loop)
        loop_timer_clear(s->loop, &s->timer);
    closep(&s->fd);
    s->fd = -1;
}

int service_restore_environment(const struct service *s)
{
    char to[sizeof(s->to.sun_path) + 1] = "", usec[24];
    size_t len = s->len > 0 ? s->len - offsetof(struct sockaddr_un, sun_path) : 0;

    if (s->fd < 0)
        return 0;
    memcpy(to, s->to.sun_path, len);
    if (to[0] == '\0')
        to[0] = '@';
    (void)snprintf(usec, sizeof(usec), "%llu", (unsigned long long)s->watchdog_us);
    if (setenv("NOTIFY_SOCKET", to, true) < 0)
        return -errno;
    return s->watchdog_us > 0 && setenv("WATCHDOG_USEC", usec, true) < 0 ? -errno : 0;
}

void service_watch(struct service *s, struct loop *loop)
{
    s->loop = loop;
    if (s->watchdog_us > 0)
        loop_timer_set(loop, &s->timer, loop_now_us(loop) + s->watchdog_us / 2);
}

void service_say(const struct service *s, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    if (s->fd < 0)
        return;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (n > 0) /* a manager that does not read misses it */
        (void)sendto(s->fd, text, MIN((size_t)n, sizeof(text) - 1), MSG_NOSIGNAL,
                     (const struct sockaddr *)&s->to, s->len);
}
