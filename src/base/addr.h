/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/errmsg.h"

/* A socket address as a configuration writes it:
 *   127.0.0.1:8080   :8080 (every IPv4 address)   [::1]:8080   [::]:8080   localhost:8080
 *   /run/app.sock    relative.sock    @abstract
 *   fd://3 (a socket that is open already)   fd://web (one that was passed to us as "web") */
struct addr {
    union {
        struct sockaddr any;
        struct sockaddr_un un;
        struct sockaddr_storage storage;
    } sa;
    socklen_t len;
    int fd; /* of fd://N and fd://NAME, else -1 */
};

/* Reads @text. Names other than addresses and localhost are refused: no process of ours waits for a
 * resolver. Returns 0, or a negative errno with @err: -EINVAL or -ENAMETOOLONG saying what is
 * accepted, or what listen_fds_find() says of a name. */
int addr_parse(const char *text, struct addr *ret, struct errmsg *err) _must_check_;

/* True for a UNIX socket with a path in the file system; *@ret_path then points into @a. */
bool addr_path(const struct addr *a, const char **ret_path);

/* Writes "127.0.0.1:80", "[::1]:80", "/path" or "@name" and returns @text. */
const char *addr_format(const struct sockaddr *sa, socklen_t len, char *text, size_t size);
