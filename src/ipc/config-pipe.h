/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/errmsg.h"

/* The configuration pipe: a stream socket on which an Emperor sends its vassal a configuration that
 * is in no file, right after the start and whenever the vassal asks for it (VASSAL_BYTE_CONFIG).
 *
 * A text has uWSGI's head of four bytes: modifier1 115, its length as 16 bits with the lower byte
 * first, modifier2 0. What is longer has modifier2 1 and, as the eight bytes that the 16 bits
 * announce, the length as 64 bits. A vassal of ours answers with modifier2 2 and the length of what
 * it has taken, in the same form; one of uWSGI's does not answer. */

#define CONFIG_PIPE_MODIFIER1 115
#define CONFIG_PIPE_MAX_BYTES (64U << 20) /* of a text */

enum config_pipe_kind { /* modifier2 */
                        CONFIG_PIPE_TEXT = 0,
                        CONFIG_PIPE_LONG_TEXT = 1,
                        CONFIG_PIPE_TAKEN = 2,
};

struct config_pipe_head {
    enum config_pipe_kind kind;
    uint64_t len; /* of the text */
};

#define CONFIG_PIPE_HEAD_BYTES 12 /* at most */

/* Writes the head that @len bytes of text need, or the answer to them. Returns its length. */
size_t config_pipe_write_head(uint64_t len, unsigned char ret[CONFIG_PIPE_HEAD_BYTES]);
size_t config_pipe_write_taken(uint64_t len, unsigned char ret[CONFIG_PIPE_HEAD_BYTES]);

/* Reads a head from the @n bytes that have come. Returns its length, 0 if more has to come (never
 * with CONFIG_PIPE_HEAD_BYTES), -EPROTO if it is none, -EFBIG for a text of more than
 * CONFIG_PIPE_MAX_BYTES. */
int config_pipe_parse_head(const unsigned char *data, size_t n,
                           struct config_pipe_head *ret) _must_check_;

/* Reads a text from the pipe that @environ names (fdmap.h), and answers. *@ret_text is allocated
 * and terminated. Waits, at most 5 s for each part. Returns 0, or a negative errno with @err; what
 * cannot be understood ends the pipe, since nobody knows where the next text begins. Each is a
 * conf_receive_fn; the second asks the Emperor for the text first. */
int config_pipe_receive(const char *const *environ, char **ret_text, size_t *ret_len,
                        struct errmsg *err) _must_check_;
int config_pipe_request(const char *const *environ, char **ret_text, size_t *ret_len,
                        struct errmsg *err) _must_check_;
