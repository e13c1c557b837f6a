/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/errmsg.h"

/* Who a process shall become. */
struct cred {
    bool set_uid, set_gid;
    uid_t uid;
    gid_t gid;
};

/* Reads the options `uid` and `gid`: a number or a name; either may be NULL. With a user and no
 * group, the group is the user's own (of a bare number without an entry: the group stays). Returns
 * 0, or -EINVAL with @err naming what is unknown. May ask a name service: not for the Emperor. */
int cred_parse(const char *user, const char *group, struct cred *ret,
               struct errmsg *err) _must_check_;

/* Reads "user", "user:group" or ":group", as chown-socket takes them; what is left out is -1. */
int cred_parse_owner(const char *text, uid_t *ret_uid, gid_t *ret_gid,
                     struct errmsg *err) _must_check_;

/* Becomes @c: supplementary groups, then gid, then uid, real, effective and saved; then verifies
 * the result and that there is no way back. Every step is checked; on an error the process must
 * end. Does nothing for what @c does not set. */
int cred_drop(const struct cred *c, struct errmsg *err) _must_check_;
