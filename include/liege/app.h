/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What a language plugin sees of a request, and what it may do to answer it. All of it is valid
 * from the call of the application until that call returns, and only on the calling thread. */

struct liege_str {
    const char *data; /* not terminated */
    size_t len;
};

/* The fields that have an id. ID, name as sent (lower case), key in a CGI-like environment. A field
 * that is not here has LIEGE_FIELD_OTHER. */
#define LIEGE_FIELDS(X)                                                                            \
    X(HOST, "host", "HTTP_HOST")                                                                   \
    X(USER_AGENT, "user-agent", "HTTP_USER_AGENT")                                                 \
    X(ACCEPT, "accept", "HTTP_ACCEPT")                                                             \
    X(ACCEPT_ENCODING, "accept-encoding", "HTTP_ACCEPT_ENCODING")                                  \
    X(ACCEPT_LANGUAGE, "accept-language", "HTTP_ACCEPT_LANGUAGE")                                  \
    X(ACCEPT_CHARSET, "accept-charset", "HTTP_ACCEPT_CHARSET")                                     \
    X(AUTHORIZATION, "authorization", "HTTP_AUTHORIZATION")                                        \
    X(CACHE_CONTROL, "cache-control", "HTTP_CACHE_CONTROL")                                        \
    X(CONNECTION, "connection", "HTTP_CONNECTION")                                                 \
    X(CONTENT_LENGTH, "content-length", "CONTENT_LENGTH")                                          \
    X(CONTENT_TYPE, "content-type", "CONTENT_TYPE")                                                \
    X(COOKIE, "cookie", "HTTP_COOKIE")                                                             \
    X(DATE, "date", "HTTP_DATE")                                                                   \
    X(DNT, "dnt", "HTTP_DNT")                                                                      \
    X(EXPECT, "expect", "HTTP_EXPECT")                                                             \
    X(FORWARDED, "forwarded", "HTTP_FORWARDED")                                                    \
    X(IF_MATCH, "if-match", "HTTP_IF_MATCH")                                                       \
    X(IF_MODIFIED_SINCE, "if-modified-since", "HTTP_IF_MODIFIED_SINCE")                            \
    X(IF_NONE_MATCH, "if-none-match", "HTTP_IF_NONE_MATCH")                                        \
    X(IF_RANGE, "if-range", "HTTP_IF_RANGE")                                                       \
    X(IF_UNMODIFIED_SINCE, "if-unmodified-since", "HTTP_IF_UNMODIFIED_SINCE")                      \
    X(KEEP_ALIVE, "keep-alive", "HTTP_KEEP_ALIVE")                                                 \
    X(ORIGIN, "origin", "HTTP_ORIGIN")                                                             \
    X(PRAGMA, "pragma", "HTTP_PRAGMA")                                                             \
    X(RANGE, "range", "HTTP_RANGE")                                                                \
    X(REFERER, "referer", "HTTP_REFERER")                                                          \
    X(TE, "te", "HTTP_TE")                                                                         \
    X(TRANSFER_ENCODING, "transfer-encoding", "HTTP_TRANSFER_ENCODING")                            \
    X(UPGRADE, "upgrade", "HTTP_UPGRADE")                                                          \
    X(UPGRADE_INSECURE_REQUESTS, "upgrade-insecure-requests", "HTTP_UPGRADE_INSECURE_REQUESTS")    \
    X(VIA, "via", "HTTP_VIA")                                                                      \
    X(X_FORWARDED_FOR, "x-forwarded-for", "HTTP_X_FORWARDED_FOR")                                  \
    X(X_FORWARDED_HOST, "x-forwarded-host", "HTTP_X_FORWARDED_HOST")                               \
    X(X_FORWARDED_PORT, "x-forwarded-port", "HTTP_X_FORWARDED_PORT")                               \
    X(X_FORWARDED_PROTO, "x-forwarded-proto", "HTTP_X_FORWARDED_PROTO")                            \
    X(X_REAL_IP, "x-real-ip", "HTTP_X_REAL_IP")                                                    \
    X(X_REQUEST_ID, "x-request-id", "HTTP_X_REQUEST_ID")                                           \
    X(X_REQUESTED_WITH, "x-requested-with", "HTTP_X_REQUESTED_WITH")                               \
    X(SEC_FETCH_DEST, "sec-fetch-dest", "HTTP_SEC_FETCH_DEST")                                     \
    X(SEC_FETCH_MODE, "sec-fetch-mode", "HTTP_SEC_FETCH_MODE")                                     \
    X(SEC_FETCH_SITE, "sec-fetch-site", "HTTP_SEC_FETCH_SITE")                                     \
    X(SEC_FETCH_USER, "sec-fetch-user", "HTTP_SEC_FETCH_USER")

