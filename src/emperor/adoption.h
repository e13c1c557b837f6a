/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/errmsg.h"
#include "emperor/vassal.h"

/* A request to a base to fork a vassal (ipc/adoption.h), from the connection to the answer. */

/* Asks the base at v->life.base. Returns 0, and vassal_born() or vassal_unborn() comes from the
 * loop; or a negative errno with @err, and neither does. */
int adoption_begin(struct vassal *v, struct errmsg *err) _must_check_;

/* Nobody waits for it any more. */
void adoption_end(struct vassal *v);

/* Nobody wants the process any more. True if the base has not been asked yet: then it is over. What
 * the base has been asked for is answered, and ended then. */
bool adoption_cancel(struct vassal *v);

/* @base is none any more. What it was asked for may be answered all the same. */
void adoption_forget_base(struct vassal *base);

/* How it goes through an upgrade of the Emperor. */
struct adoption_kept {
    struct launched ours; /* without a process */
    int fd;               /* of the connection */
    uint64_t until_us;    /* monotonic */
};

/* False: the base has not been asked yet, so that there is nothing to be kept. */
bool adoption_keep(const struct vassal *v, struct adoption_kept *ret);

/* Returns 0 or a negative errno; owns what is in @kept either way. */
int adoption_resume(struct vassal *v, const struct adoption_kept *kept) _must_check_;
