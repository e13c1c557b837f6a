/* SPDX-License-Identifier: MIT */
/* The list of languages: which there are, what they are called, which files are theirs. Plain data,
 * without the means to load anything, because the Emperor's program has it too. */
#include "app/language.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/macro.h"

extern const struct liege_plugin_info python_plugin_info;
extern const struct liege_plugin_info perl_plugin_info;

/* clang-format off */
const struct language languages[] = {
    { .info = &python_plugin_info, .aliases = "python python3 python311 wsgi",
      .file_option = "wsgi-file", .title = "Python (WSGI)" },
    { .info = &perl_plugin_info, .aliases = "perl psgi", .file_option = "psgi", .title = "Perl (PSGI)" },
};
/* clang-format on */
const size_t n_languages = COUNT_OF(languages);

/* True if @word is one of the words of @words. */
static bool has_word(const char *words, const char *word, size_t len)
{
    for (const char *p = words; *p; p += strspn(p, " ")) {
        size_t n = strcspn(p, " ");
        if (n == len && strncasecmp(p, word, n) == 0)
            return true;
        p += n;
    }
    return false;
}

int language_find(const char *name)
{
    for (size_t i = 0; i < n_languages; i++)
        if (has_word(languages[i].aliases, name, strlen(name)))
            return (int)i;
    return -ENOENT;
}

int language_for_source(const char *source)
{
    const char *dot = strrchr(source, '.');

    for (size_t i = 0; dot && i < n_languages; i++)
        if (has_word(languages[i].info->suffixes, dot, strlen(dot)))
            return (int)i;
    return language_find("python"); /* module:callable */
}
