/* SPDX-License-Identifier: MIT */
/* Opening, sharing and closing listening sockets. Their order is the configuration's. */
#include "instance/listen.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/cred.h"
#include "base/fd.h"

/* clang-format off */
static const struct socket_option {
    const char *name;
    const char *protocol_name;
    size_t offset; /* of its struct liege_list in struct instance_conf */
    enum proto_id protocol;
    bool tls; /* the address is followed by files: tls/tls-setting.h */
} socket_options[] = {
    { "http-socket",    "http",    offsetof(struct instance_conf, http_sockets),    PROTO_HTTP,    false },
    { "https-socket",   "https",   offsetof(struct instance_conf, https_sockets),   PROTO_HTTP,    true },
    { "socket",         "uwsgi",   offsetof(struct instance_conf, uwsgi_sockets),   PROTO_UWSGI,   false },
    { "fastcgi-socket", "fastcgi", offsetof(struct instance_conf, fastcgi_sockets), PROTO_FASTCGI, false },
    { "scgi-socket",    "scgi",    offsetof(struct instance_conf, scgi_sockets),    PROTO_SCGI,    false },
};
/* clang-format on */
static_assert(COUNT_OF(socket_options) == PROTO_COUNT + 1, "one for each protocol, and TLS");

/* However they are written: ":80" and "0.0.0.0:80" are the same address. */
static bool same_addr(const struct addr *a, const struct addr *b)
{
    return a->fd == b->fd && a->len == b->len && memcmp(&a->sa, &b->sa, a->len) == 0;
}

static bool is_at(const struct listener *l, const struct addr *addr)
{
    return same_addr(&l->addr, addr) || (addr->fd >= 0 && addr->fd == l->number);
}

/* The index of the socket of @addr, or -ENOENT. */
static int find(const struct listeners *l, const struct addr *addr)
{
    for (size_t i = 0; l && i < l->n_items; i++)
        if (is_at(l->items[i], addr))
            return (int)i;
    return -ENOENT;
}

static struct listener *listener_unref(struct listener *l)
{
    const char *path = NULL;

    if (!l || --l->n_refs > 0)
        return NULL;
    if (l->vacuum && !l->shared && addr_path(&l->addr, &path))
        sock_unlink(path, &l->file);
    closep(&l->fd);
    free(l->text);
    free(l);
    return NULL;
}

static int make_options(const struct instance_conf *conf, struct sock_options *ret,
                        struct errmsg *err)
{
    *ret = (struct sock_options){
        .backlog = (int)conf->backlog,
        .mode = (mode_t)conf->chmod_socket,
        .uid = (uid_t)-1,
        .gid = (gid_t)-1,
    };
    if (!conf->chown_socket)
        return 0;
    int r = cred_parse_owner(conf->chown_socket, &ret->uid, &ret->gid, err);
    return r < 0 ? errmsg_prefix(err, r, "chown-socket") : 0;
}

/* False if the file of a UNIX socket is gone, or another one has its name. */
static bool is_in_place(const struct listener *l, struct stat *ret)
{
    const char *path = NULL;

    if (!addr_path(&l->addr, &path) || l->file.ino == 0)
        return true;
    return lstat(path, ret) == 0 && ret->st_ino == l->file.ino && ret->st_dev == l->file.dev;
}

/* Gives a kept socket the mode, owner and backlog that the new configuration wants. What is right
 * already is not touched: it may have been made with privileges that are gone. */
static int adjust(const struct listener *l, const struct sock_options *o, struct errmsg *err)
{
    const char *path = NULL;
    struct stat st = {0};

    if (listen(l->fd, o->backlog) < 0)
        return errmsg_set_errno(err, -errno, "cannot listen on %s", l->text);
    if (!addr_path(&l->addr, &path) || l->file.ino == 0 || !is_in_place(l, &st))
        return 0;
    int r = sock_adjust(path, &l->file, o);
    return r < 0 ? errmsg_set_errno(err, r, "cannot set owner and mode of %s", path) : 0;
}

static uint32_t last_id; /* of all sockets that this master has made or adopted */
static bool has_older;   /* whose descriptors had the numbers of fd://N, not ours */

static int listener_new(const char *text, const struct addr *addr, const struct sock_options *o,
                        bool vacuum, struct listener **ret, struct errmsg *err)
{
    struct listener *l = calloc(1, sizeof(*l));

    if (!l)
        return errmsg_set(err, -ENOMEM, "out of memory");
    *l = (struct listener){.n_refs = 1,
                           .id = ++last_id,
                           .text = strdup(text),
                           .addr = *addr,
                           .fd = -EBADF,
                           .number = -1};
    int r = l->text ? sock_listen(addr, o, &l->file, err) : -ENOMEM;
    if (r < 0) {
        listener_unref(l);
        return r;
    }
    l->fd = r;
    l->vacuum = vacuum;
    *ret = l;
    return 0;
}

