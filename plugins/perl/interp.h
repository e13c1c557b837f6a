/* SPDX-License-Identifier: MIT */
#pragma once

/* Perl's headers, as every file of the plugin needs them. */
#define PERL_NO_GET_CONTEXT
#include <EXTERN.h>
#include <perl.h>

#include <XSUB.h>

#include "liege/plugin.h"
#include "perl-conf.h"

struct psgi_call;
struct psgi_env;

/* The interpreter and all that the plugin remembers. There is one, and one request at a time: the
 * plugin refuses to start where several threads would call it. */
struct interp {
    PerlInterpreter *perl; /* NULL until interp_start() */
    const struct liege_host *host;
    const struct perl_conf *conf;
    struct psgi_env *env;   /* what the env hashes of all requests have in common */
    struct psgi_call *call; /* the request that is being answered, or NULL */
    CV *run;                /* answers a request: see psgi-call.c */
    GV *input;       /* the handle that is psgi.input: used again if nobody kept it, or NULL */
    SV *input_io;    /* the IO part of it */
    SV *errors_line; /* printed to psgi.errors, not yet a whole line */
    SV *trace;       /* the calls that led to the last death nobody caught, or NULL */
    AV *post_fork;   /* code of liege::postfork() */
    HV *sources;     /* files of %INC that the host knows, or NULL */
    AV *zygote;      /* code of liege::zygote() */
    pid_t pid;       /* of this process: an application's own child has another one */
    bool unsettled;  /* code of the application has run since interp_settle() */
    bool exit_dies;  /* exit() is an error: applications are loaded or running */
};

extern struct interp interp;

/* Starts Perl: the interpreter, the packages of the plugin, @INC, @ARGV, %ENV. @host and @conf are
 * kept. Returns 0 or a negative errno with @err. */
int interp_start(const struct liege_host *host, const struct perl_conf *conf,
                 struct liege_error *err);

/* struct liege_plugin's adopt(). */
int interp_adopt(const struct liege_host *host, const struct perl_conf *conf,
                 struct liege_error *err);

/* Makes the interpreter the current one of this thread and returns it. */
PerlInterpreter *interp_enter(void);

/* Runs the script @file. Returns 0, or a negative errno with @err, after logging the whole error.
 */
int interp_exec_file(pTHX_ const char *file, struct liege_error *err);

/* Runs each script of @files in order, up to the first that fails. */
int interp_exec(pTHX_ const struct liege_list *files, struct liege_error *err);

/* struct liege_plugin's settle(): Perl has nothing to do for it but to write out what is buffered.
 */
bool interp_settle(void);

/* Writes out what is buffered in Perl's handles, so that a fork does not double it. */
void interp_flush(void);

/* After a fork, in the child: a random sequence of its own. */
void interp_forked(void);

/* Runs END blocks and the destructors of what is still alive. Frees no memory: the process ends. */
void interp_stop(void);
