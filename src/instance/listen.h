/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

#include "base/errmsg.h"
#include "base/sock.h"
#include "instance/certificates.h"
#include "instance/instance-conf.h"
#include "worker/worker.h"

/* The listening sockets of an instance. The master makes them and keeps them: over the death of any
 * worker and over reloads. A socket that the next configuration names too is the same socket, never
 * closed, never bound again. */

#define LISTEN_MAX_SOCKETS 32

/* One socket; shared by the generations that use it. */
struct listener {
    unsigned n_refs;
    uint32_t id; /* of all that this master made */
    char *text;  /* the address as the configuration writes it */
    struct addr addr;
    int fd;
    struct sock_file file;
    bool vacuum; /* remove the file at the end */
    bool shared; /* another master has it too: not then */
    bool given;  /* somebody else has bound it: its file, owner, mode and backlog are not ours */
    int number;  /* the N by which fd://N means it although it has another number; -1: none */
};

/* A generation's share of them. What is spoken on a socket may change with a reload. */
struct listeners {
    struct listener *items[LISTEN_MAX_SOCKETS];
    enum proto_id protocols[LISTEN_MAX_SOCKETS];
    struct tls_context *tls[LISTEN_MAX_SOCKETS]; /* of an https-socket, else NULL; one of */
    size_t n_items;
    struct certificates certificates; /* these; loaded before listeners_open(); owned */
};

/* Which sockets to make: a master that will drop its privileges makes those first that may need
 * them, and leaves the others to its later self, who shall own them. */
enum listen_phase {
    LISTEN_PRIVILEGED, /* TCP, and UNIX sockets that shall belong to somebody else (chown-socket) */
    LISTEN_ALL,
};

/* Makes the sockets of @conf that @ret does not have yet; takes those of @old (may be NULL) that
 * have the same address, and all that were given to it: with the protocol of the option that names
 * their address, else with the one that `protocol` says. An address that is there for two protocols
 * is an error. Returns 0, or a negative errno with @err; @ret is to be released either way. */
int listeners_open(struct listeners *ret, const struct instance_conf *conf,
                   const struct listeners *old, enum listen_phase phase,
                   struct errmsg *err) _must_check_;

/* Adds a socket that another master made and has, too: descriptor @fd, which becomes ours, listener
 * @id, of the address @text. From now on fd://N and fd://NAME are but names of such sockets.
 * Returns 0, or a negative errno with @err; @fd is closed then. */
int listeners_adopt(struct listeners *ret, const char *text, int fd, uint32_t id,
                    const struct sock_file *file, bool vacuum, struct errmsg *err) _must_check_;

/* Adds a socket that somebody else has bound and listens on: descriptor @fd, which becomes ours,
 * and which fd://@number means (-1: no number does). One whose address is there already is closed.
 * Returns 0, or a negative errno with @err; @fd is closed then, too. */
int listeners_give(struct listeners *ret, int fd, int number, struct errmsg *err) _must_check_;

/* Whether another master has these sockets, too. */
void listeners_set_shared(const struct listeners *l, bool shared);

/* What is spoken on socket @i: "http", "https", "uwsgi", "fastcgi", "scgi". */
const char *listeners_protocol(const struct listeners *l, size_t i);

/* How many connections wait to be accepted, and (unless NULL) how many may: of TCP, where the
 * kernel says so; else 0. */
unsigned listener_backlog(const struct listener *l, unsigned *ret_max);

/* How many connections wait on all of them, as far as the kernel says so. */
unsigned listeners_backlog(const struct listeners *l);

/* Gives the sockets, which may be those of an earlier configuration, the mode, owner and backlog
 * that @conf says; not those that were given. To be called when its generation takes over, not
 * before. Returns 0, or a negative errno with @err. */
int listeners_adjust(const struct listeners *l, const struct instance_conf *conf,
                     struct errmsg *err) _must_check_;

/* Gives up this generation's share and its certificates; a socket that nobody shares any more is
 * closed, and with vacuum its file removed. */
void listeners_release(struct listeners *l);
