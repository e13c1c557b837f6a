/* SPDX-License-Identifier: MIT */
/* Any bytes as the head of a text on the configuration pipe. Byte by byte it is the same as at
 * once, and what is taken is written the same way. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/macro.h"
#include "ipc/config-pipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_pipe_head whole = {.len = 0}, part = {.len = 0};
    unsigned char again[CONFIG_PIPE_HEAD_BYTES];
    int r = config_pipe_parse_head(data, size, &whole), r_part = 0;

    assert(r <= CONFIG_PIPE_HEAD_BYTES && (r != 0 || size < CONFIG_PIPE_HEAD_BYTES));
    for (size_t n = 0; r_part == 0 && n <= size; n++)
        r_part = config_pipe_parse_head(data, n, &part);
    assert(r == r_part);
    if (r <= 0)
        return 0;
    assert(whole.kind == part.kind && whole.len == part.len);
    size_t n = whole.kind == CONFIG_PIPE_TAKEN ? config_pipe_write_taken(whole.len, again)
                                               : config_pipe_write_head(whole.len, again);
    if (n == (size_t)r) /* a short text may come with the longer head */
        assert(memcmp(data, again, n) == 0);
    return 0;
}
