/* SPDX-License-Identifier: MIT */
#pragma once

#include "loop/loop.h"

struct generation;

/* Ends workers that have let harakiri pass: all of their threads were stopped, say, or what they
 * wanted to tell the log in the end did not come to one. */
struct watchdog {
    const struct generation *generation;
    struct loop_timer timer;
};

void watchdog_init(struct watchdog *w, const struct generation *g);

/* Begins, if the generation has harakiri. */
void watchdog_start(struct watchdog *w);
void watchdog_stop(struct watchdog *w);
