/* SPDX-License-Identifier: MIT */
/* Regular expressions over paths: PCRE2 with a bound on its work. The expressions are the
 * operator's, the subjects are the clients'. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "static/pattern.h"

#include <errno.h>
#include <pcre2.h>
#include <stdlib.h>

#define STEPS_MAX    100000
#define HEAP_KIB_MAX 1024

struct static_pattern {
    pcre2_code *code;
    pcre2_match_context *limits;
};

int static_pattern_new(const char *text, size_t len, struct static_pattern **ret,
                       struct errmsg *err)
{
    struct static_pattern *p = calloc(1, sizeof(*p));
    unsigned char reason[128] = "";
    PCRE2_SIZE at = 0;
    int error = 0;

    if (!p)
        return errmsg_set(err, -ENOMEM, "out of memory");
    p->limits = pcre2_match_context_create(NULL);
    p->code = pcre2_compile((PCRE2_SPTR)text, len, 0, &error, &at, NULL);
    if (!p->code) {
        (void)pcre2_get_error_message(error, reason, sizeof(reason));
        (void)static_pattern_free(p);
        return errmsg_set(err, -EINVAL, "'%.*s' is not a regular expression: %s, at character %zu",
                          (int)len, text, (const char *)reason, (size_t)at + 1);
    }
    if (!p->limits) {
        (void)static_pattern_free(p);
        return errmsg_set(err, -ENOMEM, "out of memory");
    }
    (void)pcre2_set_match_limit(p->limits, STEPS_MAX);
    (void)pcre2_set_heap_limit(p->limits, HEAP_KIB_MAX);
    *ret = p;
    return 0;
}

struct static_pattern *static_pattern_free(struct static_pattern *p)
{
    if (!p)
        return NULL;
    pcre2_match_context_free(p->limits);
    pcre2_code_free(p->code);
    free(p);
    return NULL;
}

bool static_pattern_matches(const struct static_pattern *p, struct liege_str subject)
{
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);

    if (!data)
        return false;
    int n = pcre2_match(p->code, (PCRE2_SPTR)(subject.data ? subject.data : ""), subject.len, 0, 0,
                        data, p->limits);
    pcre2_match_data_free(data);
    return n >= 0;
}
