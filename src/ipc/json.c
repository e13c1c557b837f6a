/* SPDX-License-Identifier: MIT */
#include "ipc/json.h"

#include <limits.h>
#include <stdio.h>

#include "base/clock.h"

void json_put_int(json_t *j, const char *key, uint64_t n)
{
    (void)json_object_set_new(j, key, json_integer((json_int_t)n));
}

void json_put_flag(json_t *j, const char *key, bool on)
{
    json_put_int(j, key, on ? 1 : 0);
}

/* A time with its fraction, from microseconds. */
void json_put_time(json_t *j, const char *key, uint64_t us)
{
    (void)json_object_set_new(j, key, json_real((double)us / US_PER_SEC));
}

/* Names are bytes, a document is UTF-8: what is not gets question marks. */
json_t *json_text(const char *text)
{
    char ascii[PATH_MAX];
    json_t *j = json_string(text);

    if (j)
        return j;
    (void)snprintf(ascii, sizeof(ascii), "%s", text);
    for (char *c = ascii; *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    return json_string(ascii);
}

void json_put_text(json_t *j, const char *key, const char *text)
{
    (void)json_object_set_new(j, key, json_text(text));
}
