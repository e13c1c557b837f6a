/* SPDX-License-Identifier: MIT */
/* The Perl interpreter: start, fork, end.
 *
 * One interpreter in a process, started before any application is loaded and inherited by the
 * workers through fork, and by a base vassal's adopted ones: those get a Perl in which all that the
 * base's configuration said is said anew, and what its applications have loaded stays. Every entry
 * from the server passes interp_enter(), because Perl finds its interpreter by thread. The order at
 * the start matters: the C functions are defined first, then glue.pl runs, which has to override
 * exit() before code of the user is compiled.
 *
 * Called by plugin.c; the other files use the structure `interp`. */
#include "interp.h"

#include <dlfcn.h>
#include <errno.h>
#include <unistd.h>

#include "error.h"
#include "glue.h"
#include "invoke.h"
#include "package.h"
#include "psgi-call.h"
#include "psgi-env.h"
#include "psgi-errors.h"
#include "psgi-input.h"
#include "psgi-stream.h"
#include "sources.h"

struct interp interp;

/* NOLINTNEXTLINE(readability-identifier-naming): the name is Perl's */
EXTERN_C void boot_DynaLoader(pTHX_ CV *cv);

/* Perl calls it when it starts: DynaLoader is what loads every other module with C in it. */
static void xs_init(pTHX)
{
    (void)newXS("DynaLoader::boot_DynaLoader", boot_DynaLoader, __FILE__);
}

PerlInterpreter *interp_enter(void)
{
    PERL_SET_CONTEXT(interp.perl);
    return interp.perl;
}

/* Modules with C in them take libperl's symbols for granted. This plugin may have been loaded with
 * local scope, and libperl with it: makes libperl global. */
static int make_libperl_global(struct liege_error *err)
{
    Dl_info info = {0};

    if (!dladdr(&PL_thr_key, &info) || !info.dli_fname) /* a variable of libperl */
        return error_set(err, -ENOENT, "perl: the file of libperl cannot be found");
    if (!dlopen(info.dli_fname, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD))
        return error_set(err, -ENOENT, "perl: %s: %s", info.dli_fname, dlerror());
    return 0;
}

/* Perl reads its command line: no program, and the arguments of the configuration. */
static int parse_arguments(pTHX_ const struct perl_conf *conf, struct liege_error *err)
{
    const struct liege_list *args = &conf->args;
    static char name[] = "liege", option[] = "-e", program[] = "0", end[] = "--";
    char **argv = calloc(args->n_items + 5, sizeof(*argv));
    int argc = 0;

    if (!argv)
        return error_set(err, -ENOMEM, "perl: no memory");
    argv[argc++] = name;
    argv[argc++] = option;
    argv[argc++] = program;
    argv[argc++] = end;
    for (size_t i = 0; i < args->n_items; i++)
        argv[argc++] = args->items[i];

    /* Not 0: Perl has no arguments of a process to overwrite when $0 is set. */
    PL_origalen = 1;
    int status = perl_parse(aTHX_ xs_init, argc, argv, NULL);
    if (status == 0)
        status = perl_run(aTHX);
    free(argv);
    return status == 0 ? 0 : error_set(err, -EIO, "perl: cannot start, status %d", status);
}

/* Calls liege::_setup, as the configuration says. */
static void set_up(pTHX)
{
    const char *dir = interp.conf->local_lib;
    SV *local_lib = dir ? sv_2mortal(newSVpv(dir, 0)) : &PL_sv_undef;
    SV *setup = invoke_glue(aTHX_ "liege::_setup");
    SV *catch = boolSV(!interp.conf->no_die_catch);

    (void)invoke(aTHX_ setup, G_EVAL | G_VOID | G_DISCARD, local_lib, catch);
}

/* Runs glue.pl and its _setup. */
static int run_glue(pTHX_ struct liege_error *err)
{
    ENTER;
    SAVETMPS;
    SV *source = sv_2mortal(newSVpvf("#line 1 \"liege/glue.pl\"\n%s", glue_source));
    (void)eval_sv(source, G_VOID | G_DISCARD);
    if (!SvTRUE(ERRSV))
        set_up(aTHX);
    FREETMPS;
    LEAVE;
    return SvTRUE(ERRSV) ? error_set(err, -EIO, "perl: %s", SvPV_nolen(ERRSV)) : 0;
}

static void sys_init(void)
{
    static char name[] = "liege";
    char *arguments[] = {name, NULL};
    char **argv = arguments;
    char **env = environ;
    int argc = 1;

    PERL_SYS_INIT3(&argc, &argv, &env);
    PERL_UNUSED_VAR(argc);
    PERL_UNUSED_VAR(argv);
    PERL_UNUSED_VAR(env);
}

