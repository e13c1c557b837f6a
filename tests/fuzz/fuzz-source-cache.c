/* SPDX-License-Identifier: MIT */
/* Any bytes as the texts of sources that another process has read. */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf/source-cache.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct source_cache c = {0};
    int fd = memfd_create("texts", MFD_CLOEXEC);

    assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    (void)!source_cache_read(&c, fd);
    (void)close(fd);
    for (size_t i = 0; i < c.n_entries; i++)
        assert(c.entries[i].text[c.entries[i].len] == '\0' &&
               source_cache_find(&c, c.entries[i].uri));
    source_cache_done(&c);
    return 0;
}
