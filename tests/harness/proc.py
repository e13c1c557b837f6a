# SPDX-License-Identifier: MIT
"""Processes seen from outside: the tree below one, their ends, descriptors, memory and CPU time."""
import ctypes
import os
import pathlib
import re
import select
import signal
import socket
import time

from .programs import PATIENCE

PR_SET_CHILD_SUBREAPER = 36
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def adopt_orphans():
    """From now on orphaned descendants become children of this process, so that none is missed."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def _stat(pid):
    """The fields of /proc/PID/stat after the name, "state" first; None if there is no such process."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()


def state(pid):
    """One letter as in ps(1), or None."""
    fields = _stat(pid)
    return fields[0] if fields else None


def parent(pid):
    fields = _stat(pid)
    return int(fields[1]) if fields else None


def alive(pid):
    return state(pid) not in (None, "Z", "X")


def _parents():
    return {int(p): parent(int(p)) for p in os.listdir("/proc") if p.isdigit()}


def name(pid):
    """As in ps(1) -o comm, or None."""
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().rstrip("\n")
    except (FileNotFoundError, ProcessLookupError):
        return None


def keepers(pid):
    """The keepers of a master's workers: its other children are what a user counts."""
    return sorted(p for p, pp in _parents().items() if pp == pid and name(p) == "liege-keeper"
                  and alive(p))


def wait_keepers(pid, n, timeout=PATIENCE):
    """Waits until the workers of the master @pid have @n keepers."""
    deadline = time.monotonic() + timeout
    while len(found := keepers(pid)) != n:
        assert time.monotonic() < deadline, f"keepers: {found}"
        os.sched_yield()
    return found


def children(pid):
    """All but keepers."""
    return sorted(p for p, pp in _parents().items()
                  if pp == pid and name(p) != "liege-keeper" and alive(p))


def all_children(pid):
    """Those that have ended and are not reaped as well."""
    return {p for p, pp in _parents().items() if pp == pid}


def descendants(pid):
    """All processes below @pid, parents before their children; zombies are not counted."""
    parents = _parents()
    found = [pid]
    for p in found:
        found += sorted(c for c, pp in parents.items() if pp == p)
    return [p for p in found[1:] if alive(p)]


def command_line(pid):
    try:
        raw = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return raw.rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")


def wait_title(pid, title, timeout=PATIENCE):
    """Waits until the process has this title or command line."""
    deadline = time.monotonic() + timeout
    while (found := command_line(pid)) != title:
        assert time.monotonic() < deadline, f"the title is {found!r}"
        os.sched_yield()


def wait_titles(parent, titles, timeout=PATIENCE):
    """Waits until these are the titles of all children of @parent, in alphabetical order."""
    deadline = time.monotonic() + timeout
    while (found := sorted(filter(None, map(command_line, children(parent))))) != titles:
        assert time.monotonic() < deadline, f"the titles are {found}"
        os.sched_yield()


