/* SPDX-License-Identifier: MIT */
#pragma once

#include <Python.h>

#include "python-conf.h"

/* struct liege_plugin's early(). Holds the GIL. */
int early_act(const struct python_conf *conf, const char *option, const char *value,
              PyObject **ret_app, struct liege_error *err);
