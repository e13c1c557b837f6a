/* SPDX-License-Identifier: MIT */
/* What sections are called: known to load.c, which reads the settings of one vassal, and to the
 * Emperor, which has to know how many there are. */
#include "conf/part.h"

#include <string.h>

#include "base/strv.h"

bool part_is_common(const char *section)
{
    return strcmp(section, "liege") == 0 || strcmp(section, "uwsgi") == 0;
}

const char *part_of_section(const char *section)
{
    static const char prefix[] = "vassal:";

    return str_starts(section, prefix) && section[sizeof(prefix) - 1] != '\0'
               ? section + sizeof(prefix) - 1
               : NULL;
}
