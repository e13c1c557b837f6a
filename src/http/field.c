/* SPDX-License-Identifier: MIT */
/* Field names and values. A name's id is found by its length (at most six names share one) and one
 * comparison of 32 bytes; the names themselves stand once, in liege/app.h. Merging repeated fields
 * looks twice only at names whose bit in a 64-bit filter is taken, so that a request without
 * repeats, nearly all of them, costs one pass. Called by proto/ for requests. */
#include "http/field.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/arena.h"

#define NAME_BYTES   32 /* no name that has an id is longer */
#define MAX_SAME_LEN 6
#define MAX_DIGITS   19 /* of INT64_MAX */

/* clang-format off */
static const char names[LIEGE_FIELD_COUNT][NAME_BYTES] = {
#define NAME(id, name, key) [LIEGE_FIELD_##id] = name,
    LIEGE_FIELDS(NAME)
#undef NAME
};

static const char *const keys[LIEGE_FIELD_COUNT] = {
#define KEY(id, name, key) [LIEGE_FIELD_##id] = key,
    LIEGE_FIELDS(KEY)
#undef KEY
};

#define F(id) LIEGE_FIELD_##id
static const uint8_t by_length[][MAX_SAME_LEN] = {
    [2]  = { F(TE) },
    [3]  = { F(VIA), F(DNT) },
    [4]  = { F(HOST), F(DATE) },
    [5]  = { F(RANGE) },
    [6]  = { F(ACCEPT), F(COOKIE), F(ORIGIN), F(PRAGMA), F(EXPECT) },
    [7]  = { F(REFERER), F(UPGRADE) },
    [8]  = { F(IF_MATCH), F(IF_RANGE) },
    [9]  = { F(X_REAL_IP), F(FORWARDED) },
    [10] = { F(USER_AGENT), F(CONNECTION), F(KEEP_ALIVE) },
    [12] = { F(CONTENT_TYPE), F(X_REQUEST_ID) },
    [13] = { F(CACHE_CONTROL), F(AUTHORIZATION), F(IF_NONE_MATCH) },
    [14] = { F(SEC_FETCH_DEST), F(SEC_FETCH_MODE), F(SEC_FETCH_SITE), F(SEC_FETCH_USER),
             F(CONTENT_LENGTH), F(ACCEPT_CHARSET) },
    [15] = { F(ACCEPT_ENCODING), F(ACCEPT_LANGUAGE), F(X_FORWARDED_FOR) },
    [16] = { F(X_FORWARDED_HOST), F(X_FORWARDED_PORT), F(X_REQUESTED_WITH) },
    [17] = { F(X_FORWARDED_PROTO), F(IF_MODIFIED_SINCE), F(TRANSFER_ENCODING) },
    [19] = { F(IF_UNMODIFIED_SINCE) },
    [25] = { F(UPGRADE_INSECURE_REQUESTS) },
};
#undef F
/* clang-format on */

static_assert(LIEGE_FIELD_COUNT == 43, "by_length[] has each name of LIEGE_FIELDS");
static_assert(LIEGE_FIELD_COUNT <= 64, "merging keeps a bit for each id");

/* Compares all of both but the bit that makes a letter small. The bit also tells '-' from CR, which
 * is in no name. */
static bool same_letters(const char a[NAME_BYTES], const char b[NAME_BYTES])
{
    const uint64_t all_but_case = 0xdfdfdfdfdfdfdfdfULL;
    uint64_t differ = 0;

    for (size_t i = 0; i < NAME_BYTES; i += sizeof(uint64_t)) {
        uint64_t x = 0, y = 0;
        memcpy(&x, a + i, sizeof(x));
        memcpy(&y, b + i, sizeof(y));
        differ |= x ^ y;
    }
    return (differ & all_but_case) == 0;
}

enum liege_field_id http_field_id(const char *name, size_t len)
{
    char padded[NAME_BYTES] = {0};

    if (len >= COUNT_OF(by_length))
        return LIEGE_FIELD_OTHER;
    memcpy(padded, name, len);
    for (size_t i = 0; i < MAX_SAME_LEN && by_length[len][i] != LIEGE_FIELD_OTHER; i++)
        if (same_letters(padded, names[by_length[len][i]]))
            return by_length[len][i];
    return LIEGE_FIELD_OTHER;
}

const char *http_field_name(enum liege_field_id id)
{
    assert(id > LIEGE_FIELD_OTHER && id < LIEGE_FIELD_COUNT);
    return names[id];
}

const char *http_field_key(enum liege_field_id id)
{
    assert(id > LIEGE_FIELD_OTHER && id < LIEGE_FIELD_COUNT);
    return keys[id];
}

ssize_t http_field_make_key(struct liege_str name, char *out, size_t size)
{
    static const char start[] = "HTTP_";
    size_t len = sizeof(start) - 1 + name.len;

    if (len >= size)
        return -ENAMETOOLONG;
    memcpy(out, start, sizeof(start) - 1);
    out += sizeof(start) - 1;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        if (c == '-')
            c = '_';
        else if (c >= 'a' && c <= 'z')
            c = (char)(c & ~0x20);
        out[i] = c;
    }
    out[name.len] = '\0';
    return (ssize_t)len;
}

