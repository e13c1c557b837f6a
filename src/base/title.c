/* SPDX-License-Identifier: MIT */
/* The kernel shows the memory between the ends of the first and the last argument, as it is now,
 * and, when there is text in its last byte, on into the environment behind it (proc(5) of
 * /proc/PID/cmdline). Another place can be named with PR_SET_MM_ARG_START, but for that a process
 * needs CAP_SYS_RESOURCE. */
#include "base/title.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/strv.h"

#define TITLE_MAX_BYTES 256

static char *area; /* NULL: no room */
static size_t area_size;
static char title[TITLE_MAX_BYTES];
static struct liege_list arguments, environment; /* the copies */
static char **environ_array; /* environ's; strings that are taken out of it stay in the copy */

/* The strings that lie one behind the other from @end on: returns the end of the last. */
static char *follow(char **strings, char *end)
{
    for (; *strings && *strings == end; strings++)
        end += strlen(end) + 1;
    return end;
}

int title_init(char ***argv)
{
    int r = strv_copy(&arguments, (const char *const *)*argv);

    if (r == 0)
        r = strv_copy(&environment, (const char *const *)environ);
    if (r == 0)
        environ_array = calloc(environment.n_items + 1, sizeof(*environ_array));
    if (r == 0 && !environ_array)
        r = -ENOMEM;
    if (r < 0 || !arguments.items) {
        strv_done(&arguments);
        strv_done(&environment);
        free(environ_array);
        return r;
    }
    area = (*argv)[0];
    area_size = (size_t)(follow(environ, follow(*argv, area)) - area);
    (*argv)[0] = arguments.items[0]; /* the C library names the program by it (dladdr(3)) */
    *argv = arguments.items;
    for (size_t i = 0; i < environment.n_items; i++)
        environ_array[i] = environment.items[i];
    environ = environ_array;
    return 0;
}

static void show(const char *state)
{
    if (!area)
        return;
    int n = snprintf(area, area_size, *state ? "%s (%s)" : "%s%s", title, state);
    size_t len = n < 0 ? 0 : MIN((size_t)n, area_size - 1);
    memset(area + len, 0, area_size - len);
}

void title_set(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(title, sizeof(title), fmt, args);
    va_end(args);
    show("");
}

void title_set_state(const char *state)
{
    show(state);
}
