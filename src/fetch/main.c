/* SPDX-License-Identifier: MIT */
/* liege-fetch: reads an address of http or https from its standard input, and writes what it finds
 * there to its standard output. A program of its own, so that those that read configurations hold
 * no HTTP and no TLS, and wait for it as they wait for any command. Whoever runs it says how many
 * bytes there may be; nothing is written unless all of it came. On failure it ends with code 1 and
 * one line on standard error. Run by conf/source.c.
 *
 * usage: liege-fetch MAX-BYTES < ADDRESS */
#include <curl/curl.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"

#define ADDRESS_MAX_BYTES 8192
#define CONNECT_MS        5000L
#define TOTAL_MS          25000L /* less than we are waited for, so that the sentence is ours */
#define REDIRECTS_MAX     5L

struct body {
    struct buf text;
    size_t max;
    bool too_long;
};

static size_t on_data(char *data, size_t size, size_t n, void *userdata)
{
    struct body *b = userdata;

    (void)size;
    b->too_long = n > b->max - buf_len(&b->text); /* of bytes: @size is 1 */
    return !b->too_long && buf_append(&b->text, data, n) == 0 ? n : 0;
}

/* A redirect leads from https to https only. */
static bool configure(CURL *c, const char *address, struct body *b, char *error)
{
    const char *authorities =
        getenv("SSL_CERT_FILE"); /* as OpenSSL has it; libcurl does not look */
    const char *next = strncasecmp(address, "https:", 6) == 0 ? "https" : "http,https";

    return curl_easy_setopt(c, CURLOPT_ERRORBUFFER, error) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_URL, address) == CURLE_OK &&
           (!authorities || curl_easy_setopt(c, CURLOPT_CAINFO, authorities) == CURLE_OK) &&
           curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, next) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_MAXREDIRS, REDIRECTS_MAX) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, TOTAL_MS) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_USERAGENT, "liege/" LIEGE_VERSION) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_data) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEDATA, b) == CURLE_OK;
}

/* Returns true with the body in @b, or writes why not. */
static bool fetch(CURL *c, const char *address, struct body *b)
{
    char error[CURL_ERROR_SIZE] = "";
    long status = 0;

    if (!configure(c, address, b, error)) {
        (void)fprintf(stderr, "libcurl cannot do what is needed\n");
        return false;
    }
    CURLcode code = curl_easy_perform(c);
    if (b->too_long)
        (void)fprintf(stderr, "it is longer than %zu bytes\n", b->max);
    else if (code != CURLE_OK)
        (void)fprintf(stderr, "%s\n", *error ? error : curl_easy_strerror(code));
    if (code != CURLE_OK)
        return false;
    (void)curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200 || status > 299)
        (void)fprintf(stderr, "the server answered with status %ld\n", status);
    return status >= 200 && status <= 299;
}

static void write_out(const struct body *b)
{
    if (fwrite(buf_at(&b->text), 1, buf_len(&b->text), stdout) == buf_len(&b->text) &&
        fflush(stdout) == 0)
        exit(EXIT_SUCCESS);
    (void)fprintf(stderr, "cannot write: %s\n", strerror(errno));
}

int main(int argc, char *argv[])
{
    _cleanup_free_ char *address = NULL;
    struct body b = {.max = argc == 2 ? strtoull(argv[1], NULL, 10) : 0};
    size_t len = 0;

    if (b.max == 0 || fd_read_all(STDIN_FILENO, ADDRESS_MAX_BYTES, &address, &len) < 0) {
        (void)fprintf(stderr, "usage: liege-fetch MAX-BYTES < ADDRESS\n");
        return EXIT_FAILURE;
    }
    CURL *c = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? curl_easy_init() : NULL;
    if (!c)
        (void)fprintf(stderr, "libcurl cannot start\n");
    bool good = c && fetch(c, address, &b);
    curl_easy_cleanup(c);
    curl_global_cleanup();
    if (good)
        write_out(&b);
    buf_done(&b.text);
    return EXIT_FAILURE;
}
