/* SPDX-License-Identifier: MIT */
/* The Date of responses. Formatting takes longer than all of a small response's head, so the text
 * is kept for the second it is true. The caller gives the time and owns the copy: no clock is read
 * here and no state is shared. strftime() is not used because its names follow the locale. */
#include "http/date.h"

#include <stdio.h>

#define DAYS   "SunMonTueWedThuFriSat"
#define MONTHS "JanFebMarAprMayJunJulAugSepOctNovDec"

const char *http_date_at(struct http_date *date, time_t now)
{
    struct tm tm = {0};

    if (date->second == now && date->text[0] != '\0')
        return date->text;
    (void)gmtime_r(&now, &tm); /* fails only for years that do not fit into an int */
    (void)snprintf(date->text, sizeof(date->text), "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
                   DAYS + (size_t)3 * tm.tm_wday, (unsigned)tm.tm_mday % 100,
                   MONTHS + (size_t)3 * tm.tm_mon, (unsigned)(tm.tm_year + 1900) % 10000,
                   (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
                   (unsigned)tm.tm_sec % 100);
    date->second = now;
    return date->text;
}
