/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

#include "base/macro.h"

struct vassal;

/* What is said between the Emperor and one vassal. */

/* Listens to the pipe and the status channel of a process that was just started, and owns both from
 * now on, also on failure. Returns 0 or a negative errno; then both are closed. */
int vassal_talk_open(struct vassal *v, int pipe_fd, int status_fd) _must_check_;
void vassal_talk_close(struct vassal *v);

/* Gives both away, as they are; -1: closed. */
void vassal_talk_take(struct vassal *v, int *ret_pipe_fd, int *ret_status_fd);

/* Hears what a process that has ended said before. */
void vassal_talk_drain(struct vassal *v);

/* Sends one byte of ipc/bytes.h, without waiting. Returns 0 or a negative errno. */
int vassal_talk_send(struct vassal *v, uint8_t byte) _must_check_;
