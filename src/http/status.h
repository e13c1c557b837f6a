/* SPDX-License-Identifier: MIT */
#pragma once

/* The reason phrase of a status code (IANA's registry), "Unknown" for one that has none. */
const char *http_status_reason(int status);
