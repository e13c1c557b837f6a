/* SPDX-License-Identifier: MIT */
/* Addresses of sockets, read from configurations and shown in logs. */
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/listen-fds.h"
#include "base/strv.h"

#define FORMS "accepted are IP:PORT, :PORT, [IPv6]:PORT, a path, @NAME, fd://N and fd://NAME"

static int parse_number(const char *text, unsigned long max, unsigned long *ret)
{
    char *end = NULL;

    errno = 0;
    unsigned long n = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end || text[0] < '0' || text[0] > '9' || n > max)
        return -EINVAL;
    *ret = n;
    return 0;
}

static int parse_unix(const char *text, struct addr *ret, struct errmsg *err)
{
    struct sockaddr_un *un = &ret->sa.un;
    size_t len = strlen(text);

    if (strcmp(text, "@") == 0) /* a name that bind(2) would accept, and nobody means */
        return errmsg_set(err, -EINVAL, "'@' is not an address; " FORMS);
    if (len >= sizeof(un->sun_path))
        return errmsg_set(err, -ENAMETOOLONG,
                          "'%s': the name of a UNIX socket has at most %zu bytes", text,
                          sizeof(un->sun_path) - 1);
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, text, len + 1);
    if (text[0] == '@') {
        un->sun_path[0] = '\0'; /* unix(7), abstract: the length ends the name */
        ret->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    } else {
        ret->len = sizeof(*un);
    }
    return 0;
}

static int parse_ip(const char *host, unsigned long port, struct addr *ret)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    size_t len = strlen(host);

    if (host[0] == '[' && len > 2 && host[len - 1] == ']') {
        char inner[INET6_ADDRSTRLEN];
        if (len - 2 >= sizeof(inner))
            return -EINVAL;
        memcpy(inner, host + 1, len - 2);
        inner[len - 2] = '\0';
        if (inet_pton(AF_INET6, inner, &in6.sin6_addr) != 1)
            return -EINVAL;
        memcpy(&ret->sa, &in6, sizeof(in6));
        ret->len = sizeof(in6);
        return 0;
    }
    const char *ip = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    if (ip[0] != '\0' && strcmp(ip, "*") != 0 && inet_pton(AF_INET, ip, &in.sin_addr) != 1)
        return -EINVAL;
    memcpy(&ret->sa, &in, sizeof(in));
    ret->len = sizeof(in);
    return 0;
}

/* Digits are a number, anything else a name. */
static int parse_descriptor(const char *text, struct addr *ret, struct errmsg *err)
{
    const char *what = text + strlen("fd://");
    unsigned long number = 0;

    if (what[strspn(what, "0123456789")] != '\0') {
        int fd = listen_fds_find(what, err);
        if (fd >= 0)
            ret->fd = fd;
        return MIN(fd, 0);
    }
    if (parse_number(what, 1 << 20, &number) < 0)
        return errmsg_set(err, -EINVAL, "'%s' is not an address; " FORMS, text);
    ret->fd = (int)number;
    return 0;
}

int addr_parse(const char *text, struct addr *ret, struct errmsg *err)
{
    struct addr a = {.fd = -1};
    const char *colon = strrchr(text, ':');
    unsigned long number = 0;
    int r = 0;

    if (text[0] == '\0')
        return errmsg_set(err, -EINVAL, "an address is missing; " FORMS);
    if (str_starts(text, "fd://")) {
        r = parse_descriptor(text, &a, err);
    } else if (!colon || strchr(text, '/') || text[0] == '@') {
        r = parse_unix(text, &a, err);
    } else {
        char host[64] = "";
        size_t len = (size_t)(colon - text);
        if (len >= sizeof(host) || parse_number(colon + 1, 65535, &number) < 0)
            return errmsg_set(err, -EINVAL, "'%s' is not an address; " FORMS, text);
        memcpy(host, text, len);
        r = parse_ip(host, number, &a);
        if (r < 0)
            return errmsg_set(err, r, "'%s' is not an address; " FORMS, text);
    }
    if (r < 0)
        return r;
    *ret = a;
    return 0;
}

bool addr_path(const struct addr *a, const char **ret_path)
{
    if (a->fd >= 0 || a->sa.any.sa_family != AF_UNIX || a->sa.un.sun_path[0] == '\0')
        return false;
    *ret_path = a->sa.un.sun_path;
    return true;
}

const char *addr_format(const struct sockaddr *sa, socklen_t len, char *text, size_t size)
{
    char ip[INET6_ADDRSTRLEN] = "";

    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;
        (void)inet_ntop(AF_INET, &in->sin_addr, ip, sizeof(ip));
        (void)snprintf(text, size, "%s:%u", ip, ntohs(in->sin_port));
    } else if (sa->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)sa;
        (void)inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof(ip));
        (void)snprintf(text, size, "[%s]:%u", ip, ntohs(in6->sin6_port));
    } else {
        const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)sa;
        size_t path = len > offsetof(struct sockaddr_un, sun_path)
                          ? len - offsetof(struct sockaddr_un, sun_path)
                          : 0;
        if (path > 0 && un->sun_path[0] == '\0')
            (void)snprintf(text, size, "@%.*s", (int)(path - 1), un->sun_path + 1);
        else
            (void)snprintf(text, size, "%.*s", (int)path, un->sun_path);
    }
    return text;
}
