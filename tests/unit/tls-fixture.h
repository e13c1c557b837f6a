/* SPDX-License-Identifier: MIT */
#pragma once

#include <openssl/ssl.h>

#include "tls/tls-context.h"
#include "tls/tls.h"
#include "unit.h"

/* Certificates made for one run of the tests, and a client in the same process. A failure in here
 * fails the test. */

/* In a folder that tls_fixture_set_up() makes and tls_fixture_tear_down() removes:
 *   server.pem server.key   of "localhost", below an intermediate that is in the file too
 *   ca.pem                  the authority above both, and above client.pem client.key
 *   stranger.pem .key       a client of other-ca.pem
 *   locked.key              server.key under a password; password.key: another key; weak.pem .key
 *   empty.pem broken.pem    no certificate; one that is cut short */
int tls_fixture_set_up(void **state);
int tls_fixture_tear_down(void **state);

/* The path of a file in it; valid until the fourth call after this one. */
const char *tls_fixture_path(const char *name);

/* "ADDRESS,server.pem,server.key" with paths, then @rest (",CIPHERS,!CA"), in which each '%' stands
 * for the folder. Allocated. */
char *tls_fixture_setting(const char *rest);

/* A context of such a setting. */
struct tls_context *tls_fixture_context(const char *rest, const struct tls_ticket_key *key);

/* A client's context that trusts ca.pem, with NAME.pem and NAME.key if @name is not NULL. */
SSL_CTX *tls_fixture_client(const char *name);

/* A server's and a client's end of one connection over a pair of non-blocking sockets. */
struct tls_pair {
    struct tls *server;
    SSL *client;
    int fds[2]; /* the server's, the client's; -1 when closed */
};

void tls_pair_open(struct tls_pair *p, struct tls_context *c, SSL_CTX *client);
void tls_pair_close(struct tls_pair *p);

/* Lets both shake hands as far as they get. Returns what tls_handshake() said at last; with 0 the
 * client is through too, and has taken the tickets. */
int tls_pair_shake(struct tls_pair *p, struct errmsg *err);

/* The three together, for the most common case. */
void tls_pair_connect(struct tls_pair *p, struct tls_context *c, SSL_CTX *client);
