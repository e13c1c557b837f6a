/* SPDX-License-Identifier: MIT */
/* The list of all options tables, as the program liege knows them: its own and those of the
 * programs that it starts. Where a name is in two tables, the Emperor's comes first: its `uid` is
 * the Emperor's own. */
#include "cli/registry.h"

#include <assert.h>

#include "instance/registry.h"

static_assert(REGISTRY_MAX_TABLES >= INSTANCE_MAX_TABLES + 1, "the callers' arrays hold them all");

size_t registry_fill(struct emperor_conf *emperor, struct conf_table tables[REGISTRY_MAX_TABLES])
{
    tables[0] = (struct conf_table){
        .title = "Emperor",
        .options = emperor_options,
        .n_options = emperor_options_count,
        .object = emperor,
    };
    return 1 + instance_tables(tables + 1, REGISTRY_MAX_TABLES - 1);
}
