/* SPDX-License-Identifier: MIT */
#pragma once

/* The descriptor's dump(): where Perl is, and who called it. On any thread, whatever the
 * interpreter is doing: it is read as it stands, and may change meanwhile. */
void stacks_dump(int fd);
