/* SPDX-License-Identifier: MIT */
#include "worker/warmup-url.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/strv.h"
#include "http/text.h"

int warmup_url_parse(const char *text, struct warmup_url *ret, const char **ret_reason)
{
    int r = http_target_parse(http_str(text, strlen(text)), false, &ret->target, ret_reason);

    if (r < 0)
        return r;
    ret->https = str_starts(text, "https:");
    *ret_reason = "it is neither /PATH nor http://HOST/PATH";
    return ret->target.path.len == 0 || ret->target.path.data[0] != '/' ? -EINVAL : 0;
}

int warmup_url_check(const char *text, char *reason, size_t size)
{
    struct warmup_url url;
    const char *why = "";
    int r = warmup_url_parse(text, &url, &why);

    if (r < 0)
        (void)snprintf(reason, size, "'%.100s': %s", text, why);
    return r;
}
