# SPDX-License-Identifier: MIT
"""What a queue can and cannot help: from the trace of a run, how long requests waited, how long they
would have waited in one ideal queue before the same number of servers, and how long any of them
waited while a server had nothing to do."""
import collections
import heapq


def waits(rows):
    """Microseconds from each request's scheduled time to the application's call."""
    return [r.began - r.scheduled for r in rows]


def ideal_waits(rows, n_servers):
    """The same in an ideal queue: first come first served by @n_servers servers, at the same
    arrivals and with the same times of service, and no cost of its own."""
    free = [0] * n_servers
    found = []
    for r in sorted(rows, key=lambda r: r.scheduled):
        began = max(r.scheduled, heapq.heappop(free))
        heapq.heappush(free, began + r.ended - r.began)
        found.append(began - r.scheduled)
    return found


def _idle_intervals(rows, n_servers):
    """[(from, to)]: times at which fewer than @n_servers processes were in the application."""
    changes = collections.Counter()
    for begin, end in _busy_intervals(rows):
        changes[begin] += 1
        changes[end] -= 1
    busy, since, found = 0, float("-inf"), []
    for at in sorted(changes):
        was_idle = busy < n_servers
        busy += changes[at]
        if was_idle and busy >= n_servers:
            found.append((since, at))
        elif not was_idle and busy < n_servers:
            since = at
    if busy < n_servers:
        found.append((since, float("inf")))
    return found


def _busy_intervals(rows):
    """The times of each process in the application, overlapping ones merged."""
    by_pid = collections.defaultdict(list)
    for r in rows:
        by_pid[r.pid].append((r.began, r.ended))
    for times in by_pid.values():
        times.sort()
        begin, end = times[0]
        for b, e in times[1:]:
            if b > end:
                yield begin, end
                begin, end = b, e
            end = max(end, e)
        yield begin, end


def longest_wait_beside_idle(rows, n_servers, since=float("-inf")):
    """The longest uninterrupted time, in microseconds, that some request (of those that were scheduled
    from @since on) waited while a process had nothing to do. It waits from the time at which it was
    sent: before that it waited for a client."""
    idle = _idle_intervals(rows, n_servers)
    longest, first = 0, 0
    for r in sorted((r for r in rows if r.scheduled >= since), key=lambda r: r.sent):
        while first < len(idle) and idle[first][1] <= r.sent:
            first += 1
        for begin, end in idle[first:]:
            if begin >= r.began:
                break
            longest = max(longest, min(end, r.began) - max(begin, r.sent))
    return longest
