# SPDX-License-Identifier: MIT
"""When an Emperor starts what: many vassals at once, vassals that die, and vassals that do not say
what they have to."""
import os
import signal

from harness import proc, stats
from harness.foreign import became, said, start_one


def test_many_vassals_start_a_few_at_a_time(govern, vassals):
    """Those that are ready make room for others; those that never say so for no longer than a while."""
    for i in range(6):
        vassals.write(f"{i}.ini", "unready\nstate loading\n" if i < 2 else "loyal\n")
    server = govern("--emperor-spawn-parallel", 2)
    for i in range(6):
        said(server, f"{i}.ini", "started")
    at_once = most = 0
    for line in server.log.find(r"vassal \d\.ini: "):
        at_once += "-> starting" in line
        at_once -= "starting -> ready" in line
        most = max(most, at_once)
    assert most <= 4  # the two that never get ready, and two


def test_all_are_reloaded_a_few_at_a_time(govern, vassals):
    server = govern("--emperor-spawn-parallel", 1)
    for i in range(3):
        start_one(server, vassals, f"{i}.ini")
    after = server.log.mark()
    server.kill(signal.SIGHUP)
    for i in range(3):
        said(server, f"{i}.ini", "reloaded", after=after)
        became(server, f"{i}.ini", "ready", after=after)
    steps = [line.rsplit(" -> ", 1)[1].split(",")[0]
             for line in server.log.find(r"\[emperor\] vassal \d", after=after)]
    assert steps.count("outdated") == 2
    assert [s for s in steps if s != "outdated"] == ["reloading", "ready"] * 3


def test_a_change_of_one_does_not_wait_for_the_others(govern, vassals):
    server = govern("--emperor-spawn-parallel", 1)
    start_one(server, vassals, "a.ini")
    vassals.write("b.ini", "unready\nstate loading\n")
    said(server, "b.ini", "started")
    vassals.touch("a.ini")
    said(server, "a.ini", "reloaded")


def test_vassals_that_die_together_are_started_one_after_the_other(govern, vassals):
    server = govern("--emperor-throttle", 300)
    pids = [start_one(server, vassals, f"{i}.ini")["pid"] for i in range(3)]
    after = server.log.mark()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    for i in range(3):
        became(server, f"{i}.ini", "starting", after=after)
    waits = [line.rsplit(" in ", 1)[1] for line in server.log.find("-> waiting", after=after)]
    assert waits == ["0.3 s", "0.6 s"]
    became(server, "2.ini", "ready", after=after)
    server.kill(signal.SIGURG)  # forgives the throttle as well
    server.kill(signal.SIGUSR1)
    after = server.log.mark()
    server.wait_line("2.ini: ready for", after=after)
    os.kill(stats.vassal(server.stats, "2.ini")["pid"], signal.SIGKILL)
    became(server, "2.ini", "starting", after=after)
    assert server.log.find("-> waiting", after=after) == []


def test_new_vassals_may_be_throttled_too(govern, vassals):
    for i in range(3):
        vassals.write(f"{i}.ini", "loyal\n")
    server = govern("--emperor-throttle", 200, "--emperor-throttle-new")
    for i in range(3):
        became(server, f"{i}.ini", "ready")
    assert len(server.log.find("new -> waiting")) == 2


def test_without_a_blacklist_an_early_death_is_no_worse_than_another(govern, vassals):
    server = govern("--emperor-no-blacklist", "--emperor-throttle", 100)
    vassals.write("a.ini", "exit 1\n")
    became(server, "a.ini", "waiting", count=3)
    assert server.log.find("backoff") == []


def test_a_vassal_that_was_never_asked_for_anything_is_no_bad_one(govern, vassals):
    """It was ready for some seconds when it dies: it is started again at once."""
    server = govern()
    start_one(server, vassals, text="live 3.1\n")
    assert "killed" in became(server, "a.ini", "starting", count=2)
    assert server.log.find("backoff") == []


def test_no_heartbeat_is_a_reload_and_then_the_end(govern, vassals):
    server = govern("--emperor-required-heartbeat", "0.4")
    pid = start_one(server, vassals, text="loyal\nbeats 2\nkept nothing\n")["pid"]
    assert "no heartbeat" in became(server, "a.ini", "reloading")
    became(server, "a.ini", "ready", count=2)  # and a second heartbeat, the last one
    became(server, "a.ini", "reloading", count=2)
    assert proc.alive(pid)


def test_after_a_reload_heartbeats_are_expected_from_the_first_one_on(govern, vassals):
    """A configuration that no longer has them would be reloaded for ever."""
    server = govern("--emperor-required-heartbeat", "0.2")
    pid = start_one(server, vassals, text="loyal\nbeats 1\n")["pid"]
    became(server, "a.ini", "ready", count=2)
    start_one(server, vassals, "b.ini", "loyal\nbeats 1\n")  # as long again, and longer
    became(server, "b.ini", "ready", count=2)
    assert len(server.log.find("a.ini: ready -> reloading")) == 1
    assert proc.alive(pid)


def test_a_vassal_that_does_not_answer_is_asked_where_it_hangs_and_killed(govern, vassals):
    server = govern("--emperor-required-heartbeat", "0.3")
    pid = start_one(server, vassals, text="loyal\nbeats 1\n")["pid"]
    said(server, "a.ini", "beat")
    os.kill(pid, signal.SIGSTOP)
    assert "no heartbeat" in became(server, "a.ini", "reloading")
    assert "no heartbeat" in became(server, "a.ini", "lost")
    server.wait_line(rf"process {pid}, whose state is T, is asked where it hangs")
    assert "killed by signal 9" in became(server, "a.ini", "starting", count=2)


def test_who_sends_none_is_not_asked_for_heartbeats(govern, vassals):
    server = govern("--emperor-required-heartbeat", "0.1")
    start_one(server, vassals, "a.ini")
    start_one(server, vassals, "b.ini", "loyal\nbeats 1\n")
    became(server, "b.ini", "reloading")
    assert server.log.find("a.ini: ready ->") == []


def test_a_start_has_a_limit(govern, vassals):
    server = govern("--emperor-start-timeout", "0.3")
    vassals.write("a.ini", "unready\nstate loading\n")
    assert "not ready after 0.3 s" in became(server, "a.ini", "lost")
    said(server, "a.ini", "stack")
    assert "killed" in became(server, "a.ini", "backoff")


def test_who_does_not_speak_may_take_as_long_as_it_likes(govern, vassals):
    """A program that knows nothing of Emperors never says that it is ready."""
    server = govern("--emperor-start-timeout", "0.1")
    vassals.write("a.ini", "unready\n")
    said(server, "a.ini", "started")
    vassals.write("b.ini", "unready\nstate loading\n")
    became(server, "b.ini", "backoff")
    assert stats.vassal(server.stats, "a.ini")["state"] == "starting"
