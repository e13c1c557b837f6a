/* SPDX-License-Identifier: MIT */

/* The environ of a request (PEP 3333, "environ Variables"). This is on the path of each request, so
 * as little as possible is made anew. A thread has a template: the environ of its last request
 * without the header fields. What differs in the new request (the path, the client's port, seldom
 * the method) is replaced there, then the template is copied and the fields are added. Keys are
 * made once; values of fields that are mostly the same from request to request (Host, User-Agent,
 * Accept) are kept and used again when the bytes are equal. A header without an id finds its key in
 * a table of fixed size, as its name is the client's choice. Strings are ISO 8859-1 decoded: each
 * character is a byte of the request. */

#include "environ.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host.h"

#define MAX_KEPT_VALUE  256 /* bytes; longer ones are made anew */
#define N_NAMES         128 /* cached header names without an id; a power of 2 */
#define MAX_CACHED_NAME 120
#define KEY_PREFIX_LEN  5 /* of "HTTP_" */

/* The variables that each request has. */
/* clang-format off */
static const struct variable {
    const char *key;
    size_t offset; /* of its struct liege_str in struct liege_request */
} variables[] = {
    { "REQUEST_METHOD",  offsetof(struct liege_request, method) },
    { "REQUEST_URI",     offsetof(struct liege_request, target) },
    { "SCRIPT_NAME",     offsetof(struct liege_request, script_name) },
    { "PATH_INFO",       offsetof(struct liege_request, path) },
    { "QUERY_STRING",    offsetof(struct liege_request, query) },
    { "SERVER_PROTOCOL", offsetof(struct liege_request, protocol) },
    { "SERVER_NAME",     offsetof(struct liege_request, server_name) },
    { "SERVER_PORT",     offsetof(struct liege_request, server_port) },
    { "REMOTE_ADDR",     offsetof(struct liege_request, remote_addr) },
    { "REMOTE_PORT",     offsetof(struct liege_request, remote_port) },
    { "wsgi.url_scheme", offsetof(struct liege_request, scheme) },
};

static const char *const field_key_names[LIEGE_FIELD_COUNT] = {
#define FIELD_KEY(id, name, key) [LIEGE_FIELD_##id] = key,
    LIEGE_FIELDS(FIELD_KEY)
#undef FIELD_KEY
};
/* clang-format on */

#define N_VARIABLES (sizeof(variables) / sizeof(variables[0]))

/* Made by environ_init(); only environ_adopt() changes some of it afterwards. */
static struct {
    PyObject *variables[N_VARIABLES];
    PyObject *fields[LIEGE_FIELD_COUNT];
    PyObject *input, *https;
} keys;
static PyObject *on;        /* "on" */
static PyObject *constants; /* dict: what is the same in each environ */

/* What a thread keeps from one request to the next. */
struct cache {
    PyObject *template;
    PyObject *variables[N_VARIABLES];    /* their values in the template */
    PyObject *fields[LIEGE_FIELD_COUNT]; /* last value of each; NULL: none is kept */
    PyObject *names[N_NAMES];            /* "HTTP_X_...", by hash; NULL: a free place */
};

static _Thread_local struct cache *cache_of_thread;

static PyObject *decode(const struct liege_str *s)
{
    return PyUnicode_DecodeLatin1(s->len > 0 ? s->data : "", (Py_ssize_t)s->len, NULL);
}

/* True if the str @text, of bytes only or NULL, is @s. */
static bool is_equal(PyObject *text, const struct liege_str *s)
{
    return text && (size_t)PyUnicode_GET_LENGTH(text) == s->len &&
           (s->len == 0 || memcmp(PyUnicode_1BYTE_DATA(text), s->data, s->len) == 0);
}

/* The str of @s, a new reference: *@kept if it is equal, else a new one, which is kept there unless
 * it is long. */
static PyObject *decode_kept(PyObject **kept, const struct liege_str *s)
{
    PyObject *text = NULL;

    if (is_equal(*kept, s))
        return Py_NewRef(*kept);
    text = decode(s);
    if (text && s->len <= MAX_KEPT_VALUE)
        Py_XSETREF(*kept, Py_NewRef(text));
    return text;
}

/* Stores @value and takes the reference, also on failure. */
static int set_item(PyObject *dict, PyObject *key, PyObject *value)
{
    int r = value ? PyDict_SetItem(dict, key, value) : -1;

    Py_XDECREF(value);
    return r;
}

