/* SPDX-License-Identifier: MIT */
#pragma once

#include <Python.h>

#include <stdbool.h>

/* A few objects of one type that wait for their next request. An object goes back only when nobody
 * else holds it, so that one which the application kept is never another request's. Needs the
 * GIL. */
#define POOL_SIZE 16

struct pool {
    PyObject *objects[POOL_SIZE];
    size_t n_objects;
};

/* A reference to an object from the pool, or NULL when it is empty. */
static inline PyObject *pool_take(struct pool *p)
{
    return p->n_objects > 0 ? p->objects[--p->n_objects] : NULL;
}

/* Gives up the reference to @object, which goes to the pool if it was the last one. */
static inline void pool_give(struct pool *p, PyObject *object)
{
    if (Py_REFCNT(object) == 1 && p->n_objects < POOL_SIZE)
        p->objects[p->n_objects++] = object;
    else
        Py_DECREF(object);
}
