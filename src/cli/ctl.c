/* SPDX-License-Identifier: MIT */
/* liegectl: says what an Emperor's vassals do and what they shall do, through the Emperor's control
 * socket; or tells one instance what to do, through the FIFO of master-fifo. This file has the
 * command line, the table of commands, and those of them that only print what they are told. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macro.h"
#include "cli/ctl.h"

#define DEFAULT_SOCKET   "/run/liege/control.sock"
#define MAX_LINES        1000000
#define CONFIG_MAX_BYTES ((size_t)64 << 20)

enum name_rule {
    NAME_NEEDED,
    NAME_OPTIONAL,
};

struct command {
    const char *name, *argument, *help;
    enum name_rule rule;
    const char *options; /* letters of those that it takes besides --socket and --json */
    enum ctl_code (*run)(const struct ctl_options *o, const char *command, const char *vassal);
};

/* Prints text that a vassal wrote; on a terminal without what would control it. */
static void print_text(const char *text)
{
    bool terminal = isatty(STDOUT_FILENO);

    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bool control = (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f;
        (void)putchar(terminal && control ? '?' : c);
    }
}

static void on_log(const json_t *line, void *data)
{
    json_int_t missed = ctl_number(line, "missed");

    (void)data;
    if (missed > 0)
        (void)fprintf(stderr, "liegectl: %lld bytes are missing here\n", (long long)missed);
    print_text(ctl_text(line, "log"));
}

static void on_check(const json_t *line, void *data)
{
    (void)data;
    print_text(ctl_text(line, "output"));
    if (json_is_false(json_object_get(line, "done")))
        (void)fprintf(stderr, "liegectl: the check %s\n", ctl_text(line, "exit"));
}

static void on_outcome(const json_t *line, void *data)
{
    const char *error = ctl_text(line, "error");

    (void)data;
    (void)fprintf(*error ? stderr : stdout, "%s: %s%s%s (%s)\n", ctl_text(line, "vassal"), error,
                  *error ? ": " : "", ctl_text(line, "state"), ctl_text(line, "reason"));
}

static void on_list(const json_t *line, void *data)
{
    (void)data;
    print_text(ctl_text(line, "vassal"));
    (void)putchar('\n');
}

static enum ctl_code ask(const struct ctl_options *o, const char *command, const char *vassal,
                         ctl_line_fn *fn)
{
    struct ctl_client c;
    enum ctl_code code = ctl_open(&c, o);

    if (code == CTL_DONE)
        code = ctl_ask(&c, o, command, vassal, fn, NULL);
    ctl_close(&c);
    return code;
}

static enum ctl_code run_order(const struct ctl_options *o, const char *command, const char *vassal)
{
    return ask(o, command, vassal, on_outcome);
}

static enum ctl_code run_add(const struct ctl_options *o, const char *command, const char *vassal)
{
    struct ctl_options with = *o;
    char *text = NULL;
    int r = fd_read_all(STDIN_FILENO, CONFIG_MAX_BYTES, &text, &with.text_len);

    if (r < 0) {
        (void)fprintf(stderr, "liegectl: standard input: %s\n", strerror(-r));
        return CTL_FAILED;
    }
    with.text = text;
    enum ctl_code code = ask(&with, command, vassal, on_outcome);
    free(text);
    return code;
}

static enum ctl_code run_log(const struct ctl_options *o, const char *command, const char *vassal)
{
    return ask(o, command, vassal, on_log);
}

static enum ctl_code run_check(const struct ctl_options *o, const char *command, const char *vassal)
{
    return ask(o, command, vassal, on_check);
}

static enum ctl_code run_list(const struct ctl_options *o, const char *command, const char *vassal)
{
    return ask(o, command, vassal, on_list);
}

static enum ctl_code run_status(const struct ctl_options *o, const char *command,
                                const char *vassal)
{
    (void)command;
    return ctl_status(o, vassal);
}

static enum ctl_code run_top(const struct ctl_options *o, const char *command, const char *vassal)
{
    (void)command;
    return ctl_top(o, vassal);
}

/* clang-format off */
static const struct command commands[] = {
    { "status", "[NAME]", "state of all vassals or one, since when and why",
      NAME_OPTIONAL, "m", run_status },
    { "top",    "[NAME]", "the same again and again, with CPU time and memory",
      NAME_OPTIONAL, "nd", run_top },
    { "list",   "",       "names of the vassals", NAME_OPTIONAL, "", run_list },
    { "reload", "NAME|all", "read the configuration again, new workers take over",
      NAME_NEEDED, "w", run_order },
    { "stop",   "NAME",   "stop it until it is started again", NAME_NEEDED, "w", run_order },
    { "start",  "NAME",   "start it, and do not hold it any more", NAME_NEEDED, "w", run_order },
    { "clear-blacklist", "[NAME]", "start those now that wait because they kept dying",
      NAME_OPTIONAL, "", run_order },
    { "add",    "NAME",   "run a vassal with the configuration on standard input, or change it so",
      NAME_NEEDED, "wo", run_add },
    { "remove", "NAME",   "end a vassal that was added", NAME_NEEDED, "", run_order },
    { "log",    "NAME",   "what it wrote last", NAME_NEEDED, "nf", run_log },
    { "check",  "NAME",   "check its configuration", NAME_NEEDED, "", run_check },
    { "upgrade", "",      "make the Emperor the program that is there now; vassals go on",
      NAME_OPTIONAL, "", run_order },
};

