/* SPDX-License-Identifier: MIT */
#pragma once

#include "app/app.h"
#include "base/errmsg.h"
#include "instance/child.h"
#include "static/site.h"

/* Makes this process one that runs applications: environment and directory as configured,
 * interpreters started, applications loaded and warmed up; what a base vassal has loaded is gone on
 * with. Called once a process, in a zygote or in
 * a worker that loads for itself. Returns 0, or a negative errno with @err saying place and cause.
 */
int load_applications(const struct child_start *start, struct apps *ret,
                      struct errmsg *err) _must_check_;

/* Opens the places of static files, where paths mean what they mean to the applications: after
 * load_applications(). Places that are not there are warnings. *@ret is NULL if none is configured.
 * Returns 0, or a negative errno with @err. */
int load_static_files(const struct child_start *start, struct static_site **ret,
                      struct errmsg *err) _must_check_;