enum liege_field_id {
    LIEGE_FIELD_OTHER,
#define LIEGE_FIELD_ENUM(id, name, key) LIEGE_FIELD_##id,
    LIEGE_FIELDS(LIEGE_FIELD_ENUM)
#undef LIEGE_FIELD_ENUM
        LIEGE_FIELD_COUNT,
};

struct liege_field {
    struct liege_str name; /* of a request: as the client spelled it */
    struct liege_str value;
    enum liege_field_id id; /* of a response: not looked at */
};

/* A CGI variable (RFC 3875) that is neither a part of struct liege_request nor a field. */
struct liege_var {
    struct liege_str name, value;
};

/* A complete request: the body has been read. */
struct liege_request {
    struct liege_str method;
    struct liege_str target;      /* as it came: REQUEST_URI */
    struct liege_str script_name; /* where the application is mounted: "" or "/prefix" */
    struct liege_str path;        /* the rest of the path, percent-decoded: PATH_INFO */
    struct liege_str query;       /* after the '?', as it came */
    struct liege_str protocol;    /* "HTTP/1.1" */
    struct liege_str scheme;      /* "http" or "https" */
    struct liege_str server_name, server_port;
    struct liege_str remote_addr, remote_port; /* both empty for a UNIX socket; what a web server
                                                  in front says, if it speaks for the client */

    /* No name stands twice (values are joined as RFC 9110 section 5.3 says), no name has an
     * underscore; Transfer-Encoding, Content-Length and Proxy are not among them. */
    const struct liege_field *fields;
    size_t n_fields;

    /* What a web server in front has to say beyond that (uwsgi, FastCGI, SCGI), for the environment
     * as it is: SSL_CLIENT_VERIFY, DOCUMENT_ROOT. None takes the place of a key that the host or
     * the plugin sets; of equal names the last one counts. Names are of letters, digits, '_', '.'
     * and '-'. */
    const struct liege_var *vars;
    size_t n_vars;

    bool has_body;        /* the client sent a body, of perhaps 0 bytes */
    uint64_t body_length; /* bytes, also of a body that came chunked */

    void *app; /* what load() gave for the application that was chosen */
};

/* The head of a response. @reason may be empty: the standard one is taken. */
struct liege_head {
    int status; /* 200 .. 599 */
    struct liege_str reason;
    const struct liege_field *fields;
    size_t n_fields;
};

/* Answering: respond_start(), then any number of respond_write() and respond_file(), then
 * respond_end(). Framing (Content-Length, chunks, HEAD, 204 and 304 without a body), Date and
 * Server are the host's work. Calls may wait until the client has taken enough of what was written
 * before. Each returns 0 or a negative errno; after -EPIPE, -ECONNRESET or -ETIMEDOUT the client is
 * gone and the application should stop. */
struct liege_respond {
    /* Takes the head; it is copied. -EINVAL: a status or a field that cannot be sent (a control
     * character in it, say), with the reason in the log; nothing was taken, another head may come.
     * Hop-by-hop fields other than "Connection: close" are dropped (RFC 9110 section 7.6.1). */
    int (*start)(struct liege_request *req, const struct liege_head *head);

    /* Sends bytes of the body; what @data points to may change after the call. The head goes out
     * with the first bytes. -EOVERFLOW: more than the Content-Length that the application gave; the
     * surplus was not sent. */
    int (*write)(struct liege_request *req, const void *data, size_t len);

    /* Sends @len bytes of @fd from @offset on, with sendfile(2). The descriptor stays the caller's
     * and its file offset does not move. */
    int (*file)(struct liege_request *req, int fd, uint64_t offset, uint64_t len);

    /* Ends the body, with a last piece (@len may be 0). When nothing was written before, the length
     * is known and no chunks are needed: plugins pass a body of one piece here. */
    int (*end)(struct liege_request *req, const void *data, size_t len);

    /* The application failed. Before anything was sent: answers 500; afterwards cuts the connection
     * so that the client sees that the body is not whole. A call that waits on another thread for
     * the client gives up; the plugin returns from call() when it has. */
    void (*fail)(struct liege_request *req);

    /* True once the head is on its way and can no longer be replaced. */
    bool (*started)(const struct liege_request *req);
};

/* The body of the request. It never waits for the client: all of it is here. */
struct liege_body {
    /* Reads up to @len bytes from the current position; 0 at the end, or a negative errno. */
    ssize_t (*read)(struct liege_request *req, void *buf, size_t len);

    /* Like read() but in place, up to and including the first newline or to the end, at most @max
     * bytes: *@ret_data is valid until the next call on this body. */
    ssize_t (*read_line)(struct liege_request *req, size_t max, const char **ret_data);

    /* Moves to @position (bytes from the start). -EINVAL if that is past the end. */
    int (*seek)(struct liege_request *req, uint64_t position);
    uint64_t (*tell)(const struct liege_request *req);
};
