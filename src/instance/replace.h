/* SPDX-License-Identifier: MIT */
#pragma once

struct generation;

/* Does what follows from what has happened to the heir, and to workers that are replaced. Called at
 * the end of a round. */
void replace_step(struct generation *g);
