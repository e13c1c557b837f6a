/* SPDX-License-Identifier: MIT */
/* Writes what is documented about options from the tables that the programs use: docs/options.md
 * ("markdown"), the manual page from its hand-written frame ("man FRAME") and bash's completion
 * ("completion"). Run by the build; not installed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/macro.h"
#include "cli/registry.h"
#include "conf/doc.h"

struct tables {
    struct conf_table items[2 + REGISTRY_MAX_TABLES];
    size_t n_items;
};

static int write_markdown(const struct tables *t, const char *frame, struct buf *out)
{
    static const char head[] =
        "# Options\n\n"
        "Made from the programs' tables by `make docs`: change the row, not this page.\n\n"
        "On the command line an option is `--name value` or `--name=value`, in a file\n"
        "`name = value`; [configuration.md](configuration.md) has the rest. An option of the\n"
        "Emperor stands in the Emperor's configuration, all the others in a vassal's.\n";

    (void)frame;
    int r = buf_append(out, head, strlen(head));
    return r < 0 ? r : doc_markdown(t->items, t->n_items, out);
}

/* For bash: options, and files where no option is meant. */
static int write_completion(const struct tables *t, const char *frame, struct buf *out)
{
    (void)frame;
    int r = buf_printf(out, "complete -o default -W '\n");
    if (r == 0)
        r = doc_words(t->items, t->n_items, out);
    return r < 0 ? r : buf_printf(out, "' liege\n");
}

/* Copies the frame; its line "@OPTIONS@" stands for the tables. */
static int write_man(const struct tables *t, const char *frame, struct buf *out)
{
    _cleanup_free_ char *line = NULL;
    size_t size = 0;
    FILE *f = frame ? fopen(frame, "re") : NULL;

    if (!f)
        return frame ? -errno : -EINVAL;
    int r = 0;
    for (ssize_t n; r == 0 && (n = getline(&line, &size, f)) > 0;)
        r = strcmp(line, "@OPTIONS@\n") == 0 ? doc_roff(t->items, t->n_items, out)
                                             : buf_append(out, line, (size_t)n);
    if (r == 0 && ferror(f))
        r = -EIO;
    (void)fclose(f); /* it was only read */
    return r;
}

/* clang-format off */
static const struct {
    const char *name;
    int (*write)(const struct tables *t, const char *frame, struct buf *out);
} formats[] = {
    { "markdown",   write_markdown },
    { "man",        write_man },
    { "completion", write_completion },
};
/* clang-format on */

int main(int argc, char *argv[])
{
    struct tables tables = {.items = {conf_meta_table, conf_logic_table}};
    _cleanup_(buf_done) struct buf out = {0};
    int r = -EINVAL;

    tables.n_items = 2 + registry_fill(NULL, tables.items + 2);
    for (size_t i = 0; argc > 1 && i < COUNT_OF(formats); i++)
        if (strcmp(argv[1], formats[i].name) == 0)
            r = formats[i].write(&tables, argv[2], &out);
    if (r == 0 && fwrite(buf_at(&out), 1, buf_len(&out), stdout) != buf_len(&out))
        r = -EIO;
    if (r == 0 && fflush(stdout) != 0)
        r = -errno;
    if (r < 0)
        (void)fprintf(stderr, "usage: write-docs markdown | man FRAME | completion (%s)\n",
                      strerror(-r));
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
