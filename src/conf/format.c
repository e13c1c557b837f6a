/* SPDX-License-Identifier: MIT */
/* The formats of configuration files: the one table that knows their endings, the options that read
 * them and their parsers. Used by load.c to read files, by the command line to tell configurations
 * from applications, and by the Emperor's monitors to tell them from other files. */
#include "conf/format.h"

#include <stdio.h>
#include <string.h>

#include "base/strv.h"
#include "conf/ini.h"
#include "conf/json.h"
#include "conf/xml.h"
#include "conf/yaml.h"

/* clang-format off */
static const struct format formats[] = {
    { ".ini",  "ini",  ini_parse },
    { ".yaml", "yaml", yaml_parse },
    { ".yml",  "yaml", yaml_parse },
    { ".json", "json", json_parse },
    { ".js",   "json", json_parse },
    { ".xml",  "xml",  xml_parse },
};
/* clang-format on */

const struct format *format_of_name(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(formats); i++)
        if (str_ends(name, formats[i].ending) && strcmp(name, formats[i].ending) != 0)
            return &formats[i];
    return NULL;
}

const struct format *format_of_option(const char *option)
{
    for (size_t i = 0; i < COUNT_OF(formats); i++)
        if (strcmp(option, formats[i].option) == 0)
            return &formats[i];
    return NULL;
}

const char *format_endings(char *text, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < COUNT_OF(formats) && used < size; i++)
        used +=
            (size_t)snprintf(text + used, size - used, "%s%s", i > 0 ? " " : "", formats[i].ending);
    return text;
}
