/* SPDX-License-Identifier: MIT */
/* Dates. Formatting that of responses takes longer than all of a small response's head, so the text
 * is kept for the second it is true. The caller gives the time and owns the copy: no clock is read
 * here and no state is shared. strftime() and strptime() are not used because their names follow
 * the locale. Dates of conditional requests are read by a table of patterns, one a format. */
#include "http/date.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "http/text.h"

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

/* Formats: 'w' the name of a day, 'W' its long name, 'm' of a month; 'd' day, 'e' day with a blank
 * for the tens, 'Y' year, 'y' its last two digits, 'H', 'M', 'S' the time; "GMT" at the end, and
 * everything else, is itself. */
static const char *const formats[] = {
    "w, d m Y H:M:S GMT", /* IMF-fixdate */
    "W, d-m-y H:M:S GMT", /* RFC 850 */
    "w m e H:M:S Y",      /* asctime() */
};

static const char *const long_days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                        "Thursday", "Friday", "Saturday"};

/* Takes @n digits off @text; the first may be a blank if @blank. */
static bool take_number(struct liege_str *text, size_t n, bool blank, int *ret)
{
    int value = 0;

    if (text->len < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = text->data[i];
        if (blank && i == 0 && c == ' ')
            continue;
        if (!http_is(c, HTTP_CLASS_DIGIT))
            return false;
        value = value * 10 + (c - '0');
    }
    *ret = value;
    *text = http_str(text->data + n, text->len - n);
    return true;
}

static bool take_word(struct liege_str *text, const char *word, size_t len)
{
    if (text->len < len || memcmp(text->data, word, len) != 0)
        return false;
    *text = http_str(text->data + len, text->len - len);
    return true;
}

/* Takes one of the three-letter names in @names off @text. */
static bool take_name(struct liege_str *text, const char *names, int *ret)
{
    for (int i = 0; names[(size_t)3 * i] != '\0'; i++)
        if (take_word(text, names + (size_t)3 * i, 3)) {
            *ret = i;
            return true;
        }
    return false;
}

static bool take_long_day(struct liege_str *text)
{
    for (size_t i = 0; i < COUNT_OF(long_days); i++)
        if (take_word(text, long_days[i], strlen(long_days[i])))
            return true;
    return false;
}

static int year_of(time_t now)
{
    struct tm tm = {0};

    (void)gmtime_r(&now, &tm);
    return tm.tm_year + 1900;
}

/* "A timestamp that appears to be more than 50 years in the future" is one of the past. */
static int full_year(int two_digits, time_t now)
{
    int this_year = year_of(now);
    int year = this_year - this_year % 100 + two_digits;

    return year > this_year + 50 ? year - 100 : year;
}

static bool take_part(struct liege_str *text, char part, time_t now, struct tm *tm)
{
    int unused = 0, year = 0;
    bool good = true;

    switch (part) {
    case 'w':
        return take_name(text, DAYS, &unused);
    case 'W':
        return take_long_day(text);
    case 'm':
        return take_name(text, MONTHS, &tm->tm_mon);
    case 'd':
    case 'e':
        return take_number(text, 2, part == 'e', &tm->tm_mday);
    case 'Y':
    case 'y':
        good = take_number(text, part == 'Y' ? 4 : 2, false, &year);
        tm->tm_year = (part == 'Y' ? year : full_year(year, now)) - 1900;
        return good;
    case 'H':
        return take_number(text, 2, false, &tm->tm_hour);
    case 'M':
        return take_number(text, 2, false, &tm->tm_min);
    case 'S':
        return take_number(text, 2, false, &tm->tm_sec);
    default:
        return take_word(text, &part, 1);
    }
}

static bool parse_format(const char *format, struct liege_str text, time_t now, struct tm *tm)
{
    for (const char *p = format; *p != '\0'; p++) {
        if (strcmp(p, "GMT") == 0)
            return text.len == 3 && memcmp(text.data, "GMT", 3) == 0;
        if (!take_part(&text, *p, now, tm))
            return false;
    }
    return text.len == 0;
}

static bool is_date(const struct tm *tm)
{
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return tm->tm_mday >= 1 && tm->tm_mday <= days[tm->tm_mon] && tm->tm_hour <= 23 &&
           tm->tm_min <= 59 && tm->tm_sec <= 60; /* a leap second */
}

int http_date_parse(struct liege_str text, time_t now, time_t *ret)
{
    for (size_t i = 0; i < COUNT_OF(formats); i++) {
        struct tm tm = {0};
        if (parse_format(formats[i], text, now, &tm)) {
            if (!is_date(&tm))
                return -EINVAL;
            *ret = timegm(&tm);
            return 0;
        }
    }
    return -EINVAL;
}
