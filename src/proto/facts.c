/* SPDX-License-Identifier: MIT */
/* The part of reading bodies that does not depend on the protocol: storing, counting, and what is
 * answered when there is no place for them. Called by the parsers of this folder only. */
#include "proto/facts.h"

#include <errno.h>

#include "http/body.h"

bool facts_store(struct proto_facts *f, const void *data, size_t len, struct http_body *sink)
{
    int r = sink ? http_body_append(sink, data, len) : 0;

    f->body_bytes += len;
    if (r == 0)
        return true;
    f->error = r;
    if (r == -EFBIG)
        (void)facts_refuse(f, 413, "the request body is too large for its temporary file");
    else if (r == -ENOSPC || r == -EDQUOT)
        (void)facts_refuse(f, 507, "no space for the request body");
    else
        (void)facts_refuse(f, 500, "the request body cannot be stored");
    return false;
}

enum proto_state facts_count_body(struct proto_facts *f, const char *data, size_t len,
                                  struct http_body *sink, size_t *ret_used)
{
    *ret_used = (size_t)MIN((uint64_t)len, f->content_length - f->body_bytes);
    if (!facts_store(f, data, *ret_used, sink))
        return PROTO_REFUSED;
    return f->body_bytes < f->content_length ? PROTO_MORE : PROTO_COMPLETE;
}