def status(pid, field):
    """A line of /proc/PID/status: status(pid, "Uid") -> ["0", "0", "0", "0"]."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return value.split()
    raise KeyError(field)


def environ(pid):
    raw = pathlib.Path(f"/proc/{pid}/environ").read_bytes().decode(errors="surrogateescape")
    return dict(v.split("=", 1) for v in raw.split("\0") if "=" in v)


def _names_keeper(pid, fd):
    """Whether the descriptor is the pidfd of a keeper."""
    text = pathlib.Path(f"/proc/{pid}/fdinfo/{fd}").read_text()
    return name(int(re.search(r"^Pid:\s*(-?\d+)", text, re.MULTILINE)[1])) == "liege-keeper"


def descriptors(pid):
    """{number: what it is}, as readlink shows it; but for those by which a master knows keepers,
    which come and go with connections."""
    found = {}
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            what = os.readlink(f"/proc/{pid}/fd/{number}")
            if what != "anon_inode:[pidfd]" or not _names_keeper(pid, number):
                found[int(number)] = what
        except FileNotFoundError:
            continue
    return found


def sockets(pid):
    """The inodes of its sockets."""
    return {int(what[8:-1]) for what in descriptors(pid).values() if what.startswith("socket:[")}


def _address(text, family):
    host, port = text.split(":")
    raw = b"".join(bytes.fromhex(host[i:i + 8])[::-1] for i in range(0, len(host), 8))
    return socket.inet_ntop(family, raw), int(port, 16)


def listening(pid):
    """The addresses that it listens on with TCP: {(host, port): inode of the socket}."""
    mine, found = sockets(pid), {}
    for name, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in pathlib.Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and int(fields[9]) in mine:
                found[_address(fields[1], family)] = int(fields[9])
    return found


def memory(pid):
    """{"Pss": bytes, "Rss": bytes, ...} of /proc/PID/smaps_rollup."""
    found = {}
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, value, _ = line.split()
        found[name.rstrip(":")] = int(value) * 1024
    return found


def is_mergeable(pid):
    """Whether the kernel may merge memory that @pid has written to: "mg" of /proc/PID/smaps."""
    return any(line.startswith("VmFlags:") and "mg" in line.split()
               for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines())


def wait_private_memory(pid, n_bytes, timeout=PATIENCE):
    """Waits until @pid has no more than @n_bytes of memory that no other process has."""
    deadline = time.monotonic() + timeout
    while True:
        used = memory(pid)
        if used["Private_Dirty"] + used["Private_Clean"] <= n_bytes:
            return
        assert time.monotonic() < deadline, used
        os.sched_yield()


def cpu_seconds(pids):
    """User and system time of the processes @pids so far, in all."""
    return sum(int(f[11]) + int(f[12]) for f in map(_stat, pids) if f) / TICKS_PER_SECOND


def own_nanoseconds(pid):
    """Time that the threads of @pid have spent on a CPU, as the scheduler counts it."""
    return sum(int(path.read_text().split()[0])
               for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"))


def run_nanoseconds(pids):
    """The same of all of @pids, and what their ended children have, in clock ticks."""
    total = 0
    for pid in pids:
        total += own_nanoseconds(pid)
        if fields := _stat(pid):
            total += (int(fields[13]) + int(fields[14])) * 1_000_000_000 // TICKS_PER_SECOND
    return total


def context_switches(pid):
    """How often the process has gone to sleep by itself: an idle one does not wake at all."""
    return int(status(pid, "voluntary_ctxt_switches")[0])


def wait_gone(pids, timeout=PATIENCE):
    """Waits until all of @pids have ended. Returns those that have not after @timeout seconds."""
    deadline = time.monotonic() + timeout
    left = []
    for pid in pids:
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            poll = select.poll()
            poll.register(fd, select.POLLIN)
            if not poll.poll(max(0, deadline - time.monotonic()) * 1000):
                left.append(pid)
        finally:
            os.close(fd)
    return left


def _wait_any_gone(pids, deadline):
    """Waits until one of @pids has ended, or until @deadline."""
    poll, fds = select.poll(), []
    try:
        for pid in pids:
            fds.append(os.pidfd_open(pid))
            poll.register(fds[-1], select.POLLIN)
        poll.poll(max(0, deadline - time.monotonic()) * 1000)
    except ProcessLookupError:
        pass  # it has ended
    finally:
        for fd in fds:
            os.close(fd)


def wait_children(pid, n, timeout=PATIENCE):
    """Waits until @pid has no more than @n children: those that have been told to end have."""
    deadline = time.monotonic() + timeout
    while len(found := children(pid)) > n:
        _wait_any_gone(found, deadline)
        assert time.monotonic() < deadline, f"still there: {list(map(command_line, found))}"
    return found


def kill_all(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    return wait_gone(pids)


def reap_adopted(known):
    """Reaps what has ended of this process's children but for @known. Returns those still alive."""
    left = []
    me = os.getpid()
    for pid in [p for p, pp in _parents().items() if pp == me and p not in known]:
        try:
            if os.waitpid(pid, os.WNOHANG)[0] == 0:
                left.append(pid)
        except ChildProcessError:
            continue
    return left
