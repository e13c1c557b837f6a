/* SPDX-License-Identifier: MIT */
/* Who says what how. What is done about it is the master's. */
#include "instance/order.h"

#include "base/macro.h"

/* clang-format off */
static const struct {
    int sig;
    enum order order;
} signal_orders[] = {
    { SIGHUP,   ORDER_RELOAD },
    { SIGQUIT,  ORDER_STOP_GRACEFULLY },
    { SIGINT,   ORDER_STOP },
    { SIGTERM,  ORDER_STOP_BY_TERM },
    { SIGTTIN,  ORDER_ADD_WORKER },
    { SIGTTOU,  ORDER_REMOVE_WORKER },
    { SIGWINCH, ORDER_SLEEP },
    { SIGUSR1,  ORDER_REOPEN_LOGS },
    { SIGUSR2,  ORDER_UPGRADE },
    { SIGCHLD,  ORDER_REAP },
};

static const struct {
    enum emperor_byte byte;
    enum order order;
} byte_orders[] = {
    { EMPEROR_BYTE_STOP,            ORDER_STOP },
    { EMPEROR_BYTE_STOP_GRACEFULLY, ORDER_STOP_GRACEFULLY },
    { EMPEROR_BYTE_RELOAD,          ORDER_RELOAD },
    { EMPEROR_BYTE_STACK,           ORDER_SHOW_STACKS },
};

static const struct {
    char letter;
    enum order order;
} letter_orders[] = {
    { 'r', ORDER_RELOAD },
    { 'R', ORDER_RELOAD },
    { 'w', ORDER_RELOAD },
    { 'c', ORDER_CHAIN_RELOAD },
    { 'q', ORDER_STOP_GRACEFULLY },
    { 'Q', ORDER_STOP },
    { '+', ORDER_ADD_WORKER },
    { '-', ORDER_REMOVE_WORKER },
    { 'l', ORDER_REOPEN_LOGS },
    { 't', ORDER_SHOW_STACKS },
    { 'f', ORDER_UPGRADE },
    { 'B', ORDER_REINFORCE },
};
/* clang-format on */

void order_signals(sigset_t *ret)
{
    (void)sigemptyset(ret);
    for (size_t i = 0; i < COUNT_OF(signal_orders); i++)
        (void)sigaddset(ret, signal_orders[i].sig);
}

enum order order_of_signal(int sig)
{
    for (size_t i = 0; i < COUNT_OF(signal_orders); i++)
        if (signal_orders[i].sig == sig)
            return signal_orders[i].order;
    return ORDER_NONE;
}

enum order order_of_letter(char letter)
{
    for (size_t i = 0; i < COUNT_OF(letter_orders); i++)
        if (letter_orders[i].letter == letter)
            return letter_orders[i].order;
    return ORDER_NONE;
}

enum order order_of_byte(enum emperor_byte byte)
{
    for (size_t i = 0; i < COUNT_OF(byte_orders); i++)
        if (byte_orders[i].byte == byte)
            return byte_orders[i].order;
    return ORDER_NONE;
}
