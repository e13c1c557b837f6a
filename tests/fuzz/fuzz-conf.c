/* SPDX-License-Identifier: MIT */
/* A whole load of any bytes as a file of the format FUZZ_FORMAT: parsing, sections, blocks,
 * expansion, placeholders, arithmetic, values of each type, and the way back to text. Inputs cannot
 * reach the file system: what has a slash, but for those of XML's tags, is not tried, and the
 * current directory of the load does not exist. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct values {
    bool flag;
    uint64_t number, bytes, seconds, msecs, mode;
    char *string;
    struct liege_list list;
};

/* clang-format off */
static const struct liege_option rows[] = {
    { .name = "flag",    .type = LIEGE_OPTION_FLAG,    .offset = offsetof(struct values, flag) },
    { .name = "number",  .type = LIEGE_OPTION_UINT,    .offset = offsetof(struct values, number),
      .min = 1, .max = 100, .dflt = "1" },
    { .name = "bytes",   .type = LIEGE_OPTION_BYTES,   .offset = offsetof(struct values, bytes) },
    { .name = "seconds", .type = LIEGE_OPTION_SECONDS, .offset = offsetof(struct values, seconds) },
    { .name = "msecs",   .type = LIEGE_OPTION_MSECS,   .offset = offsetof(struct values, msecs) },
    { .name = "mode",    .type = LIEGE_OPTION_MODE,    .offset = offsetof(struct values, mode) },
    { .name = "string",  .type = LIEGE_OPTION_STRING,  .offset = offsetof(struct values, string) },
    { .name = "list",    .type = LIEGE_OPTION_LIST,    .offset = offsetof(struct values, list) },
    { .name = "always",  .type = LIEGE_OPTION_ALWAYS },
};
/* clang-format on */

static void ignore(const char *text)
{
    (void)text;
}

static void load(const char *path)
{
    struct values values = {0};
    const struct conf_table table = {
        .title = "Fuzz", .options = rows, .n_options = COUNT_OF(rows), .object = &values};
    const char *const argv[] = {"liege", "--" FUZZ_FORMAT, path, NULL};
    const char *const environ_[] = {"HOME=home", NULL};
    const struct conf_input in = {
        .argv = argv, .environ = environ_, .tables = &table, .n_tables = 1, .cwd = "/nonexistent"};
    _cleanup_(conf_done) struct conf conf = {0};
    _cleanup_(buf_done) struct buf shown = {0};
    struct errmsg err = {""};

    if (conf_load(&in, &conf, &err) < 0)
        return;
    (void)!conf_show(&conf, &shown);
    (void)!conf_apply(&conf, &table, 1, ignore, &err);
    conf_release(&table, 1);
}

static bool has_path(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (data[i] == '/' && !(i > 0 && data[i - 1] == '<') &&
            !(i + 1 < size && data[i + 1] == '>'))
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_close_ int fd = memfd_create("fuzz", MFD_CLOEXEC);
    char path[64];

    if (fd < 0 || has_path(data, size) || write(fd, data, size) != (ssize_t)size)
        return 0;
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    load(path);
    return 0;
}
