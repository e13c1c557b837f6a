/* SPDX-License-Identifier: MIT */
/* One value of one option: from text to the module's structure, checked against the row.
 *
 * Strict on purpose: no sign, no blanks, nothing behind the number, no silent wrap. A parser and a
 * sentence for each type stand in one table. Stored times are microseconds, stored sizes bytes. */
#include "conf/option.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/strv.h"
#include "conf/settings.h"

#define FRACTION_DIGITS_MAX 6

/* Returns 0, -EINVAL (not of this type), -ERANGE or -ENOMEM. @field may be NULL. */
typedef int parse_fn(const struct liege_option *row, const char *value, void *field);

struct unit {
    const char *name;
    uint64_t scale;
};

/* From the largest to the smallest. */
static const struct unit byte_units[] = {
    {"t", 1ULL << 40}, {"g", 1ULL << 30}, {"m", 1ULL << 20}, {"k", 1ULL << 10}, {"", 1},
};
static const struct unit time_units[] = {
    {"d", 86400 * US_PER_SEC}, {"h", 3600 * US_PER_SEC}, {"m", 60 * US_PER_SEC},
    {"s", US_PER_SEC},         {"ms", US_PER_MS},
};

static int parse_bool(const char *value, bool *ret)
{
    static const char *const words[][2] = {
        {"no", "yes"}, {"false", "true"}, {"off", "on"}, {"0", "1"}, {"", ""},
    };

    for (size_t i = 0; i < COUNT_OF(words); i++)
        for (int v = 1; v >= 0; v--) /* yes first: nothing means yes */
            if (strcasecmp(value, words[i][v]) == 0) {
                *ret = v == 1;
                return 0;
            }
    return -EINVAL;
}

static int parse_flag(const struct liege_option *row, const char *value, void *field)
{
    bool on = false;
    int r = parse_bool(value, &on);

    (void)row;
    if (r == 0 && field)
        *(bool *)field = on;
    return r;
}

static int parse_always(const struct liege_option *row, const char *value, void *field)
{
    bool on = false;
    int r = parse_bool(value, &on);

    (void)row;
    (void)field;
    return r == 0 && !on ? -EINVAL : r;
}

/* Reads the digits of @base that @text starts with. At least one is wanted. */
static int parse_digits(const char *text, unsigned base, uint64_t *ret, const char **ret_end)
{
    uint64_t n = 0;
    const char *at = text;

    for (; *at >= '0' && *at < (char)('0' + base); at++)
        if (__builtin_mul_overflow(n, base, &n) ||
            __builtin_add_overflow(n, (uint64_t)(*at - '0'), &n))
            return -ERANGE;
    *ret = n;
    *ret_end = at;
    return at == text ? -EINVAL : 0;
}

static int store_number(const struct liege_option *row, uint64_t n, void *field)
{
    if (n < row->min || (row->max > 0 && n > row->max))
        return -ERANGE;
    if (field)
        *(uint64_t *)field = n;
    return 0;
}

static int parse_plain(const struct liege_option *row, const char *value, unsigned base,
                       void *field)
{
    const char *end = NULL;
    uint64_t n = 0;
    int r = parse_digits(value, base, &n, &end);

    if (r == 0 && *end != '\0')
        r = -EINVAL;
    return r < 0 ? r : store_number(row, n, field);
}

static int parse_uint(const struct liege_option *row, const char *value, void *field)
{
    if (!(row->flags & LIEGE_OPTION_AUTO) || strcmp(value, "auto") != 0)
        return parse_plain(row, value, 10, field);
    if (field)
        *(uint64_t *)field = 0;
    return 0;
}

/* The permissions of a socket for which none are said: everybody may connect, as in uWSGI. */
static int parse_mode(const struct liege_option *row, const char *value, void *field)
{
    return parse_plain(row, *value == '\0' ? "666" : value, 8, field);
}

static const struct unit *find_unit(const struct unit *units, size_t n_units, const char *name)
{
    for (size_t i = 0; i < n_units; i++)
        if (strcasecmp(units[i].name, name) == 0)
            return &units[i];
    return NULL;
}

