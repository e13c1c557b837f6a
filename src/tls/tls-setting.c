/* SPDX-License-Identifier: MIT */
/* The value of https-socket. Fields are separated by commas, of which there is none in an address,
 * and of which the name of a certificate's file must have none, as in uWSGI. */
#include "tls/tls-setting.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"

#define FORM "accepted is ADDRESS,CERTIFICATE,KEY[,CIPHERS[,[!]CLIENT_CA]]"

enum field { FIELD_ADDRESS, FIELD_CERT, FIELD_KEY, FIELD_CIPHERS, FIELD_CLIENT_CA, FIELD_COUNT };

/* clang-format off */
static const char *const field_names[FIELD_COUNT] = {
    [FIELD_ADDRESS]   = "the address",
    [FIELD_CERT]      = "the certificate's file",
    [FIELD_KEY]       = "the key's file",
    [FIELD_CIPHERS]   = "the list of ciphers",
    [FIELD_CLIENT_CA] = "the client CA's file",
};
/* clang-format on */

/* Cuts @copy at its commas. Returns how many fields there are, at most FIELD_COUNT + 1. */
static size_t split(char *copy, const char *fields[FIELD_COUNT])
{
    size_t n = 0;
    char *at = copy;

    for (char *piece = strsep(&at, ","); piece; piece = strsep(&at, ",")) {
        if (n == FIELD_COUNT)
            return n + 1;
        fields[n++] = piece;
    }
    return n;
}

static int check(const char *text, const char *const fields[FIELD_COUNT], size_t n,
                 struct errmsg *err)
{
    if (n > FIELD_COUNT)
        return errmsg_set(err, -EINVAL, "'%s' has too many fields; " FORM, text);
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        bool optional = i == FIELD_CIPHERS || (i == FIELD_CLIENT_CA && i >= n);
        bool missing = !fields[i] || strcmp(fields[i], "") == 0 || strcmp(fields[i], "!") == 0;
        if (missing && !optional)
            return errmsg_set(err, -EINVAL, "'%s': %s is missing; " FORM, text, field_names[i]);
    }
    return 0;
}

int tls_setting_parse(const char *text, struct tls_setting *ret, struct errmsg *err)
{
    struct tls_setting s = {.text = strdup(text), .pieces = strdup(text)};
    const char *fields[FIELD_COUNT] = {NULL};
    int r = s.text && s.pieces ? 0 : errmsg_set(err, -ENOMEM, "out of memory");

    if (r == 0)
        r = check(text, fields, split(s.pieces, fields), err);
    if (r < 0) {
        tls_setting_done(&s);
        return r;
    }
    s.address = fields[FIELD_ADDRESS];
    s.cert_file = fields[FIELD_CERT];
    s.key_file = fields[FIELD_KEY];
    if (fields[FIELD_CIPHERS] && *fields[FIELD_CIPHERS])
        s.ciphers = fields[FIELD_CIPHERS];
    s.client_ca_file = fields[FIELD_CLIENT_CA];
    if (s.client_ca_file && s.client_ca_file[0] == '!') {
        s.client_ca_file++;
        s.client_required = true;
    }
    *ret = s;
    return 0;
}

void tls_setting_done(struct tls_setting *s)
{
    free(s->text);
    free(s->pieces);
    *s = (struct tls_setting){0};
}
