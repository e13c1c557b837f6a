/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

#define COUNT_OF(a)         (sizeof(a) / sizeof((a)[0]))
#define _printf_(fmt, args) __attribute__((format(printf, fmt, args)))
#define _must_check_        __attribute__((warn_unused_result))
#define _noreturn_          __attribute__((noreturn))

#define MIN(a, b)                                                                                  \
    ({                                                                                             \
        typeof(a) a_ = (a);                                                                        \
        typeof(b) b_ = (b);                                                                        \
        a_ < b_ ? a_ : b_;                                                                         \
    })
#define MAX(a, b)                                                                                  \
    ({                                                                                             \
        typeof(a) x_ = (a);                                                                        \
        typeof(b) y_ = (b);                                                                        \
        x_ > y_ ? x_ : y_;                                                                         \
    })

/* The object in which @ptr is the member @member. */
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
