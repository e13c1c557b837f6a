/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

#include "base/errmsg.h"

/* What one https-socket says, in uWSGI's order: ADDRESS,CERTIFICATE,KEY[,CIPHERS[,[!]CLIENT_CA]].
 */
struct tls_setting {
    char *text;          /* the whole of it; owned */
    char *pieces;        /* owned; the following point into it */
    const char *address; /* base/addr.h reads it */
    const char *cert_file;
    const char *key_file;
    const char *ciphers;        /* of TLS 1.2; NULL: the default ones */
    const char *client_ca_file; /* NULL: clients are not asked for a certificate */
    bool client_required;       /* CLIENT_CA begins with '!': no certificate, no connection */
};

/* Splits @text; no file is looked at. A field that is empty in the middle is refused but for
 * CIPHERS. Returns 0, -EINVAL or -ENOMEM with @err; on success @ret is to be given to
 * tls_setting_done(). */
int tls_setting_parse(const char *text, struct tls_setting *ret, struct errmsg *err) _must_check_;

void tls_setting_done(struct tls_setting *s);
