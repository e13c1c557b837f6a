/* SPDX-License-Identifier: MIT */
#pragma once

#include <openssl/ssl.h>

/* Inside src/tls: the only folder that sees OpenSSL's types. */

struct tls_context {
    unsigned n_refs;
    char *text;
    SSL_CTX *ssl;
};
