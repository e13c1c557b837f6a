/* SPDX-License-Identifier: MIT */

/* Finds the application: imports its module, or runs its file as a module of its own, and takes the
 * callable out of it. A file is compiled here rather than by importlib: two files whose names
 * differ in their suffixes would share one cached .pyc. Its module has a name made of the path, so
 * that several files called wsgi.py can be served by one process, and one that is mounted twice is
 * run once. Whatever fails says where: the line of code for an exception, else the file that lacks
 * what was looked for.
 *
 * What was loaded early, or by the base vassal that this process was forked from, is given again to
 * who asks for the same source. A base's modules are there under their names: a vassal that means
 * another module of such a name is refused, instead of being served the base's.
 *
 * Called by plugin.c and early.c in the process that loads applications. */

#include "loader.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "interp.h"
#include "traceback.h"

#define NAME_PREFIX "uwsgi_file_"
#define MAX_PATH    (2UL * PATH_MAX) /* of a file below the working directory */

/* Both: key (make_key()) to application. */
static PyObject *known;  /* what is given again */
static PyObject *loaded; /* what will be known to those who adopt this interpreter */
static bool adopted;

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

/* "shop.wsgi" is a file, if there is one, and else the module of that name that Django makes. */
static bool is_path(const char *source)
{
    if (source[0] == '/' || source[0] == '.' || ends_with(source, ".py"))
        return true;
    return ends_with(source, ".wsgi") && (strchr(source, '/') || access(source, F_OK) == 0);
}

/* The bytes of the file @path, a new reference, or NULL with an exception set. */
static PyObject *read_source(PyObject *path)
{
    PyObject *io = PyImport_ImportModule("io");
    PyObject *file = io ? PyObject_CallMethod(io, "open_code", "O", path) : NULL;
    PyObject *source = file ? PyObject_CallMethod(file, "read", NULL) : NULL;

    if (source && memchr(PyBytes_AS_STRING(source), '\0', (size_t)PyBytes_GET_SIZE(source))) {
        PyErr_Format(PyExc_ValueError, "%U has a null byte: it is no Python code", path);
        Py_CLEAR(source);
    }
    Py_XDECREF(file); /* which closes it */
    Py_XDECREF(io);
    return source;
}

/* Runs the file @path (absolute) as the module @name. A new reference, or NULL with an exception
 * set. */
static PyObject *run_file(PyObject *path, const char *name)
{
    PyObject *source = read_source(path);
    PyObject *code = NULL, *name_text = NULL, *module = NULL;

    if (source)
        code = Py_CompileStringObject(PyBytes_AS_STRING(source), path, Py_file_input, NULL, -1);
    if (code)
        name_text = PyUnicode_FromString(name);
    if (name_text)
        module = PyImport_ExecCodeModuleObject(name_text, code, path, NULL);
    Py_XDECREF(name_text);
    Py_XDECREF(code);
    Py_XDECREF(source);
    return module;
}

/* True if @module has been made from the file @path. */
static bool is_module_of(PyObject *module, PyObject *path)
{
    PyObject *file = PyModule_GetFilenameObject(module);
    bool equal = file && PyUnicode_Compare(file, path) == 0;

    Py_XDECREF(file);
    PyErr_Clear();
    return equal;
}

/* Writes the name of the module of the file @path: letters, digits and underscores. */
static size_t make_name(const char *path, char *name, size_t size)
{
    size_t len = strlen(NAME_PREFIX);

    (void)snprintf(name, size, NAME_PREFIX "%s", path + 1);
    for (; name[len]; len++) {
        if (!isascii(name[len]) || !isalnum(name[len]))
            name[len] = '_';
    }
    return len;
}

/* The module of the file whose absolute path is @text, a new reference, or NULL with an exception
 * set. Two paths may make one name: a number is added then; files are fewer than numbers. */
static PyObject *find_or_run(const char *text)
{
    char name[sizeof(NAME_PREFIX) + MAX_PATH + 16] = "";
    size_t len = make_name(text, name, sizeof(name) - 16);
    PyObject *path = PyUnicode_DecodeFSDefault(text), *module = NULL;

    for (unsigned i = 2; path && !module; i++) {
        module = PyDict_GetItemString(PyImport_GetModuleDict(), name); /* borrowed */
        if (!module) {
            module = run_file(path, name);
            break;
        }
        Py_INCREF(module);
        if (!is_module_of(module, path))
            Py_CLEAR(module);
        (void)snprintf(name + len, sizeof(name) - len, "_%u", i);
    }
    Py_XDECREF(path);
    return module;
}

/* Writes the absolute path of the file @source, without resolving links: what a name means later is
 * not of interest to those who have loaded it. */