static int parse_size(const struct liege_option *row, const char *value, const char *dflt_unit,
                      void *field)
{
    const char *end = NULL;
    uint64_t n = 0;
    int r = parse_digits(value, 10, &n, &end);

    if (r < 0)
        return r;

    const struct unit *unit =
        find_unit(byte_units, COUNT_OF(byte_units), *end == '\0' ? dflt_unit : end);
    if (!unit)
        return -EINVAL;
    if (__builtin_mul_overflow(n, unit->scale, &n))
        return -ERANGE;
    return store_number(row, n, field);
}

static int parse_bytes(const struct liege_option *row, const char *value, void *field)
{
    return parse_size(row, value, "", field);
}

static int parse_mebibytes(const struct liege_option *row, const char *value, void *field)
{
    return parse_size(row, value, "m", field);
}

/* The ".25" of "1.25s", as microseconds for a unit of @scale, is fraction * scale / divisor. */
static int parse_fraction(const char *text, uint64_t *ret, uint64_t *ret_divisor,
                          const char **ret_end)
{
    const char *end = NULL;
    uint64_t fraction = 0, divisor = 1;
    int r = parse_digits(text, 10, &fraction, &end);

    if (r < 0 || end - text > FRACTION_DIGITS_MAX)
        return -EINVAL;
    for (const char *p = text; p < end; p++)
        divisor *= 10;
    *ret = fraction;
    *ret_divisor = divisor;
    *ret_end = end;
    return 0;
}

static int parse_time(const struct liege_option *row, const char *value, const char *dflt_unit,
                      void *field)
{
    const char *end = NULL;
    uint64_t n = 0, fraction = 0, divisor = 1;
    int r = parse_digits(value, 10, &n, &end);

    if (r == 0 && *end == '.')
        r = parse_fraction(end + 1, &fraction, &divisor, &end);
    if (r < 0)
        return r;

    const struct unit *unit =
        find_unit(time_units, COUNT_OF(time_units), *end == '\0' ? dflt_unit : end);
    if (!unit)
        return -EINVAL;
    /* At most 10^6 * 86400 * 10^6: no overflow. */
    uint64_t part = fraction * unit->scale / divisor;
    if (__builtin_mul_overflow(n, unit->scale, &n) || __builtin_add_overflow(n, part, &n))
        return -ERANGE;
    return store_number(row, n, field);
}

static int parse_seconds(const struct liege_option *row, const char *value, void *field)
{
    return parse_time(row, value, "s", field);
}

static int parse_msecs(const struct liege_option *row, const char *value, void *field)
{
    return parse_time(row, value, "ms", field);
}

static int parse_string(const struct liege_option *row, const char *value, void *field)
{
    (void)row;
    if (!field)
        return 0;

    char *copy = strdup(value);
    if (!copy)
        return -ENOMEM;
    free(*(char **)field);
    *(char **)field = copy;
    return 0;
}

static int parse_list(const struct liege_option *row, const char *value, void *field)
{
    (void)row;
    return field ? strv_append(field, value) : 0;
}

/* Writes 65536 as "64k". The smallest unit must divide everything that a row can say. */
static void format_scaled(const struct unit *units, size_t n_units, uint64_t n, char *text,
                          size_t size)
{
    for (size_t i = 0; i < n_units; i++)
        if (n > 0 && n % units[i].scale == 0) {
            (void)snprintf(text, size, "%" PRIu64 "%s", n / units[i].scale, units[i].name);
            return;
        }
    (void)snprintf(text, size, n == 0 ? "0" : "%.6fs", (double)n / (double)US_PER_SEC);
}

static void format_number(enum liege_option_type type, uint64_t n, char *text, size_t size)
{
    if (type == LIEGE_OPTION_BYTES || type == LIEGE_OPTION_MEBIBYTES)
        format_scaled(byte_units, COUNT_OF(byte_units), n, text, size);
    else if (type == LIEGE_OPTION_SECONDS || type == LIEGE_OPTION_MSECS)
        format_scaled(time_units, COUNT_OF(time_units), n, text, size);
    else
        (void)snprintf(text, size, type == LIEGE_OPTION_MODE ? "%" PRIo64 : "%" PRIu64, n);
}

