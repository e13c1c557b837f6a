/* SPDX-License-Identifier: MIT */
/* Requests of the control socket: bytes in, a structure out. The keys are a table; what is not in
 * it is refused, so that a client that asks for more than this Emperor knows is told so. Called by
 * control.c. */
#include "emperor/control-request.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/macro.h"

static int set_version(struct control_request *r, const json_t *value, struct errmsg *err)
{
    (void)r;
    if (!json_is_integer(value) || json_integer_value(value) != CONTROL_VERSION)
        return errmsg_set(err, -EPROTO, "version %d is spoken here", CONTROL_VERSION);
    return 0;
}

static int set_text(char *text, size_t size, const char *key, const json_t *value,
                    struct errmsg *err)
{
    if (!json_is_string(value) || json_string_length(value) >= size)
        return errmsg_set(err, -EINVAL, "%s has to be a string of at most %zu bytes", key,
                          size - 1);
    memcpy(text, json_string_value(value), json_string_length(value) + 1);
    return 0;
}

static int set_command(struct control_request *r, const json_t *value, struct errmsg *err)
{
    return set_text(r->command, sizeof(r->command), "command", value, err);
}

static int set_vassal(struct control_request *r, const json_t *value, struct errmsg *err)
{
    return set_text(r->vassal, sizeof(r->vassal), "vassal", value, err);
}

static int set_lines(struct control_request *r, const json_t *value, struct errmsg *err)
{
    json_int_t n = json_integer_value(value);

    if (!json_is_integer(value) || n < 0 || n > CONTROL_LOG_LINES)
        return errmsg_set(err, -EINVAL, "lines has to be a number from 0 to %d", CONTROL_LOG_LINES);
    r->lines = (unsigned)n;
    return 0;
}

static int set_flag(bool *flag, const char *key, const json_t *value, struct errmsg *err)
{
    if (!json_is_boolean(value))
        return errmsg_set(err, -EINVAL, "%s has to be true or false", key);
    *flag = json_is_true(value);
    return 0;
}

static int set_follow(struct control_request *r, const json_t *value, struct errmsg *err)
{
    return set_flag(&r->follow, "follow", value, err);
}

static int set_wait(struct control_request *r, const json_t *value, struct errmsg *err)
{
    return set_flag(&r->wait, "wait", value, err);
}

static int set_memory(struct control_request *r, const json_t *value, struct errmsg *err)
{
    return set_flag(&r->memory, "memory", value, err);
}

static int set_socket(struct control_request *r, const json_t *value, struct errmsg *err)
{
    return set_text(r->socket, sizeof(r->socket), "socket", value, err);
}

static int set_bytes(struct control_request *r, const json_t *value, struct errmsg *err)
{
    json_int_t n = json_integer_value(value);

    if (!json_is_integer(value) || n < 0 || (size_t)n > CONTROL_TEXT_BYTES)
        return errmsg_set(err, -EINVAL, "bytes has to be a number from 0 to %zu",
                          CONTROL_TEXT_BYTES);
    r->bytes = (size_t)n;
    return 0;
}

/* clang-format off */
static const struct {
    const char *key;
    int (*set)(struct control_request *r, const json_t *value, struct errmsg *err);
    bool needed;
} keys[] = {
    { "v",       set_version, true },
    { "command", set_command, true },
    { "vassal",  set_vassal,  false },
    { "lines",   set_lines,   false },
    { "follow",  set_follow,  false },
    { "wait",    set_wait,    false },
    { "memory",  set_memory,  false },
    { "socket",  set_socket,  false },
    { "bytes",   set_bytes,   false },
};
/* clang-format on */

static bool is_known(const char *key)
{
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        if (strcmp(keys[i].key, key) == 0)
            return true;
    return false;
}

int control_request_parse(const char *line, size_t len, struct control_request *ret,
                          struct errmsg *err)
{
    struct control_request done = {.lines = 10};
    json_error_t error;
    _cleanup_(json_decrefp) json_t *object = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);

    if (!json_is_object(object))
        return errmsg_set(err, -EINVAL, "a request is a line with one JSON object%s%s",
                          object ? "" : ": ", object ? "" : error.text);
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        const json_t *value = json_object_get(object, keys[i].key);
        if (!value && keys[i].needed)
            return errmsg_set(err, -EINVAL, "the request has no \"%s\"", keys[i].key);
        int r = value ? keys[i].set(&done, value, err) : 0;
        if (r < 0)
            return r;
    }
    for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it))
        if (!is_known(json_object_iter_key(it)))
            return errmsg_set(err, -EINVAL, "\"%.64s\" means nothing in a request",
                              json_object_iter_key(it));
    *ret = done;
    return 0;
}
