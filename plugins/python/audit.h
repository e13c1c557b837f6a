/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* struct liege_plugin's functions of these names. They hold the GIL. */
bool audit_describe_thread(pid_t tid, char *text, size_t size);
bool audit_describe_fd(int fd, char *text, size_t size);
