/* SPDX-License-Identifier: MIT */
#pragma once

#include "emperor/vassal.h"

/* The configuration of a vassal that is in no file, on its way to the vassal. */

/* Takes over our end of its configuration pipe and sends the text. Returns 0 or a negative errno.
 */
int vassal_config_open(struct vassal *v, int fd) _must_check_;

/* The same for a vassal that has had its text already. */
int vassal_config_adopt(struct vassal *v, int fd) _must_check_;

/* Sends the text as it is now; what fails is logged. */
void vassal_config_send(struct vassal *v);

/* Our end; -1: none, or a text is still on its way and cannot be gone on with by anybody else. */
int vassal_config_fd(const struct vassal *v);

/* Gives it away, and forgets it; -1: there is none, or something was on its way, and it is closed.
 */
int vassal_config_take(struct vassal *v);

void vassal_config_close(struct vassal *v);
