/* SPDX-License-Identifier: MIT */
#pragma once

#include "loop/loop.h"
#include "unit.h"

/* The loop in tests: a set-up that makes one and a tear-down that frees it. */
extern struct loop *unit_loop;
int unit_make_loop(void **state);
int unit_free_loop(void **state);

/* Runs the loop until loop_stop() and returns its code; fails the test after a long time. */
int unit_run_loop(void);
