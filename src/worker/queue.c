/* SPDX-License-Identifier: MIT */
/* The queue's sockets and counters; what is in an entry is handoff.c's. */
#include "worker/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd-pass.h"

/* Of the kernel's memory, for all entries together: some thousand ordinary requests. Without
 * CAP_NET_ADMIN the limit of the system (net.core.wmem_max) holds. */
#define ROOM_BYTES (8 * 1024 * 1024)

static void make_room(int fd)
{
    int size = ROOM_BYTES;

    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static const struct queue no_queue = {.give_fd = -EBADF, .take_fd = -EBADF, .board_fd = -EBADF};

int queue_adopt(struct queue *q, int give_fd, int take_fd, int board_fd)
{
    struct queue made = {.give_fd = give_fd, .take_fd = take_fd, .board_fd = board_fd};
    struct stat st;

    void *board =
        fstat(board_fd, &st) == 0 && st.st_size >= (off_t)sizeof(*made.board)
            ? mmap(NULL, sizeof(*made.board), PROT_READ | PROT_WRITE, MAP_SHARED, board_fd, 0)
            : MAP_FAILED;
    if (board == MAP_FAILED) {
        queue_close(&made);
        return -EBADF;
    }
    made.board = board;
    *q = made;
    return 0;
}

int queue_open(struct queue *q)
{
    int fds[2];

    *q = no_queue;
    _cleanup_close_ int board_fd = memfd_create("liege-queue", MFD_CLOEXEC);
    if (board_fd < 0 || ftruncate(board_fd, sizeof(*q->board)) < 0)
        return -errno;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
        return -errno;
    make_room(fds[0]);
    return queue_adopt(q, fds[0], fds[1], TAKE_FD(board_fd));
}

void queue_close(struct queue *q)
{
    closep(&q->give_fd);
    closep(&q->take_fd);
    closep(&q->board_fd);
    if (q->board)
        (void)munmap(q->board, sizeof(*q->board));
    *q = no_queue;
}

/* Nothing waits, but for what is just being given. */
static void on_empty(const struct queue *q)
{
    atomic_store(&q->board->taken_us, clock_now_us());
}

int queue_give(const struct queue *q, const struct iovec *iov, size_t n_iov, const int *fds,
               size_t n_fds)
{
    ssize_t n = fd_pass_send(q->give_fd, iov, n_iov, fds, n_fds);

    if (n < 0) {
        int r = (int)n;
        atomic_fetch_add(&q->board->n_full, 1);
        /* ETOOMANYREFS: so many descriptors of this user are on their way (unix(7)). */
        return r == -EINTR || r == -ETOOMANYREFS ? -EAGAIN : r;
    }
    if (atomic_fetch_add(&q->board->depth, 1) <= 0)
        on_empty(q);
    atomic_fetch_add(&q->board->n_given, 1);
    return 0;
}

void queue_note_gone(const struct queue *q)
{
    atomic_fetch_add(&q->board->n_gone, 1);
    atomic_store(&q->board->gone_us, clock_now_us());
}

/* The kernel drops descriptors for which there is no room, and the client with them (unix(7)): so
 * they are asked for before. */
static bool has_room_for_fds(int fd)
{
    int spare[QUEUE_MAX_FDS];
    bool room = true;

    for (size_t i = 0; i < COUNT_OF(spare); i++) {
        spare[i] = room ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -EBADF;
        room = spare[i] >= 0;
    }
    for (size_t i = 0; i < COUNT_OF(spare); i++)
        closep(&spare[i]);
    return room;
}

ssize_t queue_take(const struct queue *q, void *buf, size_t size, int fds[QUEUE_MAX_FDS],
                   size_t *ret_n_fds)
{
    const struct iovec iov = {.iov_base = buf, .iov_len = size};
    struct fd_passed passed;

    if (!has_room_for_fds(q->take_fd))
        return -EMFILE;
    ssize_t len = fd_pass_receive(q->take_fd, &iov, 1, 0, &passed);
    if (len < 0) {
        int r = len == -EINTR ? -EAGAIN : (int)len;
        /* A worker that died between the two steps of giving or taking has left it wrong. */
        if (r == -EAGAIN) {
            atomic_store(&q->board->depth, 0);
            atomic_store(&q->board->n_waiting, 0);
        }
        return r;
    }
    if (atomic_fetch_sub(&q->board->depth, 1) <= 1)
        on_empty(q);
    atomic_fetch_add(&q->board->n_taken, 1);
    if (len == 0 || passed.is_cut || passed.n_fds > QUEUE_MAX_FDS) {
        fd_passed_close(&passed);
        return -EPROTO;
    }
    *ret_n_fds = passed.n_fds;
    memcpy(fds, passed.fds, passed.n_fds * sizeof(int));
    return len;
}
