/* SPDX-License-Identifier: MIT */
/* Texts that were read once and are wanted again: by the program that `liege` becomes, by the next
 * load of a configuration that came over standard input, and by a master that must not wait, for
 * which another process reads them.
 *
 * From process to process they go in a file without a name: a head, then for each entry its sizes,
 * its address and its text. The numbers are this machine's; another release has another mark. Who
 * wrote it is ourselves, yet nothing is believed: sizes are compared with what is there. */
#include "conf/source-cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"

static const char mark[8] = "liegeSC1";

struct record {
    uint64_t uri_len, text_len;
    uint32_t flaw, owner, mode, kept;
};

static void entry_done(struct source_entry *e)
{
    free(e->uri);
    free(e->text);
}

void source_cache_done(struct source_cache *c)
{
    for (size_t i = 0; i < c->n_entries; i++)
        entry_done(&c->entries[i]);
    free(c->entries);
    *c = (struct source_cache){0};
}

void source_cache_expire(struct source_cache *c)
{
    size_t n_left = 0;

    for (size_t i = 0; i < c->n_entries; i++) {
        struct source_entry *e = &c->entries[i];
        if (e->kept) {
            c->entries[n_left++] = *e;
        } else {
            c->n_bytes -= e->len;
            entry_done(e);
        }
    }
    c->n_entries = n_left;
    c->missing = false;
}

const struct source_entry *source_cache_find(const struct source_cache *c, const char *uri)
{
    for (size_t i = 0; i < c->n_entries; i++)
        if (strcmp(c->entries[i].uri, uri) == 0)
            return &c->entries[i];
    return NULL;
}

/* The texts of an entry that is being added have their lengths and no terminator. */
static int add(struct source_cache *c, const char *uri, size_t uri_len, const char *text,
               const struct source_entry *rest)
{
    if (rest->len > SOURCE_CACHE_MAX_BYTES - c->n_bytes)
        return -EFBIG;
    struct source_entry *entries = realloc(c->entries, (c->n_entries + 1) * sizeof(*entries));
    if (!entries)
        return -ENOMEM;
    c->entries = entries;

    struct source_entry e = *rest;
    e.uri = strndup(uri, uri_len);
    e.text = malloc(e.len + 1);
    if (!e.uri || !e.text) {
        entry_done(&e);
        return -ENOMEM;
    }
    memcpy(e.text, text, e.len);
    e.text[e.len] = '\0';
    entries[c->n_entries++] = e;
    c->n_bytes += e.len;
    return 0;
}

int source_cache_add(struct source_cache *c, const struct source_entry *e)
{
    return add(c, e->uri, strlen(e->uri), e->text, e);
}

static int write_all(int fd, const void *data, size_t len)
{
    const char *at = data;

    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

static int write_entry(const struct source_entry *e, int fd)
{
    const struct record head = {
        .uri_len = strlen(e->uri),
        .text_len = e->len,
        .flaw = (uint32_t)e->trust.flaw,
        .owner = e->trust.owner,
        .mode = e->trust.mode,
        .kept = e->kept,
    };
    int r = write_all(fd, &head, sizeof(head));

    if (r == 0)
        r = write_all(fd, e->uri, head.uri_len);
    return r < 0 ? r : write_all(fd, e->text, e->len);
}

int source_cache_write(const struct source_cache *c, bool only_kept, int fd)
{
    int r = write_all(fd, mark, sizeof(mark));

    for (size_t i = 0; i < c->n_entries && r == 0; i++)
        if (c->entries[i].kept || !only_kept)
            r = write_entry(&c->entries[i], fd);
    return r;
}

/* Adds the entry that starts at *@at of the @left bytes there, and steps over it. */
static int read_entry(struct source_cache *c, const char **at, size_t *left)
{
    struct record head;

    if (*left < sizeof(head))
        return -EPROTO;
    memcpy(&head, *at, sizeof(head));
    *at += sizeof(head);
    *left -= sizeof(head);
    if (head.uri_len > *left || head.text_len > *left - head.uri_len ||
        head.flaw >= TRUST_FLAW_COUNT || memchr(*at, '\0', head.uri_len))
        return -EPROTO;

    const struct source_entry e = {
        .len = head.text_len,
        .trust = {.flaw = (enum trust_flaw)head.flaw, .owner = head.owner, .mode = head.mode},
        .kept = head.kept != 0,
    };
    int r = add(c, *at, head.uri_len, *at + head.uri_len, &e);
    *at += head.uri_len + head.text_len;
    *left -= head.uri_len + head.text_len;
    return r;
}

int source_cache_read(struct source_cache *c, int fd)
{
    _cleanup_free_ char *text = NULL;
    size_t left = 0;

    if (lseek(fd, 0, SEEK_SET) < 0)
        return -errno;
    int r = fd_read_all(fd, SOURCE_CACHE_MAX_BYTES * 2ULL, &text, &left);
    if (r < 0)
        return r;
    if (left < sizeof(mark) || memcmp(text, mark, sizeof(mark)) != 0)
        return -EPROTO;
    const char *at = text + sizeof(mark);
    left -= sizeof(mark);
    while (left > 0 && r == 0)
        r = read_entry(c, &at, &left);
    return r;
}

int source_cache_seal(const struct source_cache *c, bool only_kept)
{
    bool any = false;

    for (size_t i = 0; i < c->n_entries; i++)
        any |= c->entries[i].kept || !only_kept;
    if (!any)
        return -ENODATA;
    _cleanup_close_ int fd = memfd_create("sources", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    int r = source_cache_write(c, only_kept, fd);
    if (r < 0)
        return r;
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
        return -errno;
    return TAKE_FD(fd);
}

int source_cache_inherit(struct source_cache *c, struct errmsg *err)
{
    const char *text = getenv(SOURCE_CACHE_ENV);
    char *end = NULL;

    if (!text)
        return 0;
    long fd = strtol(text, &end, 10);
    int r = *text == '\0' || *end || fd <= STDERR_FILENO || fd > INT32_MAX ? -EBADF : 0;
    if (r == 0)
        r = source_cache_read(c, (int)fd);
    if (r < 0)
        return errmsg_set_errno(err, r, "environment: %s=%s: these are no texts of ours",
                                SOURCE_CACHE_ENV, text);
    (void)close((int)fd);
    (void)unsetenv(SOURCE_CACHE_ENV); /* it is a name */
    return 0;
}
