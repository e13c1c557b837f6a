/* SPDX-License-Identifier: MIT */
/* The value of https-socket. Fields are separated by commas, of which there is none in an address,
 * and of which the name of a certificate's file must have none, as in uWSGI. */
#include "tls/tls-setting.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

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
static size_t split(char *copy, char *fields[FIELD_COUNT])
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

static int check(const char *text, char *const fields[FIELD_COUNT], size_t n, struct errmsg *err)
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

static int copy(char **ret, const char *text)
{
    *ret = strdup(text);
    return *ret ? 0 : -ENOMEM;
}

/* Copies what is there; an empty list of ciphers is none. */
static int fill(struct tls_setting *s, const char *text, char *const fields[FIELD_COUNT])
{
    const char *ca = fields[FIELD_CLIENT_CA];
    int r = copy(&s->text, text);

    if (r == 0)
        r = copy(&s->address, fields[FIELD_ADDRESS]);
    if (r == 0)
        r = copy(&s->cert_file, fields[FIELD_CERT]);
    if (r == 0)
        r = copy(&s->key_file, fields[FIELD_KEY]);
    if (r == 0 && fields[FIELD_CIPHERS] && *fields[FIELD_CIPHERS])
        r = copy(&s->ciphers, fields[FIELD_CIPHERS]);
    if (r == 0 && ca) {
        s->client_required = ca[0] == '!';
        r = copy(&s->client_ca_file, ca + s->client_required);
    }
    return r;
}

int tls_setting_parse(const char *text, struct tls_setting *ret, struct errmsg *err)
{
    _cleanup_free_ char *pieces = strdup(text);
    char *fields[FIELD_COUNT] = {NULL};
    struct tls_setting s = {0};

    if (!pieces)
        return errmsg_set(err, -ENOMEM, "out of memory");
    int r = check(text, fields, split(pieces, fields), err);
    if (r < 0)
        return r;
    r = fill(&s, text, fields);
    if (r < 0) {
        tls_setting_done(&s);
        return errmsg_set(err, r, "out of memory");
    }
    *ret = s;
    return 0;
}

void tls_setting_done(struct tls_setting *s)
{
    free(s->text);
    free(s->address);
    free(s->cert_file);
    free(s->key_file);
    free(s->ciphers);
    free(s->client_ca_file);
    *s = (struct tls_setting){0};
}