static bool needs_privilege(const struct addr *addr, const struct instance_conf *conf)
{
    const char *path = NULL;

    return !addr_path(addr, &path) || conf->chown_socket;
}

static const struct socket_option *option_of(const struct listeners *l, size_t i)
{
    size_t o = 0;

    while (o < COUNT_OF(socket_options) - 1 && (socket_options[o].protocol != l->protocols[i] ||
                                                socket_options[o].tls != (l->tls[i] != NULL)))
        o++;
    return &socket_options[o];
}

const char *listeners_protocol(const struct listeners *l, size_t i)
{
    return option_of(l, i)->protocol_name;
}

/* What is spoken where no option says it. */
static enum proto_id find_default_protocol(const struct instance_conf *conf)
{
    enum proto_id protocol = PROTO_UWSGI;

    if (conf->protocol)
        (void)!protocol_find(conf->protocol, &protocol); /* checked when it was loaded */
    return protocol;
}

unsigned listener_backlog(const struct listener *l, unsigned *ret_max)
{
    struct tcp_info info = {0}; /* of a listening socket: how many wait, and how many may */
    socklen_t len = sizeof(info);
    bool known = getsockopt(l->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0;

    if (ret_max)
        *ret_max = known ? info.tcpi_sacked : 0;
    return known ? info.tcpi_unacked : 0;
}

unsigned listeners_backlog(const struct listeners *l)
{
    unsigned n = 0;

    for (size_t i = 0; i < l->n_items; i++)
        n += listener_backlog(l->items[i], NULL);
    return n;
}

static int refuse_more(struct errmsg *err)
{
    return errmsg_set(err, -E2BIG, "%d sockets are the most that an instance can have",
                      LISTEN_MAX_SOCKETS);
}

/* @tls NULL: plain. */
static int open_one(struct listeners *l, enum proto_id protocol, struct tls_context *tls,
                    const char *text, const struct instance_conf *conf, const struct listeners *old,
                    enum listen_phase phase, struct errmsg *err)
{
    struct sock_options options;
    struct addr addr;
    struct stat st = {0};
    int r = make_options(conf, &options, err);

    if (r == 0)
        r = addr_parse(text, &addr, err);
    if (r != 0)
        return r;
    int same = find(l, &addr);
    if (same >= 0 && (l->protocols[same] != protocol || l->tls[same] != tls))
        return errmsg_set(err, -EINVAL, "%s is there for %s too (%s)", text,
                          tls && l->tls[same] ? "other certificates" : "another protocol",
                          option_of(l, (size_t)same)->name);
    if (same >= 0)
        return 0;
    if (l->n_items == COUNT_OF(l->items))
        return refuse_more(err);

    int kept = find(old, &addr);
    struct listener *item = kept >= 0 ? old->items[kept] : NULL;
    if (item && is_in_place(item, &st)) {
        item->n_refs++;
    } else {
        if (phase == LISTEN_PRIVILEGED && !needs_privilege(&addr, conf))
            return 0;
        if (addr.fd >= 0 && has_older)
            return errmsg_set(err, -ENOENT,
                              "%s is none of the sockets that the older master had: it needs a "
                              "stop and a start",
                              text);
        item = NULL;
        r = listener_new(text, &addr, &options, conf->vacuum, &item, err);
        if (!item)
            return r;
    }
    l->protocols[l->n_items] = protocol;
    l->tls[l->n_items] = tls;
    l->items[l->n_items++] = item;
    return 0;
}

/* @setting is one of https-socket's, and its certificates are loaded. */
static int open_tls(struct listeners *l, enum proto_id protocol, const char *setting,
                    const struct instance_conf *conf, const struct listeners *old,
                    enum listen_phase phase, struct errmsg *err)
{
    struct tls_context *tls = certificates_find(&l->certificates, setting);
    struct tls_setting s;

    assert(tls);
    int r = tls_setting_parse(setting, &s, err);
    if (r < 0)
        return r;
    r = open_one(l, protocol, tls, s.address, conf, old, phase, err);
    tls_setting_done(&s);
    return r;
}

static int open_list(struct listeners *l, const struct socket_option *option,
                     const struct instance_conf *conf, const struct listeners *old,
                     enum listen_phase phase, struct errmsg *err)
{
    const void *member = (const char *)conf + option->offset;
    const struct liege_list *list = member;
    const enum proto_id protocol =
        option->protocol == PROTO_UWSGI ? find_default_protocol(conf) : option->protocol;

    for (size_t i = 0; i < list->n_items; i++) {
        int r = option->tls ? open_tls(l, protocol, list->items[i], conf, old, phase, err)
                            : open_one(l, protocol, NULL, list->items[i], conf, old, phase, err);
        if (r < 0)
            return errmsg_prefix(err, r, "%s", option->name);
    }
    return 0;
}

/* Those that were given, and that no option has named. */
static int keep_given(struct listeners *l, const struct instance_conf *conf,
                      const struct listeners *old, struct errmsg *err)
{
    for (size_t i = 0; old && i < old->n_items; i++) {
        struct listener *item = old->items[i];
        if (!item->given || find(l, &item->addr) >= 0)
            continue;
        if (l->n_items == COUNT_OF(l->items))
            return refuse_more(err);
        item->n_refs++;
        l->protocols[l->n_items] = find_default_protocol(conf);
        l->tls[l->n_items] = NULL;
        l->items[l->n_items++] = item;
    }
    return 0;
}

int listeners_open(struct listeners *ret, const struct instance_conf *conf,
                   const struct listeners *old, enum listen_phase phase, struct errmsg *err)
{
    int r = 0;

    for (size_t i = 0; i < COUNT_OF(socket_options) && r == 0; i++)
        r = open_list(ret, &socket_options[i], conf, old, phase, err);
    return r < 0 ? r : keep_given(ret, conf, old, err);
}

int listeners_give(struct listeners *ret, int fd, int number, struct errmsg *err)
{
    _cleanup_close_ int owned = fd;
    char text[sizeof(struct sockaddr_un) + 8];
    struct addr addr = {.fd = -1};
    int r = sock_find_addr(fd, &addr);

    if (r == 0)
        r = fd_set_cloexec(fd, true);
    if (r == 0)
        r = fd_set_nonblock(fd, true);
    if (r < 0)
        return errmsg_set_errno(err, r, "a socket that was passed cannot be used");
    if (find(ret, &addr) >= 0)
        return 0;
    if (ret->n_items == COUNT_OF(ret->items))
        return refuse_more(err);
    struct listener *l = calloc(1, sizeof(*l));
    if (!l)
        return errmsg_set(err, -ENOMEM, "out of memory");
    *l = (struct listener){.n_refs = 1,
                           .id = ++last_id,
                           .text = strdup(addr_format(&addr.sa.any, addr.len, text, sizeof(text))),
                           .addr = addr,
                           .fd = TAKE_FD(owned),
                           .given = true,
                           .number = number};
    if (!l->text) {
        listener_unref(l);
        return errmsg_set(err, -ENOMEM, "out of memory");
    }
    ret->items[ret->n_items++] = l;
    return 0;
}

int listeners_adopt(struct listeners *ret, const char *text, int fd, uint32_t id,
                    const struct sock_file *file, bool vacuum, struct errmsg *err)
{
    struct listener *l = calloc(1, sizeof(*l));
    struct addr addr;
    int listens = 0;
    socklen_t len = sizeof(listens);

    if (l)
        *l = (struct listener){.n_refs = 1,
                               .id = id,
                               .text = strdup(text),
                               .fd = fd,
                               .file = *file,
                               .vacuum = vacuum,
                               .shared = true,
                               .number = -1};
    if (!l || !l->text) {
        free(l);
        (void)close(fd);
        return errmsg_set(err, -ENOMEM, "out of memory");
    }
    int r = addr_parse(text, &addr, err);
    if (r == 0 && (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0 || !listens))
        r = errmsg_set(err, -EBADF, "%s is no listening socket", text);
    if (r == 0 && ret->n_items == COUNT_OF(ret->items))
        r = errmsg_set(err, -E2BIG, "too many sockets");
    if (r < 0) {
        listener_unref(l);
        return r;
    }
    l->addr = addr;
    last_id = MAX(last_id, id);
    has_older = true;
    ret->items[ret->n_items++] = l;
    return 0;
}

void listeners_set_shared(const struct listeners *l, bool shared)
{
    for (size_t i = 0; i < l->n_items; i++)
        l->items[i]->shared = shared;
}

int listeners_adjust(const struct listeners *l, const struct instance_conf *conf,
                     struct errmsg *err)
{
    struct sock_options options;
    int r = make_options(conf, &options, err);

    for (size_t i = 0; i < l->n_items && r == 0; i++) {
        if (l->items[i]->given)
            continue;
        l->items[i]->vacuum = conf->vacuum;
        r = adjust(l->items[i], &options, err);
    }
    return r;
}

void listeners_release(struct listeners *l)
{
    for (size_t i = 0; i < l->n_items; i++)
        l->items[i] = listener_unref(l->items[i]);
    l->n_items = 0;
    certificates_release(&l->certificates);
}
