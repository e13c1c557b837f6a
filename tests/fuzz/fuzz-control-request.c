/* SPDX-License-Identifier: MIT */
/* Any bytes as a request to the control socket. What is taken is within its bounds, and what is
 * refused comes with a sentence and leaves the request as it was. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "emperor/control-request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct control_request r = {.command = "untouched"};
    struct errmsg err = {""};

    if (control_request_parse((const char *)data, size, &r, &err) < 0) {
        assert(err.text[0] != '\0' && strcmp(r.command, "untouched") == 0);
        return 0;
    }
    assert(err.text[0] == '\0');
    assert(memchr(r.command, '\0', sizeof(r.command)) && memchr(r.vassal, '\0', sizeof(r.vassal)));
    assert(r.lines <= CONTROL_LOG_LINES);
    return 0;
}
