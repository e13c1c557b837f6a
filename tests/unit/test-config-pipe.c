/* SPDX-License-Identifier: MIT */
/* Heads of texts, short and long, whole and in pieces, and the vassal's end of the pipe. */
#include "ipc/config-pipe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "unit.h"

static void test_heads(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        int result;
        enum config_pipe_kind kind;
        uint64_t len;
    } cases[] = {
        {"s\0\0\0", 4, 4, CONFIG_PIPE_TEXT, 0},
        {"s\1\0\0x", 5, 4, CONFIG_PIPE_TEXT, 1},
        {"s\377\377\0", 4, 4, CONFIG_PIPE_TEXT, 65535},
        {"s\10\0\1\0\0\1\0\0\0\0\0", 12, 12, CONFIG_PIPE_LONG_TEXT, 65536},
        {"s\10\0\1\0\0\0\4\0\0\0\0", 12, 12, CONFIG_PIPE_LONG_TEXT, CONFIG_PIPE_MAX_BYTES},
        {"s\10\0\2\5\0\0\0\0\0\0\0", 12, 12, CONFIG_PIPE_TAKEN, 5},
        {"", 0, 0, 0, 0},
        {"s\10\0\1\0\0\1\0\0\0\0", 11, 0, 0, 0},
        {"r", 1, -EPROTO, 0, 0},
        {"s\10\0\3", 4, -EPROTO, 0, 0},
        {"s\7\0\1", 4, -EPROTO, 0, 0},
        {"s\0\0\2", 4, -EPROTO, 0, 0},
        {"s\10\0\1\1\0\0\4\0\0\0\0", 12, -EFBIG, 0, 0},
        {"s\10\0\1\0\0\0\0\0\0\0\200", 12, -EFBIG, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const unsigned char *bytes = (const unsigned char *)cases[i].bytes;
        struct config_pipe_head head = {.len = 0};
        assert_int_equal(config_pipe_parse_head(bytes, cases[i].n, &head), cases[i].result);
        if (cases[i].result <= 0)
            continue;
        assert_int_equal(head.kind, cases[i].kind);
        assert_int_equal(head.len, cases[i].len);
        for (int n = 0; n < cases[i].result; n++)
            assert_int_equal(config_pipe_parse_head(bytes, (size_t)n, &head), 0);
        unsigned char again[CONFIG_PIPE_HEAD_BYTES];
        size_t n = head.kind == CONFIG_PIPE_TAKEN ? config_pipe_write_taken(head.len, again)
                                                  : config_pipe_write_head(head.len, again);
        assert_int_equal(n, cases[i].result);
        assert_memory_equal(again, bytes, n);
    }
}

static const char *environment[3];
static char variables[2][64];

/* The vassal's ends are in the environment; returns the Emperor's. */
static void make_pipe(const char *name, int which, int *ret_ours, int *ret_theirs)
{
    int fds[2];

    assert_int_equal(fd_socketpair(SOCK_STREAM, fds), 0);
    (void)snprintf(variables[which], sizeof(variables[which]), "%s=%d", name, fds[1]);
    environment[which] = variables[which];
    *ret_ours = fds[0];
    *ret_theirs = fds[1];
}

static void test_receive(void **state)
{
    int ours = -1, theirs = -1, pipe_ours = -1, pipe_theirs = -1;
    struct errmsg err = {""};
    unsigned char bytes[32];
    char *text = NULL;
    size_t len = 0;

    (void)state;
    make_pipe("LIEGE_EMPEROR_FD_CONFIG", 0, &ours, &theirs);
    make_pipe("UWSGI_EMPEROR_FD", 1, &pipe_ours, &pipe_theirs);
    assert_int_equal(write(ours, "s\3\0\0abcs\0\0\0", 11), 11);
    assert_int_equal(config_pipe_receive(environment, &text, &len, &err), 0);
    assert_int_equal(len, 3);
    assert_string_equal(text, "abc");
    free(text);
    assert_int_equal(recv(ours, bytes, sizeof(bytes), MSG_DONTWAIT), 12);
    assert_memory_equal(bytes, "s\10\0\2\3\0\0\0\0\0\0\0", 12);

    assert_int_equal(config_pipe_request(environment, &text, &len, &err), 0);
    assert_int_equal(len, 0);
    free(text);
    assert_int_equal(recv(pipe_ours, bytes, sizeof(bytes), MSG_DONTWAIT), 1);
    assert_int_equal(bytes[0], 2);
    (void)close(ours);
    (void)close(theirs);
    (void)close(pipe_ours);
    (void)close(pipe_theirs);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *message;
        int code;
    } cases[] = {
        {"t\3\0\0abcs\3\0\0abc", 14, "what the Emperor sent is no configuration", -EPROTO},
        {"s\10\0\2\3\0\0\0\0\0\0\0", 12, "what the Emperor sent is no configuration", -EPROTO},
        {"s\10\0\1\0\0\0\0\1\0\0\0", 12, "what the Emperor sent is longer than 67108864 bytes",
         -EFBIG},
        {"s\5\0\0abc", 7, "the Emperor's configuration pipe has ended", -EPIPE},
        {"s\5", 2, "the Emperor's configuration pipe has ended", -EPIPE},
    };
    struct errmsg err = {""};
    char *text = NULL;
    size_t len = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int ours = -1, theirs = -1;
        make_pipe("UWSGI_EMPEROR_FD_CONFIG", 0, &ours, &theirs);
        assert_int_equal(write(ours, cases[i].bytes, cases[i].n), cases[i].n);
        assert_int_equal(shutdown(ours, SHUT_WR), 0);
        assert_int_equal(config_pipe_receive(environment, &text, &len, &err), cases[i].code);
        assert_string_equal(err.text, cases[i].message);
        /* It is at its end for good. */
        assert_int_equal(config_pipe_receive(environment, &text, &len, &err), -EPIPE);
        (void)close(ours);
        (void)close(theirs);
    }
    environment[0] = "LIEGE_EMPEROR_FD_CONFIG=x";
    assert_int_equal(config_pipe_receive(environment, &text, &len, &err), -EBADF);
    environment[0] = NULL;
    assert_int_equal(config_pipe_receive(environment, &text, &len, &err), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_receive),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
