/* SPDX-License-Identifier: MIT */
#pragma once

#include "app/app.h"
#include "base/errmsg.h"
#include "liege/plugin.h"

/* Requests of our own to the applications of this process, before there are clients (warmup). */

/* Has the application for the URL @text (warmup-url.h) answer a GET. What it answers is thrown
 * away; meanwhile @host, which the plugins have, answers for no client. Returns 0, or with @err
 * -EINVAL (it is no such URL), -ENOENT (no application is mounted there) or -EBADMSG (a status
 * other than 2xx and 3xx). */
int warmup_run(const char *text, const struct apps *apps, struct liege_host *host,
               struct errmsg *err) _must_check_;