static const struct option long_options[] = {
    { "socket",   required_argument, NULL, 's' },
    { "json",     no_argument,       NULL, 'j' },
    { "wait",     no_argument,       NULL, 'w' },
    { "memory",   no_argument,       NULL, 'm' },
    { "follow",   no_argument,       NULL, 'f' },
    { "lines",    required_argument, NULL, 'n' },
    { "count",    required_argument, NULL, 'n' },
    { "interval", required_argument, NULL, 'd' },
    { "on-demand", required_argument, NULL, 'o' },
    { "help",     no_argument,       NULL, 'h' },
    { "version",  no_argument,       NULL, 'V' },
    { 0 },
};
/* clang-format on */

static enum ctl_code print_usage(FILE *to, enum ctl_code code)
{
    (void)fprintf(to, "usage: liegectl [OPTION...] COMMAND [NAME]\n"
                      "       liegectl ORDER FIFO\n\n"
                      "Commands to an Emperor, on the socket of its option emperor-control:\n");
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        (void)fprintf(to, "  %-15s %-8s  %s\n", commands[i].name, commands[i].argument,
                      commands[i].help);
    (void)fprintf(
        to,
        "\nOptions:\n"
        "  --socket PATH    the socket (else LIEGE_CONTROL, else " DEFAULT_SOCKET ")\n"
        "  --json           print the Emperor's answer as it is\n"
        "  -m, --memory     status: what each has for itself (USS) and with its part of what it\n"
        "                   shares (PSS), and what a base saves the vassals that it forks\n"
        "  --wait           reload, start, stop, add: wait, and say how it went\n"
        "  --on-demand ADDR add: start it at the first connection to this address\n"
        "  -n N, -f         log: the last N lines (10), then further ones\n"
        "  -n N, -d SECONDS top: end after N pictures; the time between them (2)\n\n"
        "Orders to one instance; FIFO is the path, with a slash, that its option "
        "master-fifo names:\n");
    ctl_fifo_usage(to);
    return code;
}

static bool read_number(const char *text, double min, double max, double *ret)
{
    char *end = NULL;

    errno = 0;
    double n = strtod(text, &end);
    if (end == text || *end || errno || !(n >= min && n <= max)) {
        (void)fprintf(stderr, "liegectl: %s is no number from %g to %g\n", text, min, max);
        return false;
    }
    *ret = n;
    return true;
}

/* Reads one option; notes it in @used, by its letter. False: it cannot be read. */
static bool take_option(struct ctl_options *o, int letter, char used[256])
{
    double n = 0;

    used[letter & 0xff] = 1;
    switch (letter) {
    case 's':
        o->socket = optarg;
        o->socket_given = true;
        return true;
    case 'j':
        return o->json = true;
    case 'w':
        return o->wait = true;
    case 'm':
        return o->memory = true;
    case 'f':
        return o->follow = true;
    case 'n':
        if (!read_number(optarg, 0, MAX_LINES, &n))
            return false;
        o->lines = o->count = (unsigned)n;
        return true;
    case 'o':
        o->on_demand = optarg;
        return true;
    case 'd':
        return read_number(optarg, 0.1, 86400, &o->interval_s);
    default:
        return false;
    }
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static enum ctl_code run(const struct ctl_options *o, const char *name, const char *argument,
                         const char *used)
{
    const struct command *c = find_command(name);

    if (argument && strchr(argument, '/') && !o->socket_given && ctl_fifo_knows(name))
        return ctl_fifo(name, argument);
    if (!c || (!argument && c->rule == NAME_NEEDED))
        return print_usage(stderr, CTL_USAGE);
    for (const char *letter = "wfndom"; *letter; letter++)
        if (used[(unsigned char)*letter] && !strchr(c->options, *letter)) {
            (void)fprintf(stderr, "liegectl: %s does not take the option %c\n", name, *letter);
            return CTL_USAGE;
        }
    return c->run(o, name, argument);
}

int main(int argc, char *argv[])
{
    const char *from_environment = getenv("LIEGE_CONTROL");
    struct ctl_options o = {
        .socket = from_environment && *from_environment ? from_environment : DEFAULT_SOCKET,
        .lines = 10,
        .interval_s = 2,
    };
    char used[256] = {0};

    for (int letter = 0;
         (letter = getopt_long(argc, argv, "wfmn:d:hs:", long_options, NULL)) != -1;) {
        if (letter == 'h')
            return print_usage(stdout, CTL_DONE);
        if (letter == 'V')
            return printf("liegectl %s\n", LIEGE_VERSION) < 0 ? CTL_FAILED : CTL_DONE;
        if (letter == '?')
            return print_usage(stderr, CTL_USAGE);
        if (!take_option(&o, letter, used))
            return CTL_USAGE;
    }
    if (argc - optind < 1 || argc - optind > 2)
        return print_usage(stderr, CTL_USAGE);
    return run(&o, argv[optind], argv[optind + 1], used);
}