int http_length_parse(struct liege_str value, uint64_t *ret)
{
    uint64_t n = 0;

    if (value.len == 0 || !http_all(value.data, value.len, HTTP_CLASS_DIGIT))
        return -EINVAL;
    if (value.len > MAX_DIGITS)
        return -ERANGE;
    for (size_t i = 0; i < value.len; i++)
        n = 10 * n + (uint64_t)(value.data[i] - '0');
    if (n > INT64_MAX)
        return -ERANGE;
    *ret = n;
    return 0;
}

bool http_list_next(struct liege_str *rest, struct liege_str *ret_item)
{
    while (rest->len > 0) {
        const char *comma = memchr(rest->data, ',', rest->len);
        size_t len = comma ? (size_t)(comma - rest->data) : rest->len;
        struct liege_str item = http_trim(http_str(rest->data, len));
        size_t used = comma ? len + 1 : len;

        rest->data += used;
        rest->len -= used;
        if (item.len > 0) {
            *ret_item = item;
            return true;
        }
    }
    return false;
}

bool http_list_has(struct liege_str value, const char *word)
{
    struct liege_str item = {0};

    while (http_list_next(&value, &item))
        if (http_equal(item, word))
            return true;
    return false;
}

struct liege_str http_field_get(const struct liege_field *fields, size_t n, enum liege_field_id id)
{
    for (size_t i = 0; i < n; i++)
        if (fields[i].id == id)
            return fields[i].value;
    return http_str(NULL, 0);
}

static bool same_name(const struct liege_field *a, const struct liege_field *b)
{
    return a->id == b->id && (a->id != LIEGE_FIELD_OTHER || http_equal_nocase(a->name, b->name));
}

/* Joins to @first the values of all fields of @fields with its name; those lose their names, which
 * marks them as used. All at once, so that the work is linear in the bytes. */
static void join_values(struct liege_field *first, struct liege_field *fields, size_t n,
                        struct arena *arena)
{
    const char *separator = first->id == LIEGE_FIELD_COOKIE ? "; " : ", ";
    size_t len = first->value.len;

    for (size_t i = 0; i < n; i++)
        if (same_name(first, &fields[i]))
            len += 2 + fields[i].value.len;

    char *joined = arena_alloc(arena, len);
    char *end = joined;
    if (first->value.len > 0)
        end = mempcpy(end, first->value.data, first->value.len);
    for (size_t i = 0; i < n; i++) {
        if (!same_name(first, &fields[i]))
            continue;
        end = mempcpy(end, separator, 2);
        if (fields[i].value.len > 0)
            end = mempcpy(end, fields[i].value.data, fields[i].value.len);
        fields[i].name.len = 0;
        fields[i].id = LIEGE_FIELD_OTHER;
    }
    first->value = http_str(joined, len);
}

/* The bit of a name in the filter: equal names have equal bits. */
static uint64_t filter_bit(const struct liege_field *f)
{
    if (f->id != LIEGE_FIELD_OTHER)
        return 1ULL << f->id;

    unsigned first = (unsigned char)f->name.data[0] | 0x20U;
    unsigned last = (unsigned char)f->name.data[f->name.len - 1] | 0x20U;
    return 1ULL << ((first + 5 * last + 7 * (unsigned)f->name.len) % 64);
}

static struct liege_field *find_same(struct liege_field *fields, size_t n,
                                     const struct liege_field *f)
{
    for (size_t i = 0; i < n; i++)
        if (same_name(&fields[i], f))
            return &fields[i];
    return NULL;
}

static bool has_underscore(const struct liege_field *f)
{
    return f->id == LIEGE_FIELD_OTHER && memchr(f->name.data, '_', f->name.len);
}

/* Many programs take the variable HTTP_PROXY for a setting (CVE-2016-5385). */
static bool is_proxy(const struct liege_field *f)
{
    return f->id == LIEGE_FIELD_OTHER && http_equal(f->name, "proxy");
}

size_t http_fields_merge(struct liege_field *fields, size_t n, struct arena *arena,
                         size_t *ret_n_dropped)
{
    uint64_t seen[2] = {0}; /* filters for names without and with an id */
    size_t n_kept = 0, n_dropped = 0;

    for (size_t i = 0; i < n; i++) {
        struct liege_field *f = &fields[i];

        if (f->name.len == 0 || f->id == LIEGE_FIELD_CONTENT_LENGTH ||
            f->id == LIEGE_FIELD_TRANSFER_ENCODING || is_proxy(f))
            continue;
        if (has_underscore(f)) {
            n_dropped++;
            continue;
        }
        uint64_t bit = filter_bit(f), *filter = &seen[f->id != LIEGE_FIELD_OTHER];
        struct liege_field *first = *filter & bit ? find_same(fields, n_kept, f) : NULL;
        if (first) {
            join_values(first, f, n - i, arena);
            continue;
        }
        *filter |= bit;
        fields[n_kept++] = *f;
    }
    if (ret_n_dropped)
        *ret_n_dropped = n_dropped;
    return n_kept;
}
