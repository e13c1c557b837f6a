/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/proto.h"

/* Plays a web server: requests with given variables in each of the protocols. */

#define CGI_ENCODE_MAX ((size_t)160 * 1024)

struct cgi_text {
    size_t len;
    char data[CGI_ENCODE_MAX];
};

/* The least that a request has. */
#define CGI_GET "REQUEST_METHOD=GET\nREQUEST_URI=/\nSERVER_PROTOCOL=HTTP/1.1"

/* Writes a request of @id with the variables @vars, "NAME=VALUE" in lines; CONTENT_LENGTH stands
 * first. For SCGI it is "0" if it is not there, and "SCGI" is added unless @vars has it. @body may
 * be NULL. */
void cgi_encode(enum proto_id id, const char *vars, const char *body, struct cgi_text *ret);

/* Appends bytes, or a FastCGI record with @padding bytes of padding. */
void cgi_text_add(struct cgi_text *t, const void *data, size_t len);
void cgi_text_add_record(struct cgi_text *t, enum fastcgi_type type, uint16_t id,
                         const void *content, size_t len, uint8_t padding);

/* Appends the pair of a variable as @id writes it. */
void cgi_text_add_pair(struct cgi_text *t, enum proto_id id, const char *name, size_t name_len,
                       const char *value, size_t value_len);

/* The BEGIN_REQUEST record of @role. */
void cgi_text_add_begin(struct cgi_text *t, uint16_t id, uint8_t role, uint8_t flags);
