/* SPDX-License-Identifier: MIT */
/* Rows of the options of an instance. */
#include "instance/instance-conf.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hook.h"
#include "base/macro.h"
#include "instance/log-sink.h"
#include "instance/scale.h"
#include "worker/scoreboard.h"
#include "worker/warmup-url.h"

#define FIELD(f)  offsetof(struct instance_conf, f)
#define US_A_YEAR (366ULL * 24 * 3600 * US_PER_SEC)

/* clang-format off */
static const char *const fork_checks[] = {
    [FORK_CHECK_WARN]   = "warn",
    [FORK_CHECK_REFUSE] = "refuse",
    [FORK_CHECK_OFF]    = "off",
};

static const char *const protocol_names[] = {
    [PROTO_HTTP]    = "http",
    [PROTO_UWSGI]   = "uwsgi",
    [PROTO_FASTCGI] = "fastcgi",
    [PROTO_SCGI]    = "scgi",
};
/* clang-format on */
static_assert(COUNT_OF(protocol_names) == PROTO_COUNT, "one name for each protocol");
static_assert(COUNT_OF(fork_checks) == FORK_CHECK_COUNT, "one name for each mode");

int fork_check_find(const char *name, enum fork_check *ret)
{
    for (size_t i = 0; i < COUNT_OF(fork_checks); i++)
        if (strcmp(fork_checks[i], name) == 0) {
            *ret = (enum fork_check)i;
            return 0;
        }
    return -EINVAL;
}

int protocol_find(const char *name, enum proto_id *ret)
{
    for (size_t i = 0; i < COUNT_OF(protocol_names); i++)
        if (strcmp(protocol_names[i], name) == 0) {
            *ret = (enum proto_id)i;
            return 0;
        }
    return -EINVAL;
}

static int check_algo(const char *value, char *reason, size_t size)
{
    enum scale_algo algo = SCALE_SPARE;
    int r = scale_algo_find(value, &algo);

    if (r < 0)
        (void)snprintf(reason, size, "'%.100s' is none of spare, spare2, backlog and busyness",
                       value);
    return r;
}

static int check_warmup(const char *value, char *reason, size_t size)
{
    return warmup_url_check(value, reason, size);
}

static int check_fork_check(const char *value, char *reason, size_t size)
{
    enum fork_check mode = FORK_CHECK_OFF;
    int r = fork_check_find(value, &mode);

    if (r < 0)
        (void)snprintf(reason, size, "'%.100s' is none of warn, refuse and off", value);
    return r;
}

static int check_protocol(const char *value, char *reason, size_t size)
{
    enum proto_id protocol = PROTO_UWSGI;
    int r = protocol_find(value, &protocol);

    if (r < 0)
        (void)snprintf(reason, size, "'%.100s' is none of uwsgi, http, fastcgi and scgi", value);
    return r;
}

static int check_pool(const char *value, char *reason, size_t size)
{
    const char *colon = strchr(value, ':');

    if (colon && colon > value && colon[1] != '\0' && colon[1] != ',' && !strstr(colon, ",,") &&
        value[strlen(value) - 1] != ',')
        return 0;
    (void)snprintf(reason, size, "'%.100s' is no PATH:ADDRESS,ADDRESS...", value);
    return -EINVAL;
}

static int check_hook(const char *value, char *reason, size_t size)
{
    return hook_check(value, reason, size);
}

static int check_sink(const char *value, char *reason, size_t size)
{
    return log_sink_check(value, reason, size);
}

