# SPDX-License-Identifier: MIT
"""The end of an Emperor with many vassals, some of which do not obey: when all are gone, and whom it
sends signals to meanwhile."""
import os
import re
import signal
import time

import pytest

from harness import proc
from harness.foreign import became, said
from harness.strace import traced

VASSALS, TOLERANCE = 60, 1
SIGNALS = "kill,tkill,tgkill,pidfd_send_signal,rt_sigqueueinfo"
REAPS = "wait4,waitid"


@pytest.fixture
def realm(govern, vassals):
    """An Emperor with sixty vassals: one is deaf, two are stopped by a signal and the others obey.
    -> (server, {pid: name}, the pids of those three)"""
    for n in range(VASSALS):
        vassals.write(f"{n}.ini", "loyal\ndeaf\n" if n == 0 else "loyal\n")
    server = govern("--emperor-curse-tolerance", TOLERANCE)
    pids = {}
    for n in range(VASSALS):
        pids[said(server, f"{n}.ini", "started")["pid"]] = f"{n}.ini"
        became(server, f"{n}.ini", "ready")
    stuck = [pid for pid, name in pids.items() if name in ("0.ini", "1.ini", "2.ini")]
    for pid in stuck[1:]:
        os.kill(pid, signal.SIGSTOP)
    return server, pids, stuck


@pytest.mark.plain
def test_all_end_and_only_who_is_stuck_is_killed(realm):
    server, pids, stuck = realm
    assert server.stop(signal.SIGTERM) == 0
    assert not proc.wait_gone(pids, timeout=0)
    ends = server.log.find(r"vassal .*: stopping -> gone, ")
    killed = {int(re.search(r"process (\d+)", line)[1]) for line in ends if "signal 9" in line}
    assert len(ends) == VASSALS and killed == set(stuck)


@pytest.mark.only_plain  # sanitizers are slow
def test_all_are_gone_a_moment_after_the_tolerance(realm):
    server, pids, _ = realm
    began = time.monotonic()
    server.stop(signal.SIGTERM)
    assert not proc.wait_gone(pids, timeout=0)
    assert TOLERANCE <= time.monotonic() - began <= TOLERANCE + 1


@pytest.mark.only_plain  # the leak sanitizer cannot be traced
def test_no_signal_goes_to_a_process_that_is_not_a_vassal_any_more(realm, folder):
    """A number that was reaped may be another process's."""
    server, pids, stuck = realm
    trace = folder / "trace"
    with traced(server.pid, trace, "-e", f"trace={SIGNALS},{REAPS}", "-e", "signal=none"):
        server.stop(signal.SIGTERM)
    reaped, signalled = set(), set()
    for line in trace.read_text().splitlines():
        if line.startswith(("waitid(", "wait4(")):
            if "WNOWAIT" not in line:
                reaped.update(int(pid) for pid in re.findall(r"si_pid=(\d+)", line))
        elif target := re.match(r"kill\((-?\d+),", line):
            assert -int(target[1]) in pids.keys() - reaped, line
            signalled.add(-int(target[1]))
        else:  # a pidfd means one process for ever
            assert re.match(r"pidfd_send_signal\(|---|\+\+\+|strace:", line), line
    assert reaped == set(pids) and signalled >= set(stuck)