static int make_path(const char *source, char *path, size_t size, struct liege_error *err)
{
    char directory[PATH_MAX] = "";

    if (source[0] != '/' && !getcwd(directory, sizeof(directory))) {
        int r = -errno;

        return host_error(err, r, "%s: the working directory: %s", source, strerror(-r));
    }
    if (strncmp(source, "./", 2) == 0)
        source += 2;
    (void)snprintf(path, size, "%s%s%s", directory, directory[0] ? "/" : "", source);
    return 0;
}

/* The attribute "a.b.c" of @object, a new reference, or NULL with an exception set. */
static PyObject *get_path(PyObject *object, const char *path, size_t len)
{
    PyObject *text = PyUnicode_DecodeFSDefaultAndSize(path, (Py_ssize_t)len);
    PyObject *dot = PyUnicode_FromString(".");
    PyObject *names = text && dot ? PyUnicode_Split(text, dot, -1) : NULL;
    PyObject *found = names ? Py_NewRef(object) : NULL;

    for (Py_ssize_t i = 0; found && i < PyList_GET_SIZE(names); i++) {
        PyObject *next = PyObject_GetAttr(found, PyList_GET_ITEM(names, i));

        Py_SETREF(found, next);
    }
    Py_XDECREF(names);
    Py_XDECREF(dot);
    Py_XDECREF(text);
    return found;
}

/* Evaluates "factory(arguments)" in @module. */
static PyObject *call_factory(PyObject *module, const char *expression)
{
    PyObject *globals = PyModule_GetDict(module); /* borrowed */
    PyObject *code = Py_CompileString(expression, expression, Py_eval_input);
    PyObject *result = code ? PyEval_EvalCode(code, globals, globals) : NULL;

    Py_XDECREF(code);
    return result;
}

static int report_missing(PyObject *module, const char *what, struct liege_error *err)
{
    PyObject *file = PyModule_GetFilenameObject(module), *place = NULL;
    const char *name = PyModule_GetName(module);

    if (file)
        place = PyUnicode_EncodeFSDefault(file);
    PyErr_Clear();
    (void)host_error(err, 0, "%s%smodule %s has no %s", place ? PyBytes_AS_STRING(place) : "",
                     place ? ": " : "", name ? name : "?", what);
    Py_XDECREF(place);
    Py_XDECREF(file);
    return -ENOENT;
}

/* What @module has under one of the usual names. */
static int find_default(PyObject *module, PyObject **ret, struct liege_error *err)
{
    *ret = PyObject_GetAttrString(module, "application");
    if (!*ret && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
        *ret = PyObject_GetAttrString(module, "app");
    }
    if (*ret)
        return 0;
    return report_missing(module,
                          "attribute 'application', nor 'app'; if its name is another, say so: "
                          "module:NAME, or the option callable",
                          err);
}

/* What @expression, "a.b.c" or "factory(arguments)", is in @module. */
static int find_expression(PyObject *module, const char *expression, PyObject **ret,
                           struct liege_error *err)
{
    size_t len = strcspn(expression, "(");
    PyObject *found = get_path(module, expression, len);

    if (!found && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        char what[300] = "";

        PyErr_Clear();
        (void)snprintf(what, sizeof(what), "attribute '%.*s'", (int)(len < 200 ? len : 200),
                       expression);
        return report_missing(module, what, err);
    }
    if (found && expression[len] == '(')
        Py_SETREF(found, call_factory(module, expression));
    if (!found)
        return traceback_report("the application does not load", err);
    *ret = found;
    return 0;
}

/* Takes the application out of @module. */
static int find_callable(PyObject *module, const char *expression, PyObject **ret_app,
                         struct liege_error *err)
{
    const char *name = expression ? expression : "application";
    PyObject *app = NULL;
    int r;

    if (!PyModule_Check(module))
        return host_error(err, -EINVAL, "%s: what was imported is no module", name);
    r = expression ? find_expression(module, expression, &app, err)
                   : find_default(module, &app, err);
    if (r < 0)
        return r;
    if (!PyCallable_Check(app)) {
        const char *module_name = PyModule_GetName(module);

        r = host_error(err, -EINVAL, "module %s: '%s' is a %s, which cannot be called",
                       module_name ? module_name : "?", name, Py_TYPE(app)->tp_name);
        PyErr_Clear();
        Py_DECREF(app);
        return r;
    }
    *ret_app = app;
    return 0;
}

/* Where an application is. */
struct place {
    bool is_file;
    const char *callable; /* NULL: the usual names */
    char name[MAX_PATH];  /* of the module, or the absolute path of the file */
};

static int find_place(const struct python_conf *conf, const char *source, struct place *ret,
                      struct liege_error *err)
{
    const char *colon = NULL;

