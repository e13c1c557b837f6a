/* SPDX-License-Identifier: MIT */
#include "instance/procname.h"

#include "base/title.h"

void procname_set(const struct registry *r, const char *role)
{
    const char *name = r->instance.procname;

    if (name)
        title_set("%s: %s", name, role);
    else
        title_set("liege: %s%s%s", role, *r->conf.name ? " " : "", r->conf.name);
}
