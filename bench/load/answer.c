/* SPDX-License-Identifier: MIT */
/* Parses answers with llhttp, byte for byte as they come, and compares bodies with what they must
 * be. No sockets. Called by client.c. */
#include "load/answer.h"

#include <string.h>
#include <strings.h>

#include "load/plan.h"

/* clang-format off */
static const char *const note_fields[] = {
    [NOTE_BEGAN] = "X-Began",
    [NOTE_ENDED] = "X-Ended",
    [NOTE_PID]   = "X-Pid",
};
/* clang-format on */
_Static_assert(COUNT_OF(note_fields) == NOTE_COUNT, "one field for each note");

const char *load_pattern(void)
{
    static char pattern[PATTERN_BYTES];

    if (pattern[1] == 0)
        for (size_t i = 0; i < sizeof(pattern); i++)
            pattern[i] = (char)(i % PATTERN_PERIOD);
    return pattern;
}

static struct answer *answer_of(llhttp_t *parser)
{
    return container_of(parser, struct answer, parser);
}

static int on_header_field(llhttp_t *parser, const char *at, size_t len)
{
    struct answer *a = answer_of(parser);

    for (size_t i = 0; i < len; i++, a->name_len++)
        if (a->name_len < sizeof(a->name) - 1)
            a->name[a->name_len] = at[i];
    a->name[MIN(a->name_len, sizeof(a->name) - 1)] = '\0';
    return 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t len)
{
    struct answer *a = answer_of(parser);

    for (size_t n = 0; n < NOTE_COUNT; n++) {
        if (strcasecmp(a->name, note_fields[n]) != 0)
            continue;
        for (size_t i = 0; i < len && at[i] >= '0' && at[i] <= '9'; i++)
            a->notes[n] = a->notes[n] * 10 + (uint64_t)(at[i] - '0');
    }
    return 0;
}

static int on_header_value_complete(llhttp_t *parser)
{
    answer_of(parser)->name_len = 0;
    return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct answer *a = answer_of(parser);

    a->status = llhttp_get_status_code(parser);
    return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct answer *a = answer_of(parser);
    bool checked = a->expect_bytes != PLAN_ANY_LENGTH && a->status == 200;

    while (checked && len > 0) {
        size_t skip = a->n_body_bytes % PATTERN_PERIOD;
        size_t n = MIN(len, (size_t)PATTERN_BYTES - skip);
        if (memcmp(at, load_pattern() + skip, n) != 0)
            return -1;
        a->n_body_bytes += n;
        at += n;
        len -= n;
    }
    a->n_body_bytes += len;
    return 0;
}

/* Interim answers (1xx) are passed over. */
static int on_message_complete(llhttp_t *parser)
{
    struct answer *a = answer_of(parser);

    if (a->status >= 100 && a->status < 200)
        return 0;
    a->close = !llhttp_should_keep_alive(parser);
    a->state = ANSWER_WHOLE;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void answer_init(struct answer *a, uint64_t expect_bytes)
{
    *a = (struct answer){.expect_bytes = expect_bytes};
    llhttp_init(&a->parser, HTTP_RESPONSE, &settings);
}

/* The body's length is known to be right or wrong at the end only. */
static enum answer_state finish(struct answer *a, bool extra)
{
    bool checked = a->expect_bytes != PLAN_ANY_LENGTH && a->status == 200;

    if (extra || (checked && a->n_body_bytes != a->expect_bytes))
        a->state = ANSWER_INVALID;
    return a->state;
}

enum answer_state answer_feed(struct answer *a, const char *data, size_t len)
{
    if (a->state == ANSWER_WHOLE || a->state == ANSWER_INVALID)
        return a->state = ANSWER_INVALID; /* more than the answer */
    a->state = ANSWER_BEGUN;
    llhttp_errno_t e = llhttp_execute(&a->parser, data, len);
    if (a->state == ANSWER_WHOLE)
        return finish(a, e != HPE_PAUSED || llhttp_get_error_pos(&a->parser) != data + len);
    return a->state = e == HPE_OK ? ANSWER_BEGUN : ANSWER_INVALID;
}

enum answer_state answer_end(struct answer *a)
{
    if (a->state != ANSWER_BEGUN)
        return a->state;
    (void)llhttp_finish(&a->parser); /* what it found is in the state */
    return a->state == ANSWER_WHOLE ? finish(a, false) : a->state;
}