    if (!source && conf->module && conf->wsgi_file)
        return host_error(err, -EINVAL,
                          "module = %s and wsgi-file = %s both name the application: use one, or "
                          "mount",
                          conf->module, conf->wsgi_file);
    ret->callable = conf->callable;
    ret->is_file = source ? is_path(source) : conf->wsgi_file != NULL;
    if (!source)
        source = conf->wsgi_file ? conf->wsgi_file : conf->module;
    if (!source)
        return host_error(err, -EINVAL, "no application: neither module nor wsgi-file is set");
    if (ret->is_file)
        return make_path(source, ret->name, sizeof(ret->name), err);
    colon = strchr(source, ':');
    if (colon)
        ret->callable = colon + 1;
    (void)snprintf(ret->name, sizeof(ret->name), "%.*s",
                   (int)(colon ? colon - source : (ptrdiff_t)strlen(source)), source);
    return 0;
}

/* Says the same for the same application: bytes, or NULL with an exception set. */
static PyObject *make_key(const struct place *p)
{
    return PyBytes_FromFormat("%s:%s:%s", p->is_file ? "file" : "module", p->name,
                              p->callable ? p->callable : "");
}

/* The file of a spec of importlib, resolved; "" if there is none. */
static void get_origin(PyObject *spec, char *path)
{
    PyObject *origin = spec && spec != Py_None ? PyObject_GetAttrString(spec, "origin") : NULL;
    const char *text = origin && PyUnicode_Check(origin) ? PyUnicode_AsUTF8(origin) : NULL;

    if (!text || !realpath(text, path))
        path[0] = '\0';
    PyErr_Clear();
    Py_XDECREF(origin);
}

/* Whether the module @name that a base has imported is another one than sys.path leads to now. */
static int check_same_module(const char *name, struct liege_error *err)
{
    char top[MAX_PATH] = "", theirs[PATH_MAX] = "", ours[PATH_MAX] = "";
    PyObject *module = NULL, *machinery = NULL, *finder = NULL, *spec = NULL, *found = NULL;

    (void)snprintf(top, sizeof(top), "%.*s", (int)strcspn(name, "."), name);
    module = PyDict_GetItemString(PyImport_GetModuleDict(), top); /* borrowed */
    if (!module)
        return 0;
    spec = PyObject_GetAttrString(module, "__spec__");
    machinery = PyImport_ImportModule("importlib.machinery");
    finder = machinery ? PyObject_GetAttrString(machinery, "PathFinder") : NULL;
    found = finder ? PyObject_CallMethod(finder, "find_spec", "s", top) : NULL;
    get_origin(spec, theirs);
    get_origin(found, ours);
    Py_XDECREF(found);
    Py_XDECREF(finder);
    Py_XDECREF(machinery);
    Py_XDECREF(spec);
    PyErr_Clear();
    if (*theirs == '\0' || *ours == '\0' || strcmp(theirs, ours) == 0)
        return 0;
    return host_error(err, -EBUSY,
                      "module %s is %s here, but the base vassal has loaded %s under that name: "
                      "rename one, or have this vassal started without a base (vassal-fork-base)",
                      top, ours, theirs);
}

static int load_place(const struct place *p, PyObject **ret_app, struct liege_error *err)
{
    PyObject *module = NULL;
    int r;

    interp_unsettle();
    module = p->is_file ? find_or_run(p->name) : PyImport_ImportModule(p->name);
    if (!module)
        return traceback_report("the application does not load", err);
    r = find_callable(module, p->callable, ret_app, err);
    Py_DECREF(module);
    return r;
}

/* As load_place(), or what is known of that place; what is new goes to @to. */
static int take_or_load(const struct place *p, PyObject *key, PyObject *to, PyObject **ret_app,
                        struct liege_error *err)
{
    PyObject *app = PyDict_GetItemWithError(known, key); /* borrowed */
    int r = 0;

    if (app)
        *ret_app = Py_NewRef(app);
    else
        r = load_place(p, ret_app, err);
    if (r == 0 && !app && PyDict_SetItem(to, key, *ret_app) < 0)
        return traceback_report("the application does not load", err);
    return r;
}

static int load(const struct python_conf *conf, const char *source, PyObject *to,
                PyObject **ret_app, struct liege_error *err)
{
    struct place p = {.is_file = false};
    PyObject *key = NULL;
    int r = find_place(conf, source, &p, err);

    if (r == 0 && adopted && !p.is_file)
        r = check_same_module(p.name, err);
    if (r < 0)
        return r;
    key = make_key(&p);
    if (!key)
        return traceback_report("the application does not load", err);
    r = take_or_load(&p, key, to, ret_app, err);
    Py_DECREF(key);
    return r;
}

int loader_init(void)
{
    known = PyDict_New();
    loaded = PyDict_New();
    return known && loaded ? 0 : -1;
}

int loader_load(const struct python_conf *conf, const char *source, PyObject **ret_app,
                struct liege_error *err)
{
    return load(conf, source, loaded, ret_app, err);
}

int loader_load_early(const struct python_conf *conf, const char *source, PyObject **ret_app,
                      struct liege_error *err)
{
    return load(conf, source, known, ret_app, err);
}

int loader_adopt(void)
{
    int r = PyDict_Update(known, loaded);

    PyDict_Clear(loaded);
    adopted = true;
    return r;
}
