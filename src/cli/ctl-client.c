/* SPDX-License-Identifier: MIT */
/* The conversation with the Emperor's control socket: a request is a line, an answer is lines, and
 * the last of them has "ok". Called by the commands of liegectl. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/macro.h"
#include "cli/ctl.h"

#define READ_BYTES 65536

static enum ctl_code connect_to(int fd, const char *path)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(sa.sun_path)) {
        (void)fprintf(stderr, "liegectl: %s: the path of a socket has at most %zu bytes\n", path,
                      sizeof(sa.sun_path) - 1);
        return CTL_USAGE;
    }
    memcpy(sa.sun_path, path, strlen(path) + 1);
    if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0)
        return CTL_DONE;
    bool nobody = errno == ENOENT || errno == ECONNREFUSED;
    (void)fprintf(stderr, "liegectl: %s: %s%s\n", path, strerror(errno),
                  nobody ? "; no Emperor with this emperor-control is running (--socket PATH and "
                           "LIEGE_CONTROL say where it is)"
                         : "");
    return nobody ? CTL_NOBODY : CTL_FAILED;
}

enum ctl_code ctl_open(struct ctl_client *c, const struct ctl_options *o)
{
    *c = (struct ctl_client){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (c->fd < 0) {
        (void)fprintf(stderr, "liegectl: cannot make a socket: %s\n", strerror(errno));
        return CTL_FAILED;
    }
    return connect_to(c->fd, o->socket);
}

void ctl_close(struct ctl_client *c)
{
    closep(&c->fd);
    c->fd = -1;
    buf_done(&c->in);
}

static int send_all(struct ctl_client *c, const char *text, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = send(c->fd, text + done, len - done, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return errno == EPIPE ? 0 : -errno; /* what it said first is still to be read */
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* Returns 0 or a negative errno. */
static int send_request(struct ctl_client *c, const struct ctl_options *o, const char *command,
                        const char *vassal)
{
    json_auto_t *request = json_pack("{s:i, s:s, s:s*, s:i, s:b, s:b, s:s*}", "v", 1, "command",
                                     command, "vassal", vassal, "lines", (int)o->lines, "follow",
                                     o->follow, "wait", o->wait, "socket", o->on_demand);
    if (request && o->memory) /* an Emperor of before would not know it */
        (void)json_object_set_new(request, "memory", json_true());
    if (request && o->text)
        (void)json_object_set_new(request, "bytes", json_integer((json_int_t)o->text_len));
    _cleanup_free_ char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;

    if (!text)
        return vassal ? -EILSEQ : -ENOMEM; /* a name in another encoding */
    size_t len = strlen(text);
    text[len++] = '\n'; /* instead of the terminator */
    int r = send_all(c, text, len);
    return r < 0 ? r : send_all(c, o->text, o->text ? o->text_len : 0);
}

/* Waits for a line and gives it without its newline, valid until the next call. Returns its length,
 * or a negative errno; -ECONNRESET at the end. */
static ssize_t next_line(struct ctl_client *c, const char **ret)
{
    size_t seen = 0;

    for (;;) {
        size_t len = buf_len(&c->in);
        const char *start = len > 0 ? buf_at(&c->in) : NULL;
        const char *end = len > seen ? memchr(start + seen, '\n', len - seen) : NULL;
        if (end) {
            buf_consume(&c->in, (size_t)(end - start) + 1);
            *ret = start;
            return end - start;
        }
        seen = len;
        int r = buf_reserve(&c->in, READ_BYTES);
        if (r < 0)
            return r;
        ssize_t n = read(c->fd, c->in.data + c->in.end, READ_BYTES);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            return -ECONNRESET;
        c->in.end += n > 0 ? (size_t)n : 0;
    }
}

static enum ctl_code complain(const char *what, const char *why)
{
    (void)fprintf(stderr, "liegectl: %s: %s\n", what, why);
    return CTL_FAILED;
}

static enum ctl_code end_of(const json_t *line, const char *command)
{
    if (json_is_true(json_object_get(line, "ok")))
        return CTL_DONE;
    return complain(command, ctl_text(line, "error"));
}

enum ctl_code ctl_ask(struct ctl_client *c, const struct ctl_options *o, const char *command,
                      const char *vassal, ctl_line_fn *fn, void *data)
{
    int r = send_request(c, o, command, vassal);

    if (r < 0)
        return complain(command, strerror(-r));
    for (;;) {
        const char *text = NULL;
        ssize_t len = next_line(c, &text);
        if (len < 0)
            return complain(o->socket,
                            len == -ECONNRESET ? "the Emperor has hung up" : strerror((int)-len));
        if (o->json)
            (void)printf("%.*s\n", (int)len, text);
        json_auto_t *line = json_loadb(text, (size_t)len, 0, NULL);
        if (!json_is_object(line))
            return complain(o->socket, "what answers there is no Emperor");
        if (json_object_get(line, "ok"))
            return end_of(line, command);
        if (!o->json)
            fn(line, data);
        (void)fflush(stdout);
    }
}

const char *ctl_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

json_int_t ctl_number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}
