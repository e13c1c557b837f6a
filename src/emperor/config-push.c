/* SPDX-License-Identifier: MIT */
/* Texts on their way to a vassal. The vassal may read slowly, not at all, or close; it may belong
 * to somebody whom we do not trust, and write whatever it likes: each of it costs at most a system
 * call a round and the text's memory, and what cannot be an answer closes the pipe. A text that has
 * been begun is finished, for the vassal could not find the next one otherwise. */
#include "emperor/config-push.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/cleanup.h"

bool config_push_is_busy(const struct config_push *p)
{
    return p->text && p->n_sent < p->head_len + p->len;
}

bool config_push_has_waiting(const struct config_push *p)
{
    return p->next || (config_push_is_busy(p) && p->n_sent == 0);
}

void config_push_close(struct config_push *p)
{
    if (p->io.fd >= 0)
        loop_io_remove(p->loop, &p->io);
    closep(&p->io.fd);
    free(p->text);
    free(p->next);
    config_push_init(p, p->fn);
}

static void fail(struct config_push *p, int error)
{
    config_push_close(p);
    p->fn(p, CONFIG_PUSH_CLOSED, error);
}

/* Makes @text, which is given away, the one to send. */
static int begin(struct config_push *p, char *text, size_t len)
{
    if (p->text && !p->answered)
        p->late_len = p->len;
    free(p->text);
    p->text = text;
    p->len = len;
    p->n_sent = 0;
    p->answered = false;
    p->head_len = config_pipe_write_head(len, p->head);
    return loop_io_modify(p->loop, &p->io, EPOLLIN | EPOLLOUT);
}

/* All of a text is with the kernel. */
static void on_sent(struct config_push *p)
{
    int r = p->next ? begin(p, TAKE_PTR(p->next), p->next_len)
                    : loop_io_modify(p->loop, &p->io, EPOLLIN);

    if (r < 0)
        fail(p, r);
    else if (!config_push_is_busy(p))
        p->fn(p, CONFIG_PUSH_SENT, 0);
}

static void send_more(struct config_push *p)
{
    size_t of_head = MIN(p->n_sent, p->head_len), of_text = p->n_sent - of_head;
    struct iovec parts[] = {
        {.iov_base = p->head + of_head, .iov_len = p->head_len - of_head},
        {.iov_base = p->text + of_text, .iov_len = p->len - of_text},
    };
    const struct msghdr m = {.msg_iov = parts, .msg_iovlen = COUNT_OF(parts)};
    ssize_t n = sendmsg(p->io.fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        fail(p, -errno);
        return;
    }
    p->n_sent += (size_t)n;
    if (!config_push_is_busy(p))
        on_sent(p);
}

/* A whole answer. Returns 1 if it is to the last text, 0 to one before, or -EPROTO. */
static int check_answer(const struct config_push *p, const struct config_pipe_head *head)
{
    if (head->kind != CONFIG_PIPE_TAKEN || !p->text)
        return -EPROTO;
    if (!config_push_is_busy(p) && !p->answered && head->len == p->len)
        return 1;
    return head->len == p->late_len ? 0 : -EPROTO;
}

static void take_answer(struct config_push *p)
{
    struct config_pipe_head head;
    ssize_t n =
        recv(p->io.fd, p->answer + p->answer_len, sizeof(p->answer) - p->answer_len, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        int lost = config_push_is_busy(p) ? -EPIPE : 0;
        fail(p, n < 0 ? -errno : lost);
        return;
    }
    p->answer_len += (size_t)n;
    int r = config_pipe_parse_head(p->answer, p->answer_len, &head);
    if (r == 0)
        return; /* the rest is to come */
    if (r > 0) {
        p->answer_len = 0;
        r = check_answer(p, &head);
    }
    if (r < 0) {
        fail(p, -EPROTO);
    } else if (r == 0) {
        p->late_len = SIZE_MAX; /* that was it */
    } else {
        p->answered = true;
        p->fn(p, CONFIG_PUSH_TAKEN, 0);
    }
}

/* One of the two a round: each may be the end of @io. */
static void on_io(struct loop_io *io, uint32_t events)
{
    struct config_push *p = container_of(io, struct config_push, io);

    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        take_answer(p);
    else if (events & EPOLLOUT)
        send_more(p);
}

void config_push_init(struct config_push *p, config_push_fn *fn)
{
    *p = (struct config_push){.io = {.fd = -1, .fn = on_io}, .fn = fn, .late_len = SIZE_MAX};
}

int config_push_open(struct config_push *p, struct loop *l, int fd)
{
    assert(p->io.fd < 0);
    p->loop = l;
    p->io.fd = fd;
    int r = loop_io_add(l, &p->io, EPOLLIN);
    if (r < 0) {
        closep(&p->io.fd);
        p->io.fd = -1;
    }
    return r;
}

int config_push_send(struct config_push *p, const char *text, size_t len)
{
    if (p->io.fd < 0)
        return -EPIPE;
    if (len > CONFIG_PIPE_MAX_BYTES)
        return -EFBIG;
    char *copy = malloc(len + 1); /* none of nothing */
    if (!copy)
        return -ENOMEM;
    memcpy(copy, text, len);
    if (!config_push_is_busy(p) || p->n_sent == 0)
        return begin(p, copy, len);
    free(p->next);
    p->next = copy;
    p->next_len = len;
    return 0;
}
