/* SPDX-License-Identifier: MIT */

/* How Python is configured: like the python program of the machine, with its PYTHON* variables and
 * its treatment of the C locale (PEP 538, PEP 540), except that it reads no command line and takes
 * no signals, which are the host's. A virtual environment is found the way Python finds it, from
 * the path of the executable (PEP 405), so it is enough to name VENV/bin/python; what would go
 * wrong silently, a folder that is none or one of another Python, is refused here. Called by
 * interp.c, once. */

#include <Python.h>

#include "interp-config.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"

#define TEXT_(x)       #x
#define TEXT(x)        TEXT_(x)
#define PYTHON_X_Y     "python" TEXT(PY_MAJOR_VERSION) "." TEXT(PY_MINOR_VERSION)
#define MAX_ARGS       256
#define PATH_ITEM_SIZE (PATH_MAX + 64)

/* What cannot be set otherwise while the interpreter runs. */
static struct {
    char *virtualenv; /* as it was given, or NULL */
    char executable[PATH_ITEM_SIZE];
    uint64_t optimize;
    bool no_site;
} started;

/* How a vassal that needs another Python gets it. */
#define WAY_OUT "set the same, or have this vassal started without a base (vassal-fork-base)"

static int status_error(PyStatus status, struct liege_error *err)
{
    return host_error(err, -ECANCELED, "Python does not start: %s%s%s",
                      status.func ? status.func : "", status.func ? ": " : "",
                      status.err_msg ? status.err_msg : "no reason given");
}

/* Checks that @venv is a virtual environment of this Python and writes the path of its python. */
static int find_venv_python(const char *venv, char *ret, size_t size, struct liege_error *err)
{
    char root[PATH_MAX] = "", path[PATH_ITEM_SIZE] = "";

    if (!realpath(venv, root)) {
        int r = -errno;

        return host_error(err, r, "virtualenv %s: %s", venv, strerror(-r));
    }
    (void)snprintf(path, sizeof(path), "%s/pyvenv.cfg", root);
    if (access(path, R_OK) < 0)
        return host_error(err, -errno, "virtualenv %s: no virtual environment: %s: %s", venv, path,
                          strerror(errno));
    (void)snprintf(path, sizeof(path), "%s/lib/" PYTHON_X_Y, root);
    if (access(path, X_OK) < 0)
        return host_error(err, -EINVAL,
                          "virtualenv %s: made for another Python: there is no %s; make it anew "
                          "with " PYTHON_X_Y " -m venv",
                          venv, path);
    (void)snprintf(path, sizeof(path), "%s/bin/python", root);
    if (access(path, X_OK) < 0)
        return host_error(err, -errno, "virtualenv %s: %s: %s", venv, path, strerror(errno));
    (void)snprintf(ret, size, "%s", path);
    return 0;
}

/* Splits a copy of @pyargv, which *@ret_text has and the caller frees, after the name of
 * sys.argv[0]. Returns the number of arguments, 0 without memory. */
static Py_ssize_t split_argv(const char *pyargv, char *argv[MAX_ARGS], char **ret_text)
{
    static char name[] = "liege";
    char *text = strdup(pyargv ? pyargv : ""), *rest = NULL;
    Py_ssize_t argc = 0;

    *ret_text = text;
    if (!text)
        return 0;
    argv[argc++] = name;
    for (char *arg = strtok_r(text, " \t", &rest); arg && argc < MAX_ARGS;
         arg = strtok_r(NULL, " \t", &rest))
        argv[argc++] = arg;
    return argc;
}

static PyStatus set_argv(PyConfig *config, const char *pyargv)
{
    char *argv[MAX_ARGS], *text = NULL;
    Py_ssize_t argc = split_argv(pyargv, argv, &text);
    PyStatus status = argc > 0 ? PyConfig_SetBytesArgv(config, argc, argv) : PyStatus_NoMemory();

    free(text);
    return status;
}

int interp_replace_argv(const struct python_conf *conf)
{
    PyObject *list = PySys_GetObject("argv"); /* borrowed */
    char *argv[MAX_ARGS], *text = NULL;
    Py_ssize_t argc = split_argv(conf->pyargv, argv, &text);
    int r = list && PyList_Check(list) ? PyList_SetSlice(list, 0, PyList_GET_SIZE(list), NULL) : 0;

    for (Py_ssize_t i = 0; list && PyList_Check(list) && r == 0 && i < argc; i++) {
        PyObject *item = PyUnicode_DecodeFSDefault(argv[i]);

        r = item ? PyList_Append(list, item) : -1;
        Py_XDECREF(item);
    }
    free(text);
    return r;
}

static PyStatus configure(PyConfig *config, const struct python_conf *conf, const char *executable)
{
    PyStatus status;

    config->parse_argv = 0;
    config->install_signal_handlers = 0;
    if (conf->optimize > 0)
        config->optimization_level = (int)conf->optimize;
    if (conf->no_site)
        config->site_import = 0;
    /* The name with its version, so that a search along PATH does not end at another Python. */
    status = PyConfig_SetBytesString(config, &config->program_name,
                                     executable ? executable : PYTHON_X_Y);
    if (!PyStatus_Exception(status) && executable)
        status = PyConfig_SetBytesString(config, &config->executable, executable);
    if (!PyStatus_Exception(status))
        status = set_argv(config, conf->pyargv);
    return status;
}

/* Objects have memory of their own, by the megabyte ("arena"); all are at such an address. */
#define ARENA_ALIGNMENT ((size_t)16 * 1024)

