/* SPDX-License-Identifier: MIT */
/* The arithmetic of placeholders: "%(port + 1)".
 *
 * The accumulator is text, because two operands side by side are joined; it is read as a number
 * where an operator wants one. Pure but for the lookup, which belongs to the caller (expand.c). */
#include "conf/arith.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "conf/settings.h"

struct pipeline {
    struct buf acc;  /* the value so far, not terminated */
    struct buf word; /* the one at hand, terminated */
    char op;         /* operator that waits for its right side, or 0 */
};

static void pipeline_done(struct pipeline *p)
{
    buf_done(&p->acc);
    buf_done(&p->word);
}

static bool is_number(const char *text)
{
    size_t sign = text[0] == '-';

    return text[sign] != '\0' && text[sign + strspn(text + sign, "0123456789")] == '\0';
}

static int to_number(const char *text, int64_t *ret, struct errmsg *err)
{
    struct shown shown;

    if (*text == '\0') {
        *ret = 0;
        return 0;
    }
    if (!is_number(text))
        return errmsg_set(err, -EINVAL, "'%s' is not a number", setting_shown(text, &shown));
    errno = 0;
    *ret = strtoll(text, NULL, 10);
    if (errno != 0)
        return errmsg_set(err, -ERANGE, "'%s' does not fit in 64 bits",
                          setting_shown(text, &shown));
    return 0;
}

/* False on overflow. */
static bool compute(int64_t a, char op, int64_t b, int64_t *ret)
{
    switch (op) {
    case '+':
        return !__builtin_add_overflow(a, b, ret);
    case '-':
        return !__builtin_sub_overflow(a, b, ret);
    case '*':
        return !__builtin_mul_overflow(a, b, ret);
    default:
        if (a == INT64_MIN && b == -1)
            return false;
        *ret = b == 0 ? 0 : a / b;
        return true;
    }
}

/* acc = acc op operand */
static int apply(struct pipeline *p, char op, const char *operand, struct errmsg *err)
{
    int64_t a = 0, b = 0, result = 0;
    int r = buf_append(&p->acc, "", 1);

    if (r == 0)
        r = to_number(buf_at(&p->acc), &a, err);
    if (r == 0)
        r = to_number(operand, &b, err);
    if (r < 0)
        return r;
    if (!compute(a, op, b, &result))
        return errmsg_set(err, -ERANGE, "%" PRId64 " %c %" PRId64 " does not fit in 64 bits", a, op,
                          b);
    buf_consume(&p->acc, buf_len(&p->acc));
    return buf_printf(&p->acc, "%" PRId64, result);
}

static int take_operand(struct pipeline *p, const char *word, arith_lookup_fn *lookup,
                        void *userdata, struct errmsg *err)
{
    const char *text = word;

    if (!is_number(word)) {
        int r = lookup(userdata, word, &text, err);
        if (r < 0)
            return r;
        if (r == 0)
            text = "";
    }
    if (p->op == 0)
        return buf_append(&p->acc, text, strlen(text));

    char op = p->op;
    p->op = 0;
    return apply(p, op, text, err);
}

static int take_word(struct pipeline *p, const char *word, arith_lookup_fn *lookup, void *userdata,
                     struct errmsg *err)
{
    bool is_step = strcmp(word, "++") == 0 || strcmp(word, "--") == 0;
    bool is_op = word[1] == '\0' && strchr("+-*/", word[0]);

    if (!is_step && !is_op)
        return take_operand(p, word, lookup, userdata, err);
    if (p->op != 0)
        return errmsg_set(err, -EINVAL, "an operand is missing between '%c' and '%s'", p->op, word);
    if (is_step)
        return apply(p, word[0], "1", err);
    p->op = word[0];
    return 0;
}

int arith_eval(const char *text, size_t len, arith_lookup_fn *lookup, void *userdata,
               struct buf *out, struct errmsg *err)
{
    static const char blanks[] = " \t";
    _cleanup_(pipeline_done) struct pipeline p = {.op = 0};
    const char *end = text + len;

    while (text < end) {
        size_t n_word = 0;

        while (text + n_word < end && !strchr(blanks, text[n_word]))
            n_word++;
        if (n_word == 0) {
            text++;
            continue;
        }
        buf_consume(&p.word, buf_len(&p.word));
        int r = buf_append(&p.word, text, n_word);
        if (r == 0)
            r = buf_append(&p.word, "", 1);
        if (r == 0)
            r = take_word(&p, buf_at(&p.word), lookup, userdata, err);
        if (r < 0)
            return r;
        text += n_word;
    }
    if (p.op != 0)
        return errmsg_set(err, -EINVAL, "an operand is missing after '%c'", p.op);
    return buf_append(out, p.acc.data ? buf_at(&p.acc) : "", buf_len(&p.acc));
}
