/* SPDX-License-Identifier: MIT */
#pragma once

/* Has the kernel put this process's memory into large pages (madvise(2), MADV_COLLAPSE), where a
 * kernel knows how, as far as whole ones fit. For a process that will be forked often: what a fork
 * copies at once is a table of its pages, and of large ones that is short. A page that is written
 * to afterwards is still copied alone. Takes some milliseconds for each 10 MB. */
void hugepages_collapse(void);