static int check_threads(const struct liege_host *host, struct liege_error *err)
{
    if (!host->multithread)
        return 0;
    return error_set(err, -ENOTSUP,
                     "threads: Perl answers one request at a time; more processes do it");
}

int interp_start(const struct liege_host *host, const struct perl_conf *conf,
                 struct liege_error *err)
{
    int r = make_libperl_global(err);

    if (r == 0)
        r = check_threads(host, err);
    if (r < 0)
        return r;
    interp = (struct interp){.host = host, .conf = conf, .pid = getpid()};

    sys_init();
    pTHX = perl_alloc();
    if (!my_perl)
        return error_set(err, -ENOMEM, "perl: no memory");
    interp.perl = my_perl;
    (void)interp_enter();
    PL_perl_destruct_level = 0;
    perl_construct(my_perl);
    PL_exit_flags |= PERL_EXIT_DESTRUCT_END;

    r = parse_arguments(aTHX_ conf, err);
    if (r < 0)
        return r;
    package_define(aTHX);
    psgi_input_define(aTHX);
    psgi_errors_define(aTHX);
    psgi_stream_define(aTHX);
    psgi_call_define(aTHX);
    r = run_glue(aTHX_ err);
    if (r < 0)
        return r;
    interp.env = psgi_env_new(aTHX);
    return 0;
}

static void replace_arguments(pTHX_ const struct liege_list *args)
{
    AV *argv = get_av("ARGV", GV_ADD);

    av_clear(argv);
    for (size_t i = 0; i < args->n_items; i++)
        av_push(argv, newSVpv(args->items[i], 0));
}

static void replace_environment(pTHX)
{
    AV *variables = newAV();
    SV *reference = sv_2mortal(newRV_noinc(MUTABLE_SV(variables)));
    SV *replace = invoke_glue(aTHX_ "liege::_replace_env");

    for (char **v = environ; v && *v; v++)
        av_push(variables, newSVpv(*v, 0));
    (void)invoke(aTHX_ replace, G_EVAL | G_VOID | G_DISCARD, reference, NULL);
}

int interp_adopt(const struct liege_host *host, const struct perl_conf *conf,
                 struct liege_error *err)
{
    const struct liege_list *args = &conf->args;
    int r = check_threads(host, err);

    if (r < 0)
        return r;
    pTHX = interp_enter();
    interp.host = host;
    interp.conf = conf;
    PL_basetime = time(NULL); /* $^T */
    ENTER;
    SAVETMPS;
    replace_environment(aTHX);
    if (!SvTRUE(ERRSV))
        set_up(aTHX);
    if (!SvTRUE(ERRSV))
        (void)invoke(aTHX_ invoke_glue(aTHX_ "liege::_adopt_apps"), G_EVAL | G_VOID | G_DISCARD,
                     NULL, NULL);
    FREETMPS;
    LEAVE;
    if (SvTRUE(ERRSV))
        return error_set(err, -EIO, "perl: %s", SvPV_nolen(ERRSV));
    replace_arguments(aTHX_ args);
    package_set_options(aTHX);
    psgi_env_adopt(aTHX_ interp.env);
    if (conf->auto_reload > 0)
        sources_skip(aTHX);
    return 0;
}

int interp_exec_file(pTHX_ const char *file, struct liege_error *err)
{
    SV *exec = invoke_glue(aTHX_ "liege::_exec");
    SV *name = newSVpv(file, 0);

    interp.unsettled = true;
    interp.exit_dies = true;
    (void)invoke(aTHX_ exec, G_EVAL | G_VOID | G_DISCARD, name, NULL);
    interp.exit_dies = false;
    SvREFCNT_dec_NN(name);
    interp_flush();
    if (!SvTRUE(ERRSV))
        return 0;
    error_report(aTHX_ file, file, err);
    return -EINVAL;
}

int interp_exec(pTHX_ const struct liege_list *files, struct liege_error *err)
{
    int r = 0;

    for (size_t i = 0; i < files->n_items && r == 0; i++)
        r = interp_exec_file(aTHX_ files->items[i], err);
    return r;
}

bool interp_settle(void)
{
    bool unsettled = interp.unsettled;

    interp.unsettled = false;
    interp_flush();
    return unsettled;
}

void interp_flush(void)
{
    pTHX = interp.perl;

    /* A handle that cannot be written to is its owner's problem. */
    (void)PerlIO_flush(NULL);
}

void interp_forked(void)
{
    pTHX = interp_enter();

    interp.pid = getpid();
    PL_srand_called = FALSE;
}

void interp_stop(void)
{
    if (!interp.perl)
        return;
    (void)interp_enter();
    (void)perl_destruct(interp.perl);
    interp.perl = NULL;
}
