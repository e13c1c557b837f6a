/* SPDX-License-Identifier: MIT */
/* Gives every file of the folders named on the command line to a fuzzer's entry, so that the
 * ordinary test run covers the saved corpora with any compiler. Under libFuzzer it is left out. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/fd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *folder, const char *name)
{
    _cleanup_free_ char *text = NULL;
    char path[4096];
    size_t len = 0;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    int r = file_read_all(path, 16U << 20, &text, &len);
    if (r == 0)
        (void)LLVMFuzzerTestOneInput((const uint8_t *)text, len);
    return r;
}

/* Returns the number of files, or -1 when one cannot be read. */
static int replay_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    int n = 0;

    if (!dir)
        return -1;
    for (const struct dirent *e = NULL; n >= 0 && (e = readdir(dir));)
        if (e->d_name[0] != '.')
            n = replay_file(folder, e->d_name) < 0 ? -1 : n + 1;
    (void)closedir(dir);
    return n;
}

int main(int argc, char *argv[])
{
    for (int i = 1; i < argc; i++) {
        int n = replay_folder(argv[i]);

        if (n <= 0) {
            (void)fprintf(stderr, "%s: nothing to replay, or it cannot be read\n", argv[i]);
            return EXIT_FAILURE;
        }
        (void)printf("%s: %d inputs\n", argv[i], n);
    }
    return EXIT_SUCCESS;
}