/* clang-format off */
static const struct {
    parse_fn *parse;
    const char *what;  /* follows "is not" */
    const char *how;   /* how units are written; follows the range */
} types[] = {
    [LIEGE_OPTION_FLAG]    = { parse_flag,    "yes or no", "" },
    [LIEGE_OPTION_UINT]    = { parse_uint,    "a whole number", "" },
    [LIEGE_OPTION_BYTES]   = { parse_bytes,   "a size", " (bytes, or with k, m, g or t)" },
    [LIEGE_OPTION_MEBIBYTES] = { parse_mebibytes, "a size", " (MiB, or with k, m, g or t)" },
    [LIEGE_OPTION_SECONDS] = { parse_seconds, "a time", " (seconds, or with ms, s, m, h or d)" },
    [LIEGE_OPTION_MSECS]   = { parse_msecs,   "a time", " (milliseconds, or with ms, s, m, h or d)" },
    [LIEGE_OPTION_MODE]    = { parse_mode,    "octal permissions", "" },
    [LIEGE_OPTION_STRING]  = { parse_string,  "a text", "" },
    [LIEGE_OPTION_LIST]    = { parse_list,    "a text", "" },
    [LIEGE_OPTION_ALWAYS]  = { parse_always,  "possible: liege always does this", "" },
};
/* clang-format on */
static_assert(COUNT_OF(types) == LIEGE_OPTION_TYPE_COUNT, "one parser for each option type");

static bool is_number(enum liege_option_type type)
{
    return type >= LIEGE_OPTION_UINT && type <= LIEGE_OPTION_MODE;
}

const char *option_accepted(const struct liege_option *row, char *text, size_t size)
{
    char min[32] = "", max[32] = "";

    if (row->max > 0)
        format_number(row->type, row->max, max, sizeof(max));
    format_number(row->type, row->min, min, sizeof(min));
    if (!is_number(row->type) || (row->min == 0 && row->max == 0))
        (void)snprintf(text, size, "%s%s", types[row->type].what, types[row->type].how);
    else if (row->max == 0)
        (void)snprintf(text, size, "%s of at least %s%s", types[row->type].what, min,
                       types[row->type].how);
    else
        (void)snprintf(text, size, "%s from %s to %s%s%s", types[row->type].what, min, max,
                       types[row->type].how, row->flags & LIEGE_OPTION_AUTO ? ", or auto" : "");
    return text;
}

static bool may_be_empty(const struct liege_option *row)
{
    return row->type == LIEGE_OPTION_FLAG || row->type == LIEGE_OPTION_ALWAYS ||
           (row->flags & LIEGE_OPTION_VALUELESS);
}

static int check_value(const struct liege_option *row, const char *value, struct errmsg *err)
{
    char reason[768] = "";
    int r = row->check ? row->check(value, reason, sizeof(reason)) : 0;

    for (char *p = reason; *p != '\0'; p++) /* it shows the value */
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    return r < 0 ? errmsg_set(err, r, "%s: %s", row->name, reason) : 0;
}

int option_set(const struct liege_option *row, void *object, const char *value, struct errmsg *err)
{
    assert(row->type < LIEGE_OPTION_TYPE_COUNT);

    char accepted[128];
    struct shown shown;

    if (*value == '\0' && !may_be_empty(row))
        return errmsg_set(err, -EINVAL, "%s: the value is missing, %s", row->name,
                          option_accepted(row, accepted, sizeof(accepted)));

    int r = check_value(row, value, err);
    if (r < 0)
        return r;
    r = types[row->type].parse(row, value, object ? (char *)object + row->offset : NULL);
    if (r == -EINVAL || r == -ERANGE)
        return errmsg_set(err, r, "%s: '%s' is not %s", row->name, setting_shown(value, &shown),
                          option_accepted(row, accepted, sizeof(accepted)));
    return r;
}

void option_clear(const struct liege_option *row, void *object)
{
    void *field = (char *)object + row->offset;

    if (row->type == LIEGE_OPTION_LIST) {
        strv_done(field);
    } else if (row->type == LIEGE_OPTION_STRING) {
        free(*(char **)field);
        *(char **)field = NULL;
    } else if (row->type == LIEGE_OPTION_FLAG) {
        *(bool *)field = false;
    } else if (is_number(row->type)) {
        *(uint64_t *)field = 0;
    }
}
