/* SPDX-License-Identifier: MIT */
/* The form of what goes over the configuration pipe, and the vassal's end of it. That one waits: it
 * is read at a start, and by the process that reads the configuration for a reload. The Emperor's
 * end does not (emperor/config-push.c). */
#include "ipc/config-pipe.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "ipc/bytes.h"
#include "ipc/fdmap.h"

#define WAIT_MS 5000 /* for each part, as uWSGI waits */

enum { SHORT_HEAD = 4, LENGTH_BYTES = CONFIG_PIPE_HEAD_BYTES - SHORT_HEAD };

static size_t write_head(enum config_pipe_kind kind, uint64_t len,
                         unsigned char ret[CONFIG_PIPE_HEAD_BYTES])
{
    bool is_short = kind == CONFIG_PIPE_TEXT;
    unsigned size = is_short ? (unsigned)len : LENGTH_BYTES;

    ret[0] = CONFIG_PIPE_MODIFIER1;
    ret[1] = (unsigned char)(size & 0xff);
    ret[2] = (unsigned char)(size >> 8);
    ret[3] = (unsigned char)kind;
    for (int i = 0; i < LENGTH_BYTES && !is_short; i++)
        ret[SHORT_HEAD + i] = (unsigned char)(len >> (8 * i) & 0xff);
    return is_short ? SHORT_HEAD : CONFIG_PIPE_HEAD_BYTES;
}

size_t config_pipe_write_head(uint64_t len, unsigned char ret[CONFIG_PIPE_HEAD_BYTES])
{
    return write_head(len <= UINT16_MAX ? CONFIG_PIPE_TEXT : CONFIG_PIPE_LONG_TEXT, len, ret);
}

size_t config_pipe_write_taken(uint64_t len, unsigned char ret[CONFIG_PIPE_HEAD_BYTES])
{
    return write_head(CONFIG_PIPE_TAKEN, len, ret);
}

int config_pipe_parse_head(const unsigned char *data, size_t n, struct config_pipe_head *ret)
{
    struct config_pipe_head head = {.kind = CONFIG_PIPE_TEXT};

    if (n > 0 && data[0] != CONFIG_PIPE_MODIFIER1)
        return -EPROTO;
    if (n < SHORT_HEAD)
        return 0;
    unsigned size = data[1] | (unsigned)data[2] << 8;
    if (data[3] > CONFIG_PIPE_TAKEN || (data[3] != CONFIG_PIPE_TEXT && size != LENGTH_BYTES))
        return -EPROTO;
    head.kind = (enum config_pipe_kind)data[3];
    head.len = size;
    if (head.kind == CONFIG_PIPE_TEXT) {
        *ret = head;
        return SHORT_HEAD;
    }
    if (n < CONFIG_PIPE_HEAD_BYTES)
        return 0;
    head.len = 0;
    for (int i = 0; i < LENGTH_BYTES; i++)
        head.len |= (uint64_t)data[SHORT_HEAD + i] << (8 * i);
    if (head.len > CONFIG_PIPE_MAX_BYTES)
        return -EFBIG;
    *ret = head;
    return CONFIG_PIPE_HEAD_BYTES;
}

/* Takes exactly @len bytes. Returns 0, -EPIPE at the end of the stream, -ETIME, or another negative
 * errno. */
static int take(int fd, void *data, size_t len)
{
    char *at = data;

    while (len > 0) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int n_ready = poll(&p, 1, WAIT_MS);
        if (n_ready == 0)
            return -ETIME;
        ssize_t n = n_ready < 0 ? -1 : recv(fd, at, len, MSG_DONTWAIT);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EPIPE;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

static int take_head(int fd, struct config_pipe_head *ret)
{
    unsigned char data[CONFIG_PIPE_HEAD_BYTES] = {0};
    int r = take(fd, data, SHORT_HEAD);

    if (r == 0)
        r = config_pipe_parse_head(data, SHORT_HEAD, ret);
    if (r != 0)
        return r < 0 ? r : 0;
    r = take(fd, data + SHORT_HEAD, LENGTH_BYTES);
    if (r == 0)
        r = config_pipe_parse_head(data, sizeof(data), ret);
    return r < 0 ? r : 0;
}

static int take_text(int fd, char **ret_text, size_t *ret_len)
{
    struct config_pipe_head head = {.len = 0};
    unsigned char answer[CONFIG_PIPE_HEAD_BYTES];
    int r = take_head(fd, &head);

    if (r == 0 && head.kind == CONFIG_PIPE_TAKEN)
        r = -EPROTO; /* that is ours to say */
    if (r < 0)
        return r;
    char *text = malloc(head.len + 1);
    if (!text)
        return -ENOMEM;
    r = take(fd, text, head.len);
    if (r < 0) {
        free(text);
        return r;
    }
    text[head.len] = '\0';
    size_t n = config_pipe_write_taken(head.len, answer);
    (void)send(fd, answer, n, MSG_NOSIGNAL | MSG_DONTWAIT); /* an Emperor need not hear it */
    *ret_len = head.len;
    *ret_text = text;
    return 0;
}

/* Nothing of it is ever taken for a text: it would begin somewhere in the middle. */
static void give_up(int fd)
{
    char rest[4096];

    (void)shutdown(fd, SHUT_RDWR);
    while (recv(fd, rest, sizeof(rest), MSG_DONTWAIT) > 0)
        ;
}

static int explain(int r, struct errmsg *err)
{
    switch (r) {
    case -ETIME:
        return errmsg_set(err, r, "the Emperor sent no more of it for %d s", WAIT_MS / 1000);
    case -EPIPE:
        return errmsg_set(err, r, "the Emperor's configuration pipe has ended");
    case -EPROTO:
        return errmsg_set(err, r, "what the Emperor sent is no configuration");
    case -EFBIG:
        return errmsg_set(err, r, "what the Emperor sent is longer than %u bytes",
                          CONFIG_PIPE_MAX_BYTES);
    default:
        return errmsg_set_errno(err, r, "the Emperor's configuration pipe");
    }
}

/* The descriptor that the variable @name says. */
static int find(const char *const *environ, const char *name, struct errmsg *err)
{
    const char *text = vassal_env_find(environ, name);

    if (!text)
        return errmsg_set(err, -ENOENT, "there is no Emperor that sends it: LIEGE_%s is not set",
                          name);
    int fd = fd_parse_socket(text, SOCK_STREAM);
    if (fd < 0)
        return errmsg_set(err, fd, "environment: %s=%s is not a socket of an Emperor", name, text);
    (void)fd_set_cloexec(fd, false); /* for the program that we become */
    return fd;
}

int config_pipe_receive(const char *const *environ, char **ret_text, size_t *ret_len,
                        struct errmsg *err)
{
    int fd = find(environ, VASSAL_ENV_CONFIG_FD, err);

    if (fd < 0)
        return fd;
    int r = take_text(fd, ret_text, ret_len);
    if (r < 0)
        give_up(fd);
    return r < 0 ? explain(r, err) : 0;
}

int config_pipe_request(const char *const *environ, char **ret_text, size_t *ret_len,
                        struct errmsg *err)
{
    static const unsigned char byte = VASSAL_BYTE_CONFIG;
    int fd = find(environ, VASSAL_ENV_EMPEROR_FD, err);

    if (fd < 0)
        return fd;
    if (send(fd, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return errmsg_set_errno(err, -errno, "the Emperor does not hear us");
    return config_pipe_receive(environ, ret_text, ret_len, err);
}