/* clang-format off */
const struct liege_option instance_options[] = {
    { .name = "http-socket", .aliases = "http11-socket", .type = LIEGE_OPTION_LIST,
      .offset = FIELD(http_sockets), .arg = "ADDRESS",
      .help = "serve HTTP on IP:PORT, :PORT, [IPv6]:PORT, a path, @NAME, fd://N or fd://NAME" },
    { .name = "socket", .aliases = "uwsgi-socket s", .type = LIEGE_OPTION_LIST,
      .offset = FIELD(uwsgi_sockets), .arg = "ADDRESS",
      .help = "serve a web server that speaks uwsgi (nginx's uwsgi_pass); ADDRESS as http-socket" },
    { .name = "fastcgi-socket", .type = LIEGE_OPTION_LIST, .offset = FIELD(fastcgi_sockets),
      .arg = "ADDRESS",
      .help = "serve a web server that speaks FastCGI (nginx's fastcgi_pass); ADDRESS as "
              "http-socket" },
    { .name = "scgi-socket", .type = LIEGE_OPTION_LIST, .offset = FIELD(scgi_sockets),
      .arg = "ADDRESS",
      .help = "serve a web server that speaks SCGI (nginx's scgi_pass); ADDRESS as http-socket" },
    { .name = "https-socket", .type = LIEGE_OPTION_LIST, .offset = FIELD(https_sockets),
      .arg = "ADDRESS,CERT,KEY[,CIPHERS[,[!]CA]]",
      .help = "serve HTTPS with the certificate and key in these files; with CA clients may show a "
              "certificate, with !CA they must" },
    { .name = "protocol", .aliases = "socket-protocol", .type = LIEGE_OPTION_STRING,
      .offset = FIELD(protocol), .check = check_protocol, .dflt = "uwsgi", .arg = "NAME",
      .help = "what is spoken on the addresses of socket, and on sockets that were passed and that no option "
              "names: uwsgi, http, fastcgi or scgi" },
    { .name = "fork-server", .aliases = "fork-socket", .type = LIEGE_OPTION_STRING,
      .flags = LIEGE_OPTION_RESTART, .offset = FIELD(fork_server), .arg = "PATH",
      .help = "be a base vassal: load the application, serve nobody, and let the Emperor have other vassals "
              "forked from here through this UNIX socket" },
    { .name = "zerg-server", .type = LIEGE_OPTION_STRING, .flags = LIEGE_OPTION_RESTART,
      .offset = FIELD(zerg_server), .arg = "PATH",
      .help = "give the listening sockets to other instances of this user that ask for them at this UNIX socket" },
    { .name = "zerg", .type = LIEGE_OPTION_LIST, .flags = LIEGE_OPTION_RESTART,
      .offset = FIELD(zergs), .arg = "PATH",
      .help = "serve on the sockets of the running instance whose zerg-server is there" },
    { .name = "zerg-fallback", .type = LIEGE_OPTION_FLAG, .offset = FIELD(zerg_fallback),
      .help = "with zerg: if that instance cannot be reached, go on with the sockets that are configured" },
    { .name = "zerg-pool", .aliases = "zergpool", .type = LIEGE_OPTION_LIST,
      .flags = LIEGE_OPTION_RESTART, .offset = FIELD(zerg_pools), .check = check_pool,
      .arg = "PATH:ADDRESS[,ADDRESS...]",
      .help = "open these sockets for other instances of this user that ask for them at PATH, and do not serve them" },
    { .name = "listen", .aliases = "l", .type = LIEGE_OPTION_UINT, .offset = FIELD(backlog),
      .min = 1, .max = 65535, .dflt = "4096", .arg = "N",
      .help = "connections that may wait to be accepted (the kernel's somaxconn is the limit)" },
    { .name = "chmod-socket", .type = LIEGE_OPTION_MODE, .flags = LIEGE_OPTION_VALUELESS,
      .offset = FIELD(chmod_socket), .max = 0777, .dflt = "666", .arg = "MODE",
      .help = "permissions of the files of UNIX sockets" },
    { .name = "chown-socket", .type = LIEGE_OPTION_STRING, .offset = FIELD(chown_socket),
      .arg = "USER[:GROUP]", .help = "owner of the files of UNIX sockets" },
    { .name = "vacuum", .type = LIEGE_OPTION_FLAG, .offset = FIELD(vacuum), .dflt = "yes",
      .help = "remove the files of UNIX sockets at the end" },
    { .name = "uid", .type = LIEGE_OPTION_STRING, .flags = LIEGE_OPTION_RESTART,
      .offset = FIELD(uid), .arg = "USER", .help = "become this user, after binding TCP sockets" },
    { .name = "gid", .type = LIEGE_OPTION_STRING, .flags = LIEGE_OPTION_RESTART,
      .offset = FIELD(gid), .arg = "GROUP", .help = "become this group" },
    { .name = "pidfile", .type = LIEGE_OPTION_STRING, .flags = LIEGE_OPTION_RESTART,
      .offset = FIELD(pidfile), .arg = "FILE",
      .help = "write the master's pid here, before privileges are given up" },
    { .name = "pidfile2", .type = LIEGE_OPTION_STRING, .flags = LIEGE_OPTION_RESTART,
      .offset = FIELD(pidfile2), .arg = "FILE",
      .help = "write the master's pid here, after privileges are given up" },
    { .name = "daemonize", .aliases = "daemonize2 d", .type = LIEGE_OPTION_STRING,
      .flags = LIEGE_OPTION_RESTART, .offset = FIELD(daemonize), .check = check_sink, .arg = "FILE",
      .help = "go to the background when the instance serves, and write the log to this file" },
    { .name = "logto", .type = LIEGE_OPTION_STRING, .flags = LIEGE_OPTION_RESTART,
      .offset = FIELD(logto), .check = check_sink, .arg = "FILE",
      .help = "write the log to this file, opened before privileges are given up" },
    { .name = "logto2", .type = LIEGE_OPTION_STRING, .flags = LIEGE_OPTION_RESTART,
      .offset = FIELD(logto2), .check = check_sink, .arg = "FILE",
      .help = "write the log to this file, opened after privileges are given up" },
    { .name = "logger", .type = LIEGE_OPTION_LIST, .flags = LIEGE_OPTION_RESTART,
      .offset = FIELD(loggers), .check = check_sink, .arg = "SINK",
      .help = "write the log to file:PATH, syslog, syslog:NAME, journald, journald:NAME or stdio; "
              "several are possible" },
    { .name = "procname", .type = LIEGE_OPTION_STRING, .offset = FIELD(procname), .arg = "NAME",
      .help = "the processes are shown as \"NAME: master\", \"NAME: worker 1\" and so on" },
    { .name = "auto-procname", .type = LIEGE_OPTION_ALWAYS,
      .help = "each process says what it is" },
    { .name = "touch-reload", .type = LIEGE_OPTION_LIST, .offset = FIELD(touch_reload),
      .arg = "FILE", .help = "reload when this file is touched" },
    { .name = "touch-chain-reload", .type = LIEGE_OPTION_LIST, .offset = FIELD(touch_chain_reload),
      .arg = "FILE",
      .help = "load the application anew when this file is touched, and replace the workers in turn" },
    { .name = "master-fifo", .type = LIEGE_OPTION_STRING, .flags = LIEGE_OPTION_RESTART,
      .offset = FIELD(master_fifo), .arg = "FILE",
      .help = "obey letters that are written to this FIFO: r reload, c chain reload, q and Q stop, + and - workers, l "
              "open logs anew, f a new master, t stacks of the workers into the log, B ask for reinforcement" },
    { .name = "stats", .aliases = "stats-server", .type = LIEGE_OPTION_STRING,
      .flags = LIEGE_OPTION_RESTART, .offset = FIELD(stats), .arg = "ADDRESS",
      .help = "serve statistics, one JSON document a connection" },
    { .name = "chdir", .type = LIEGE_OPTION_STRING, .offset = FIELD(chdir), .arg = "DIR",
      .help = "enter this directory before the application is loaded" },
    { .name = "processes", .aliases = "workers p", .type = LIEGE_OPTION_UINT,
      .flags = LIEGE_OPTION_AUTO, .offset = FIELD(processes), .min = 1,
      .max = SCOREBOARD_MAX_WORKERS, .dflt = "1", .arg = "N",
      .help = "number of workers; auto: two for each processor that can be used, and one" },
    { .name = "cheaper", .type = LIEGE_OPTION_UINT, .offset = FIELD(cheaper),
      .max = SCOREBOARD_MAX_WORKERS, .arg = "N",
      .help = "begin with so many workers, and have more, up to processes, while there is work for "
              "them; 0: always as many" },
    { .name = "cheaper-initial", .type = LIEGE_OPTION_UINT, .offset = FIELD(cheaper_initial),
      .max = SCOREBOARD_MAX_WORKERS, .arg = "N",
      .help = "begin with so many workers instead of cheaper" },
    { .name = "cheaper-step", .type = LIEGE_OPTION_UINT, .offset = FIELD(cheaper_step), .min = 1,
      .max = SCOREBOARD_MAX_WORKERS, .dflt = "1", .arg = "N",
      .help = "so many workers are added at a time" },
    { .name = "cheaper-algo", .type = LIEGE_OPTION_STRING, .offset = FIELD(cheaper_algo),
      .check = check_algo, .dflt = "spare", .arg = "NAME",
      .help = "when to add and to remove workers: spare (one shall be idle), spare2 (cheaper of them "
              "shall), backlog (by what waits), busyness (by the time in the application)" },
    { .name = "cheaper-overload", .type = LIEGE_OPTION_UINT, .offset = FIELD(cheaper_overload),
      .min = 1, .max = 65535, .dflt = "3", .arg = "N",
      .help = "spare and busyness: seconds of looking before a worker is added that no request waits "
              "for; backlog: how many may wait" },
    { .name = "cheaper-idle", .type = LIEGE_OPTION_UINT, .offset = FIELD(cheaper_idle), .min = 1,
      .max = 86400, .dflt = "10", .arg = "SECONDS",
      .help = "spare2: how long workers must have been idle before they are removed" },
    { .name = "cheaper-busyness-max", .type = LIEGE_OPTION_UINT,
      .offset = FIELD(cheaper_busyness_max), .min = 1, .max = 100, .dflt = "50", .arg = "PERCENT",
      .help = "busyness: busier workers get help" },
    { .name = "cheaper-busyness-min", .type = LIEGE_OPTION_UINT,
      .offset = FIELD(cheaper_busyness_min), .max = 100, .dflt = "25", .arg = "PERCENT",
      .help = "busyness: of less busy workers one is removed" },
    { .name = "cheaper-busyness-multiplier", .type = LIEGE_OPTION_UINT,
      .offset = FIELD(cheaper_busyness_multiplier), .min = 1, .max = 1000, .dflt = "10", .arg = "N",
      .help = "busyness: so many times cheaper-overload pass after a change before one is removed" },
    { .name = "idle", .type = LIEGE_OPTION_SECONDS, .offset = FIELD(idle_us), .max = US_A_YEAR,
      .arg = "SECONDS",
      .help = "end the workers when there has been no request for so long; the next connection starts them "
              "again, and waits for them" },
    { .name = "die-on-idle", .type = LIEGE_OPTION_FLAG, .offset = FIELD(die_on_idle),
      .help = "with idle: end the whole instance then; a vassal asks its Emperor to stop it" },
    { .name = "vassal-sos", .type = LIEGE_OPTION_SECONDS, .offset = FIELD(vassal_sos_us),
      .max = US_A_YEAR, .arg = "SECONDS",
      .help = "ask the Emperor for reinforcement when all workers are busy, once in so long; 0: never" },
    { .name = "vassal-sos-backlog", .type = LIEGE_OPTION_UINT, .offset = FIELD(vassal_sos_backlog),
      .max = 1000000, .arg = "N",
      .help = "ask the Emperor for reinforcement, once a second, when so many requests and TCP connections wait "
              "for a worker; 0: never" },
    { .name = "hook-emperor-stop", .type = LIEGE_OPTION_LIST, .offset = FIELD(hooks_emperor_stop),
      .check = check_hook, .arg = "ACTION:ARGUMENT",
      .help = "do this when the Emperor tells the vassal to stop, before it does" },
    { .name = "hook-emperor-reload", .type = LIEGE_OPTION_LIST, .offset = FIELD(hooks_emperor_reload),
      .check = check_hook, .arg = "ACTION:ARGUMENT",
      .help = "do this when the Emperor tells the vassal to reload, before it does" },
    { .name = "hook-emperor-lost", .type = LIEGE_OPTION_LIST, .offset = FIELD(hooks_emperor_lost),
      .check = check_hook, .arg = "ACTION:ARGUMENT",
      .help = "do this when the Emperor has closed the vassal's pipe, before it ends" },
    { .name = "lazy-apps", .type = LIEGE_OPTION_FLAG, .offset = FIELD(lazy_apps),
      .help = "load the application in each worker instead of once before they are forked" },
    { .name = "ksm", .type = LIEGE_OPTION_FLAG, .offset = FIELD(ksm),
      .help = "let the kernel keep memory that is the same in several processes once, also of other vassals; it "
              "does if 1 is in /sys/kernel/mm/ksm/run" },
    { .name = "warmup", .type = LIEGE_OPTION_LIST, .offset = FIELD(warmup),
      .check = check_warmup, .arg = "URL",
      .help = "have the application answer a GET of /PATH or http://HOST/PATH before it serves, once for all "
              "workers; if it does not answer 2xx or 3xx, it is not started" },
    { .name = "fork-check", .type = LIEGE_OPTION_STRING, .offset = FIELD(fork_check),
      .check = check_fork_check, .dflt = "warn", .arg = "HOW",
      .help = "threads and connections that the application has before its workers are forked: warn of them, "
              "refuse to start with them, or off" },
    { .name = "reload-mercy", .aliases = "worker-reload-mercy graceful-timeout", .type = LIEGE_OPTION_SECONDS,
      .offset = FIELD(reload_mercy_us), .max = US_A_YEAR, .dflt = "60", .arg = "SECONDS",
      .help = "how long workers that were told to end may finish their requests" },
    { .name = "start-timeout", .type = LIEGE_OPTION_SECONDS, .offset = FIELD(start_timeout_us),
      .min = US_PER_SEC, .max = US_A_YEAR, .dflt = "300", .arg = "SECONDS",
      .help = "how long loading the application may take before the start is given up" },
    { .name = "master", .aliases = "M", .type = LIEGE_OPTION_ALWAYS,
      .help = "a master supervises the workers" },
    { .name = "die-on-term", .type = LIEGE_OPTION_ALWAYS,
      .help = "SIGTERM ends the instance" },
    { .name = "graceful-on-term", .type = LIEGE_OPTION_FLAG, .offset = FIELD(graceful_on_term),
      .help = "SIGTERM ends the instance gracefully, as SIGQUIT does; a second one at once" },
    { .name = "drain-delay", .type = LIEGE_OPTION_SECONDS, .offset = FIELD(drain_delay_us),
      .max = US_A_YEAR, .dflt = "0", .arg = "SECONDS",
      .help = "how long to go on serving before a graceful end begins: until whoever sends requests "
              "has learnt of it" },
    { .name = "no-orphans", .type = LIEGE_OPTION_ALWAYS,
      .help = "workers end when their master is gone" },
    { .name = "thunder-lock", .type = LIEGE_OPTION_ALWAYS,
      .help = "a connection wakes one worker, not all" },
    { .name = "enable-metrics", .type = LIEGE_OPTION_ALWAYS,
      .help = "requests are counted" },
};
/* clang-format on */
const size_t instance_n_options = COUNT_OF(instance_options);
