/* SPDX-License-Identifier: MIT */

/* faulthandler writes the stacks when a signal comes, to the file that it was told once. That file
 * is in memory; dump() makes the signal come to its own thread, and copies what was written. */

#include <Python.h>

#include "stacks.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STACKS_SIGNAL (SIGRTMAX - 2)

static int stacks_fd = -1;
static PyObject *register_method, *unregister_method; /* of faulthandler */

int stacks_prepare(void)
{
    PyObject *module = PyImport_ImportModule("faulthandler");

    register_method = module ? PyObject_GetAttrString(module, "register") : NULL;
    unregister_method = module ? PyObject_GetAttrString(module, "unregister") : NULL;
    Py_XDECREF(module);
    return register_method && unregister_method ? 0 : -1;
}

int stacks_start(void)
{
    PyObject *args, *kwargs, *result = NULL;

    if (stacks_fd >= 0)
        (void)close(stacks_fd); /* of the worker that this process is a copy of */
    stacks_fd = memfd_create("python-stacks", MFD_CLOEXEC);
    if (stacks_fd < 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    /* What it had registered in the process that this one is a copy of has another file. */
    Py_XDECREF(PyObject_CallFunction(unregister_method, "i", STACKS_SIGNAL));
    PyErr_Clear();
    args = Py_BuildValue("(i)", STACKS_SIGNAL);
    kwargs = Py_BuildValue("{s:i,s:O}", "file", stacks_fd, "all_threads", Py_True);
    if (args && kwargs)
        result = PyObject_Call(register_method, args, kwargs);
    Py_XDECREF(kwargs);
    Py_XDECREF(args);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

void stacks_dump(int fd)
{
    char text[4096];
    sigset_t one;
    off_t at = 0;

    if (stacks_fd < 0 || ftruncate(stacks_fd, 0) < 0 || lseek(stacks_fd, 0, SEEK_SET) < 0)
        return;
    (void)sigemptyset(&one);
    (void)sigaddset(&one, STACKS_SIGNAL);
    (void)pthread_sigmask(SIG_UNBLOCK, &one, NULL);
    /* Not raise(3), which does not know a thread that was made without the C library. The handler
     * has run when this returns. */
    (void)syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), STACKS_SIGNAL);
    for (ssize_t n; (n = pread(stacks_fd, text, sizeof(text), at)) > 0; at += n)
        if (write(fd, text, (size_t)n) < 0)
            return;
}