static int set_constant(const char *key, PyObject *value)
{
    int r = value ? PyDict_SetItemString(constants, key, value) : -1;

    Py_XDECREF(value);
    return r;
}

/* Those that tell of the instance and the machine. */
static int set_host_constants(void)
{
    char hostname[256] = "";

    (void)gethostname(hostname, sizeof(hostname) - 1);
    if (set_constant("wsgi.multithread", PyBool_FromLong(python_host->multithread)) < 0 ||
        set_constant("wsgi.multiprocess", PyBool_FromLong(python_host->multiprocess)) < 0 ||
        set_constant("uwsgi.node", PyBytes_FromString(hostname)) < 0)
        return -1;
    return 0;
}

static int make_constants(PyObject *errors, PyObject *file_wrapper)
{
    constants = PyDict_New();
    if (!constants || set_constant("wsgi.version", Py_BuildValue("(ii)", 1, 0)) < 0 ||
        set_constant("wsgi.errors", Py_NewRef(errors)) < 0 ||
        set_constant("wsgi.run_once", Py_NewRef(Py_False)) < 0 ||
        set_constant("wsgi.file_wrapper", Py_NewRef(file_wrapper)) < 0 ||
        set_constant("wsgi.input_terminated", Py_NewRef(Py_True)) < 0 ||
        set_constant("wsgi.input", Py_NewRef(Py_None)) < 0 || /* replaced in each environ */
        set_constant("SERVER_SOFTWARE", PyUnicode_FromFormat("liege/%s", python_host->version)) <
            0 ||
        set_constant("uwsgi.version", PyBytes_FromString(python_host->version)) < 0)
        return -1;
    return set_host_constants();
}

int environ_init(PyObject *errors, PyObject *file_wrapper)
{
    for (size_t i = 0; i < N_VARIABLES; i++) {
        keys.variables[i] = PyUnicode_InternFromString(variables[i].key);
        if (!keys.variables[i])
            return -1;
    }
    for (size_t i = 0; i < LIEGE_FIELD_COUNT; i++) {
        if (!field_key_names[i])
            continue;
        keys.fields[i] = PyUnicode_InternFromString(field_key_names[i]);
        if (!keys.fields[i])
            return -1;
    }
    keys.input = PyUnicode_InternFromString("wsgi.input");
    keys.https = PyUnicode_InternFromString("HTTPS");
    on = PyUnicode_InternFromString("on");
    if (!keys.input || !keys.https || !on)
        return -1;
    return make_constants(errors, file_wrapper);
}

/* The cache of this thread, which lives as long as the process: threads that serve do, too. NULL
 * with an exception set. */
static struct cache *get_cache(void)
{
    struct cache *c = cache_of_thread;

    if (c)
        return c;
    c = PyMem_Calloc(1, sizeof(*c));
    if (!c) {
        PyErr_NoMemory();
        return NULL;
    }
    c->template = PyDict_Copy(constants);
    if (!c->template) {
        PyMem_Free(c);
        return NULL;
    }
    cache_of_thread = c;
    return c;
}

int environ_adopt(void)
{
    struct cache *c = cache_of_thread; /* other threads have not come along */

    cache_of_thread = NULL;
    if (c) {
        Py_DECREF(c->template);
        for (size_t i = 0; i < N_VARIABLES; i++)
            Py_XDECREF(c->variables[i]);
        for (size_t i = 0; i < LIEGE_FIELD_COUNT; i++)
            Py_XDECREF(c->fields[i]);
        for (size_t i = 0; i < N_NAMES; i++)
            Py_XDECREF(c->names[i]);
        PyMem_Free(c);
    }
    return set_host_constants();
}

/* Makes the template that of @req. */
static int update_template(struct cache *c, const struct liege_request *req)
{
    for (size_t i = 0; i < N_VARIABLES; i++) {
        const void *member = (const char *)req + variables[i].offset;
        const struct liege_str *s = member;
        PyObject *value = NULL;

        if (is_equal(c->variables[i], s))
            continue;
        value = decode(s);
        if (!value || PyDict_SetItem(c->template, keys.variables[i], value) < 0) {
            Py_XDECREF(value);
            return -1;
        }
        Py_XSETREF(c->variables[i], value);
    }
    return 0;
}

/* Writes "HTTP_X_NAME" for the header @name to @key, which has room for it. Returns a hash of it.
 */
