/* SPDX-License-Identifier: MIT */
#pragma once

#include "python-conf.h"

/* Notes what a process that is forked from this one has to change then. */
void adopt_prepare(void);

/* Makes the interpreter, which this process has inherited, that of the instance with @conf; the
 * plugin's host is already this instance's. Holds the GIL. Returns 0, or a negative errno with
 * @err, after logging the traceback. */
int adopt(const struct python_conf *conf, struct liege_error *err);
