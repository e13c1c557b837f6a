/* SPDX-License-Identifier: MIT */
#pragma once

#include "app/app.h"
#include "base/errmsg.h"
#include "liege/plugin.h"

/* Requests of our own to the applications of this process, before there are clients (warmup). */

/* Checks a value of warmup: "/path?query" or "http[s]://host[:port]/path?query". Returns 0, or
 * -EINVAL with @reason. */
int warmup_check(const char *url, char *reason, size_t size) _must_check_;

/* Has the application for @url, which warmup_check() has accepted, answer a GET. What it answers is
 * thrown away; meanwhile @host, which the plugins have, answers for no client. Returns 0, or with
 * @err -ENOENT (no application is mounted there) or -EBADMSG (a status other than 2xx and 3xx). */
int warmup_run(const char *url, const struct apps *apps, struct liege_host *host,
               struct errmsg *err) _must_check_;