static uint32_t make_key(const struct liege_str *name, char *key)
{
    static const char prefix[KEY_PREFIX_LEN] = {'H', 'T', 'T', 'P', '_'};
    uint32_t hash = 2166136261U; /* FNV-1a */

    memcpy(key, prefix, sizeof(prefix));
    for (size_t i = 0; i < name->len; i++) {
        char c = name->data[i];

        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        else if (c == '-')
            c = '_';
        key[KEY_PREFIX_LEN + i] = c;
        hash = (hash ^ (unsigned char)c) * 16777619U;
    }
    return hash;
}

/* Adds a field with a name too long for the table. */
static int add_long_name(PyObject *env, const struct liege_field *f)
{
    char *text = PyMem_Malloc(f->name.len + KEY_PREFIX_LEN);
    PyObject *key = NULL;
    int r;

    if (!text) {
        PyErr_NoMemory();
        return -1;
    }
    (void)make_key(&f->name, text);
    key = PyUnicode_DecodeLatin1(text, (Py_ssize_t)f->name.len + KEY_PREFIX_LEN, NULL);
    PyMem_Free(text);
    r = key ? set_item(env, key, decode(&f->value)) : -1;
    Py_XDECREF(key);
    return r;
}

/* Adds a field without an id. Its key is not interned: interned strings may live for ever, and
 * clients could make up names without end. Its value is not kept: it may be a secret. */
static int add_other(struct cache *c, PyObject *env, const struct liege_field *f)
{
    char text[MAX_CACHED_NAME + KEY_PREFIX_LEN];
    struct liege_str key = {.data = text, .len = f->name.len + KEY_PREFIX_LEN};
    PyObject **slot = NULL;

    if (f->name.len > MAX_CACHED_NAME)
        return add_long_name(env, f);
    slot = &c->names[make_key(&f->name, text) & (N_NAMES - 1)];
    if (!is_equal(*slot, &key)) {
        PyObject *fresh = decode(&key);

        if (!fresh)
            return -1;
        Py_XSETREF(*slot, fresh);
    }
    return set_item(env, *slot, decode(&f->value));
}

static int add_fields(struct cache *c, PyObject *env, const struct liege_request *req)
{
    for (size_t i = 0; i < req->n_fields; i++) {
        const struct liege_field *f = &req->fields[i];
        int r;

        switch (f->id) {
        case LIEGE_FIELD_OTHER:
            r = add_other(c, env, f);
            break;
        case LIEGE_FIELD_COOKIE: /* secrets are not kept */
        case LIEGE_FIELD_AUTHORIZATION:
            r = set_item(env, keys.fields[f->id], decode(&f->value));
            break;
        default:
            r = set_item(env, keys.fields[f->id], decode_kept(&c->fields[f->id], &f->value));
            break;
        }
        if (r < 0)
            return -1;
    }
    return 0;
}

/* Adds the web server's variables; what is in @env already stays. As with header fields, keys are
 * not interned and values not kept. */
static int add_vars(PyObject *env, const struct liege_request *req)
{
    for (size_t i = 0; i < req->n_vars; i++) {
        const struct liege_var *v = &req->vars[req->n_vars - 1 - i]; /* of equal ones the last */
        PyObject *key = decode(&v->name), *value = decode(&v->value);
        bool good = key && value && PyDict_SetDefault(env, key, value);

        Py_XDECREF(key);
        Py_XDECREF(value);
        if (!good)
            return -1;
    }
    return 0;
}

static int add_body_length(PyObject *env, uint64_t length)
{
    char digits[24] = "";
    int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)length);
    struct liege_str text = {.data = digits, .len = (size_t)len};

    return set_item(env, keys.fields[LIEGE_FIELD_CONTENT_LENGTH], decode(&text));
}

static int fill(struct cache *c, PyObject *env, const struct liege_request *req, PyObject *input)
{
    static const struct liege_str https = {.data = "https", .len = 5};

    if (PyDict_SetItem(env, keys.input, input) < 0)
        return -1;
    if (req->has_body && add_body_length(env, req->body_length) < 0)
        return -1;
    if (req->scheme.len == https.len && memcmp(req->scheme.data, https.data, https.len) == 0 &&
        PyDict_SetItem(env, keys.https, on) < 0)
        return -1;
    if (add_fields(c, env, req) < 0)
        return -1;
    return add_vars(env, req);
}

PyObject *environ_new(const struct liege_request *req, PyObject *input)
{
    struct cache *c = get_cache();
    PyObject *env = NULL;

    if (!c || update_template(c, req) < 0)
        return NULL;
    env = PyDict_Copy(c->template);
    if (env && fill(c, env, req, input) < 0)
        Py_CLEAR(env);
    return env;
}
