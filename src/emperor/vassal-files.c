/* SPDX-License-Identifier: MIT */
#include "emperor/vassal-files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "emperor/vassal.h"

#define MAX_FILES 64 /* of which is noted that a configuration includes them */

void vassal_forget_files(struct vassal *v)
{
    for (size_t i = 0; i < v->n_files; i++)
        free(v->files[i].path);
    free(v->files);
    v->files = NULL;
    v->n_files = 0;
}

int vassal_note_file(struct vassal *v, const char *path, const struct stamp *stamp)
{
    struct vassal_file *files = NULL;
    char *copy = NULL;

    if (v->n_files == MAX_FILES)
        return 0;
    files = realloc(v->files, (v->n_files + 1) * sizeof(*files));
    if (!files)
        return -ENOMEM;
    v->files = files;
    copy = strdup(path);
    if (!copy)
        return -ENOMEM;
    files[v->n_files++] = (struct vassal_file){.path = copy, .stamp = *stamp};
    return 0;
}

void vassal_reads(struct vassal *v, const char *path)
{
    struct stamp stamp = {0};
    struct stat st;

    if (!path)
        vassal_forget_files(v);
    else if (stat(path, &st) == 0)
        stamp = stamp_of(&st);
    if (path && vassal_note_file(v, path, &stamp) < 0)
        return;
    if (v->item && v->monitor->ops->include)
        v->monitor->ops->include(v->monitor, v->item, path);
}

bool vassal_watch_files(struct vassal *v)
{
    struct monitor *m = v->monitor;
    bool same = true;
    struct stat st;

    for (size_t i = 0; v->item && m->ops->include && i < v->n_files; i++) {
        m->ops->include(m, v->item, v->files[i].path);
        if (stat(v->files[i].path, &st) < 0)
            continue;
        struct stamp now = stamp_of(&st);
        same = same && stamp_same_version(&now, &v->files[i].stamp);
    }
    return same || v->realm->conf->no_include_watch;
}
