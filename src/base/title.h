/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/macro.h"

/* What ps(1) shows of a process in the place of its command line. There is one for the
 * process: these functions are for one thread at a time. */

/* Makes room for titles, which are written over the memory of main()'s arguments, *@argv, and of
 * the environment behind them: those must not be used from now on. *@argv and `environ` become
 * copies, which live as long as the process. Returns 0, or -ENOMEM with nothing changed: then there
 * are no titles. */
int title_init(char ***argv) _must_check_;

/* "shop: worker 1 app.ini"; what does not fit is cut off. The state is none. */
void title_set(const char *fmt, ...) _printf_(1, 2);

/* The title with a state behind it, "shop: worker 1 app.ini (finishing)"; "" for none. */
void title_set_state(const char *state);