static void *allocate_arena(void *data, size_t size)
{
    void *arena = NULL;

    (void)data;
    return posix_memalign(&arena, ARENA_ALIGNMENT, size) == 0 ? arena : NULL;
}

static void free_arena(void *data, void *arena, size_t size)
{
    (void)data;
    (void)size;
    free(arena);
}

static void keep_arenas_on_heap(void)
{
    PyObjectArenaAllocator allocator = {.alloc = allocate_arena, .free = free_arena};

    PyObject_SetArenaAllocator(&allocator);
}

int interp_initialize(const struct python_conf *conf, struct liege_error *err)
{
    char executable[PATH_ITEM_SIZE] = "";
    PyPreConfig preconfig;
    PyConfig config;
    PyStatus status;

    if (python_host->size > offsetof(struct liege_host, on_heap) && python_host->on_heap)
        keep_arenas_on_heap();
    started.optimize = conf->optimize;
    started.no_site = conf->no_site;
    if (conf->virtualenv) {
        int r = find_venv_python(conf->virtualenv, executable, sizeof(executable), err);

        if (r < 0)
            return r;
        (void)snprintf(started.executable, sizeof(started.executable), "%s", executable);
        started.virtualenv = strdup(conf->virtualenv);
        if (!started.virtualenv)
            return host_error(err, -ENOMEM, "Python does not start: no memory");
    }
    PyPreConfig_InitPythonConfig(&preconfig);
    preconfig.parse_argv = 0;
    status = Py_PreInitialize(&preconfig);
    if (PyStatus_Exception(status))
        return status_error(status, err);

    PyConfig_InitPythonConfig(&config);
    status = configure(&config, conf, conf->virtualenv ? executable : NULL);
    if (!PyStatus_Exception(status))
        status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    return PyStatus_Exception(status) ? status_error(status, err) : 0;
}

int interp_check_same(const struct python_conf *conf, struct liege_error *err)
{
    char executable[PATH_ITEM_SIZE] = "";

    if (conf->virtualenv) {
        int r = find_venv_python(conf->virtualenv, executable, sizeof(executable), err);

        if (r < 0)
            return r;
        if (strcmp(executable, started.executable) != 0)
            return host_error(err, -EBUSY,
                              "virtualenv = %s, but the Python of the base vassal has %s: " WAY_OUT,
                              conf->virtualenv, started.virtualenv ? started.virtualenv : "none");
    }
    if (conf->optimize > 0 && conf->optimize != started.optimize)
        return host_error(err, -EBUSY,
                          "optimize = %d, but the Python of the base vassal has %d: " WAY_OUT,
                          (int)conf->optimize, (int)started.optimize);
    if (conf->no_site && !started.no_site)
        return host_error(
            err, -EBUSY,
            "no-site = yes, but the Python of the base vassal has imported it: " WAY_OUT);
    return 0;
}

/* Forgets what was found out about a folder of sys.path: it may be there now. */
static void forget_importer(PyObject *item)
{
    PyObject *cache = PySys_GetObject("path_importer_cache"); /* borrowed */

    if (cache && PyDict_Check(cache) && PyDict_DelItem(cache, item) < 0)
        PyErr_Clear(); /* nothing was */
}

static bool is_there(PyObject *sys_path, Py_ssize_t index, PyObject *item)
{
    PyObject *there = index < PyList_GET_SIZE(sys_path) ? PyList_GET_ITEM(sys_path, index) : NULL;

    return there && PyUnicode_Check(there) && PyUnicode_Compare(there, item) == 0;
}

/* Inserts @directory, made absolute, at @index of sys.path, where it may be already: the base's. */
static int insert_path(PyObject *sys_path, Py_ssize_t index, const char *directory)
{
    char text[PATH_MAX] = "";
    PyObject *item;
    int r;

    if (!realpath(directory, text)) {
        host_log(LIEGE_LOG_WARNING, "pythonpath %s: %s", directory, strerror(errno));
        (void)snprintf(text, sizeof(text), "%s", directory);
    }
    item = PyUnicode_DecodeFSDefault(text);
    if (!item)
        return -1;
    forget_importer(item);
    r = is_there(sys_path, index, item) ? 0 : PyList_Insert(sys_path, index, item);
    Py_DECREF(item);
    return r;
}

/* Inserts what the glob @pattern gives, or itself when nothing does, and moves *@index on. */
static int insert_glob(PyObject *sys_path, Py_ssize_t *index, const char *pattern)
{
    glob_t found = {0};
    int r = 0;

    if (glob(pattern, GLOB_NOCHECK | GLOB_TILDE, NULL, &found) != 0)
        return insert_path(sys_path, (*index)++, pattern);
    for (size_t i = 0; i < found.gl_pathc && r == 0; i++)
        r = insert_path(sys_path, (*index)++, found.gl_pathv[i]);
    globfree(&found);
    return r;
}

static Py_ssize_t n_front; /* items of sys.path that are `pythonpath` */

int interp_set_path(const struct python_conf *conf)
{
    PyObject *sys_path = PySys_GetObject("path"); /* borrowed */
    int r = sys_path ? 0 : -1;

    n_front = 0;
    for (size_t i = 0; i < conf->pythonpath.n_items && r == 0; i++)
        r = insert_glob(sys_path, &n_front, conf->pythonpath.items[i]);
    return r == 0 ? insert_path(sys_path, n_front, ".") : -1;
}

int interp_add_path(const char *directory)
{
    PyObject *sys_path = PySys_GetObject("path"); /* borrowed */

    return sys_path ? insert_glob(sys_path, &n_front, directory) : -1;
}
