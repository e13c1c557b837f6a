/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/errmsg.h"
#include "tls/tls-setting.h"

/* What all TLS connections of a listening socket share: certificate, key, ciphers, who may connect.
 * Made by the master, before it drops its privileges (the key's file may be root's alone) and
 * before it forks; inherited by the workers. A reload makes new ones from the files as they are
 * then. */
struct tls_context;

/* The secret with which session tickets are encrypted (RFC 5077 section 4, RFC 8446 section
 * 4.6.1). All workers and generations of an instance have the same one, so that a client resumes
 * its session whichever worker it meets. It lives as long as the master. */
struct tls_ticket_key {
    unsigned char bytes[80]; /* SSL_CTX_set_tlsext_ticket_keys: name 16, HMAC 32, AES-256 32 */
};

/* Fills @ret from the kernel's random generator. */
int tls_ticket_key_make(struct tls_ticket_key *ret) _must_check_;

/* Reads the files that @s names. TLS 1.2 and 1.3 without renegotiation or compression. Returns 0,
 * or a negative errno with @err naming the file and the cause. Ownership of @s and @key stays with
 * the caller. */
int tls_context_new(const struct tls_setting *s, const struct tls_ticket_key *key,
                    struct tls_context **ret, struct errmsg *err) _must_check_;

struct tls_context *tls_context_ref(struct tls_context *c);

/* Takes NULL; returns NULL. Connections hold what they need of a context themselves. */
struct tls_context *tls_context_unref(struct tls_context *c);

/* The setting that it was made from, as the configuration writes it. */
const char *tls_context_text(const struct tls_context *c);
