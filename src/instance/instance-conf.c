/* SPDX-License-Identifier: MIT */
/* Rows of the options of an instance. */
#include "instance/instance-conf.h"

#include "base/clock.h"
#include "base/macro.h"
#include "worker/scoreboard.h"

#define FIELD(f)  offsetof(struct instance_conf, f)
#define US_A_YEAR (366ULL * 24 * 3600 * US_PER_SEC)

/* clang-format off */
const struct liege_option instance_options[] = {
    { .name = "http-socket", .aliases = "http11-socket", .type = LIEGE_OPTION_LIST,
      .offset = FIELD(http_sockets), .arg = "ADDRESS",
      .help = "serve HTTP on IP:PORT, :PORT, [IPv6]:PORT, a path, @NAME or fd://N" },
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
    { .name = "chdir", .type = LIEGE_OPTION_STRING, .offset = FIELD(chdir), .arg = "DIR",
      .help = "enter this directory before the application is loaded" },
    { .name = "processes", .aliases = "workers p", .type = LIEGE_OPTION_UINT,
      .flags = LIEGE_OPTION_AUTO, .offset = FIELD(processes), .min = 1,
      .max = SCOREBOARD_MAX_WORKERS, .dflt = "1", .arg = "N",
      .help = "number of workers; auto: two for each processor that can be used, and one" },
    { .name = "lazy-apps", .type = LIEGE_OPTION_FLAG, .offset = FIELD(lazy_apps),
      .help = "load the application in each worker instead of once before they are forked" },
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
    { .name = "no-orphans", .type = LIEGE_OPTION_ALWAYS,
      .help = "workers end when their master is gone" },
    { .name = "thunder-lock", .type = LIEGE_OPTION_ALWAYS,
      .help = "a connection wakes one worker, not all" },
    { .name = "enable-metrics", .type = LIEGE_OPTION_ALWAYS,
      .help = "requests are counted" },
};
/* clang-format on */
const size_t instance_n_options = COUNT_OF(instance_options);
