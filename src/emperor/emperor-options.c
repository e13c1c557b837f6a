/* SPDX-License-Identifier: MIT */
/* The options of the Emperor. Names and defaults are uWSGI's; times without a unit are in the unit
 * that uWSGI uses for them. */
#include "base/macro.h"
#include "emperor/emperor-conf.h"

#define FIELD(f) offsetof(struct emperor_conf, f)
#define SECOND   1000000ULL
#define DAY      (24ULL * 3600 * SECOND)

/* clang-format off */
const struct liege_option emperor_options[] = {
    { .name = "emperor", .type = LIEGE_OPTION_LIST, .offset = FIELD(emperor), .arg = "SOURCE",
      .help = "run a vassal for each configuration of a directory, dir://PATH or glob://PATTERN" },
    { .name = "emperor-extra-extension", .aliases = "emperor-extra-ext", .type = LIEGE_OPTION_LIST,
      .offset = FIELD(extensions), .arg = ".EXT",
      .help = "files that end like this are configurations too" },
    { .name = "emperor-nofollow", .type = LIEGE_OPTION_FLAG, .offset = FIELD(nofollow),
      .help = "watch a symbolic link itself, not the file that it points to" },
    { .name = "emperor-freq", .type = LIEGE_OPTION_SECONDS, .offset = FIELD(freq_us),
      .min = SECOND / 10, .max = DAY, .dflt = "3", .arg = "SECONDS",
      .help = "how often to look at a directory that the kernel cannot watch for us" },
    { .name = "emperor-pidfile", .type = LIEGE_OPTION_STRING, .offset = FIELD(pidfile),
      .arg = "FILE", .help = "write the Emperor's process id to this file" },
    { .name = "emperor-procname", .type = LIEGE_OPTION_STRING, .offset = FIELD(procname),
      .arg = "TITLE", .help = "the title of the Emperor's process, instead of \"liege: emperor\"" },
    { .name = "emperor-stats", .aliases = "emperor-stats-server", .type = LIEGE_OPTION_STRING,
      .offset = FIELD(stats), .arg = "ADDRESS",
      .help = "answer each connection to this address with the state of all vassals, as JSON" },
    { .name = "emperor-on-demand-extension", .aliases = "emperor-on-demand-ext",
      .type = LIEGE_OPTION_STRING, .offset = FIELD(on_demand_extension), .arg = ".EXT",
      .help = "a vassal with a file of its name and this ending is started by the first connection "
              "to the address in it" },
    { .name = "emperor-on-demand-directory", .aliases = "emperor-on-demand-dir",
      .type = LIEGE_OPTION_STRING, .offset = FIELD(on_demand_directory), .arg = "DIRECTORY",
      .help = "vassals are started by the first connection to their sockets in this directory, "
              "NAME.socket" },
    { .name = "emperor-on-demand-exec", .type = LIEGE_OPTION_STRING,
      .offset = FIELD(on_demand_exec), .arg = "COMMAND",
      .help = "ask this command, with a vassal's name behind it, for the address that starts the "
              "vassal" },
    { .name = "emperor-curse-tolerance", .type = LIEGE_OPTION_SECONDS,
      .offset = FIELD(curse_tolerance_us), .max = DAY, .dflt = "30", .arg = "SECONDS",
      .help = "kill a vassal that has not ended this long after it was told to" },
    { .name = "emperor-graceful-shutdown", .type = LIEGE_OPTION_FLAG,
      .offset = FIELD(graceful_shutdown),
      .help = "let a vassal that is stopped finish the requests that it has begun" },
    { .name = "emperor-required-heartbeat", .type = LIEGE_OPTION_SECONDS,
      .offset = FIELD(required_heartbeat_us), .min = SECOND / 10, .max = DAY, .dflt = "30",
      .arg = "SECONDS",
      .help = "reload a vassal that sends heartbeats and has sent none for this long, then kill it" },
    { .name = "emperor-start-timeout", .type = LIEGE_OPTION_SECONDS,
      .offset = FIELD(start_timeout_us), .max = DAY, .dflt = "300", .arg = "SECONDS",
      .help = "kill a vassal that is not ready this long after its start; 0: never" },
    { .name = "emperor-spawn-parallel", .type = LIEGE_OPTION_UINT, .offset = FIELD(spawn_parallel),
      .max = 10000, .dflt = "0", .arg = "NUMBER",
      .help = "so many vassals start, or reload together with others, at a time; 0: twice the CPUs" },
    { .name = "emperor-throttle", .type = LIEGE_OPTION_MSECS, .offset = FIELD(throttle_us),
      .max = DAY, .dflt = "1000", .arg = "MSECS",
      .help = "wait this much longer before each further start of a vassal that keeps dying, or "
              "that dies together with others" },
    { .name = "emperor-max-throttle", .type = LIEGE_OPTION_MSECS, .offset = FIELD(max_throttle_us),
      .max = DAY, .dflt = "180000", .arg = "MSECS",
      .help = "the longest wait before a vassal that died is started again" },
    { .name = "emperor-throttle-new", .type = LIEGE_OPTION_FLAG, .offset = FIELD(throttle_new),
      .help = "the throttle is for vassals that never ran, too" },
    { .name = "emperor-no-blacklist", .type = LIEGE_OPTION_FLAG, .offset = FIELD(no_blacklist),
      .help = "a vassal that dies early waits no longer than one that dies late" },
    { .name = "vassal-set", .aliases = "vassals-set", .type = LIEGE_OPTION_LIST,
      .offset = FIELD(vassal_set), .arg = "OPTION=VALUE",
      .help = "set an option of every vassal" },
    { .name = "vassals-include", .type = LIEGE_OPTION_LIST, .offset = FIELD(include),
      .arg = "CONFIG", .help = "include a configuration in every vassal, after its own" },
    { .name = "vassals-include-before", .type = LIEGE_OPTION_LIST, .offset = FIELD(include_before),
      .arg = "CONFIG", .help = "include a configuration in every vassal, before its own" },
    { .name = "vassals-inherit", .type = LIEGE_OPTION_LIST, .offset = FIELD(inherit),
      .arg = "CONFIG", .help = "let every vassal inherit a configuration, after its own" },
    { .name = "vassals-inherit-before", .type = LIEGE_OPTION_LIST, .offset = FIELD(inherit_before),
      .arg = "CONFIG", .help = "let every vassal inherit a configuration, before its own" },
    { .name = "binary-path", .type = LIEGE_OPTION_STRING, .offset = FIELD(binary_path),
      .arg = "PROGRAM", .help = "start this program for each vassal, instead of liege-instance" },
    { .name = "uid", .type = LIEGE_OPTION_STRING, .offset = FIELD(uid), .arg = "USER",
      .help = "run as this user" },
    { .name = "gid", .type = LIEGE_OPTION_STRING, .offset = FIELD(gid), .arg = "GROUP",
      .help = "run as this group" },
};
/* clang-format on */
const size_t emperor_options_count = COUNT_OF(emperor_options);
