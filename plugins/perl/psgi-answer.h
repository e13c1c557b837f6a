/* SPDX-License-Identifier: MIT */
#pragma once

#include "interp.h"

/* A request while it is being answered. */
struct psgi_call {
    struct liege_request *req;
    SV *responder, *writer; /* targets to detach: object.h; NULL when there is none */
    int fd;        /* opened for the answer: closed at the end at the latest; negative: none */
    bool started;  /* the application has given a head */
    bool ended;    /* nothing more is to be sent: done, failed or client gone */
    bool returned; /* the application came back without an exception */
};

#define ANSWER_LENGTH_UNKNOWN UINT64_MAX

/* The first two elements of a PSGI response, taken apart. The texts belong to the response. */
struct answer_head {
    struct liege_head head;
    struct liege_field *fields; /* with room for one more */
    uint64_t length;            /* what the application says, or ANSWER_LENGTH_UNKNOWN */
    char length_text[24];
    struct liege_field few[32];
};

/* Takes @response apart. Dies when it does not have the form of a PSGI response. */
void answer_head_init(pTHX_ struct answer_head *h, AV *response);

/* Gives the head to the server. @length is that of the body if it is known: it is sent unless the
 * application has said one. False when nothing can be sent after all; that is logged and the
 * request is answered. */
bool answer_start(pTHX_ struct psgi_call *call, struct answer_head *h, uint64_t length);

/* These send a part of the body, a part of a file, and the end with a last part. False when nothing
 * more can be sent: the client is gone or has got all of the announced length. They die when the
 * server cannot send for another reason. */
bool answer_write(pTHX_ struct psgi_call *call, const void *data, size_t len);
bool answer_file(pTHX_ struct psgi_call *call, int fd, uint64_t offset, uint64_t len);
bool answer_end(pTHX_ struct psgi_call *call, const void *data, size_t len);

/* The array that @response refers to, or NULL: an object is none. */
AV *answer_plain_array(pTHX_ SV *response);

/* The bytes of @sv, "" for an undefined value. Dies when there are characters that are no bytes. */
const char *answer_bytes(pTHX_ SV *sv, STRLEN *ret_len);
