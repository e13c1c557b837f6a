# SPDX-License-Identifier: MIT
"""An Emperor over vassals that are not liege's own: they speak the bytes of the pipe (apps/foreign).
What is tested is the Emperor alone."""
import os
import re
import resource
import signal
import socket
import subprocess
import time

import pytest

from harness import proc, programs, stats
from harness.foreign import VASSAL, became, said, start_one


def test_what_a_vassal_is_started_with(govern, vassals):
    server = govern("--vassal-set", "processes=8", "--vassals-include", "after.ini",
                    "--vassals-include-before", "before.ini",
                    env={"UWSGI_VASSAL_SOCKET": "/tmp/x", "LIEGE_VASSAL_LISTEN": "7",
                         "UWSGI_RELOADS": "3", "NOTIFY_SOCKET": "/nowhere", "TEST_X": "y"})
    v = start_one(server, vassals)
    assert v["arguments"] == ["--include", "before.ini", "--set", "processes=8", "--ini", "a.ini",
                              "--include", "after.ini"]
    directory = str(vassals.directory)
    assert v["cwd"] == directory
    assert v["descriptors"] == [0, 1, 2, 3, 4]
    assert v["group"] == v["pid"]
    assert v["environ"] == {
        "UWSGI_SOCKET": "/tmp/x", "LIEGE_LISTEN": "7", "TEST_X": "y", "LIEGE_STATUS_FD": "4",
        "UWSGI_EMPEROR_FD": "3", "LIEGE_EMPEROR_FD": "3",
        "UWSGI_VASSALS_DIR": directory, "LIEGE_VASSALS_DIR": directory}
    assert server.stop() == 0


def test_life_follows_the_file(govern, vassals):
    server = govern()
    first = start_one(server, vassals)
    vassals.write("a.ini", "loyal\nwrite 1\n")
    assert said(server, "a.ini", "reloaded")["words"]["write"] == "1"
    became(server, "a.ini", "ready", count=2)
    vassals.remove("a.ini")
    assert said(server, "a.ini", "stop")["byte"] == 0
    became(server, "a.ini", "gone")
    assert len(server.log.find('"event": "reloaded"')) == 1
    assert len(server.log.find('"event": "started"')) == 1
    assert not proc.alive(first["pid"])
    assert stats.read(server.stats)["vassals"] == []


def test_many_writes_are_two_reloads_at_most(govern, vassals):
    server = govern()
    start_one(server, vassals)
    for n in range(5):
        vassals.path("a.ini").write_text(f"loyal\nwrite {n}\n")
    server.wait_line(r'"event": "reloaded".*"write": "4"')
    vassals.remove("a.ini")
    became(server, "a.ini", "gone")
    assert len(server.log.find('"event": "reloaded"')) <= 2


def test_one_that_counts_its_generations_is_ready_when_it_says_the_number(govern, vassals):
    """The byte that says it as well may come when it has been told to reload meanwhile."""
    server = govern()
    start_one(server, vassals, text="counts 1\n")
    vassals.write("a.ini", "says 1 17\n")
    assert stats.wait(server.stats, "a.ini", lambda v: v["loyal"])["state"] == "reloading"
    vassals.write("a.ini", "counts 2\n")
    became(server, "a.ini", "ready", count=2)


def test_an_editor_that_replaces_the_file_reloads(govern, vassals):
    server = govern()
    start_one(server, vassals)
    vassals.path("a.ini").rename(vassals.path("a.ini~"))
    vassals.path("a.ini").write_text("loyal\nnew yes\n")
    assert said(server, "a.ini", "reloaded")["words"]["new"] == "yes"
    assert server.log.find('"event": "stop"') == []


def test_a_vassal_that_is_starting_is_started_anew(govern, vassals):
    server = govern()
    vassals.write("a.ini", "unready\n")
    first = said(server, "a.ini", "started")
    vassals.write("a.ini", "loyal\n")
    second = said(server, "a.ini", "started", count=2)
    became(server, "a.ini", "ready")
    assert first["pid"] != second["pid"] and not proc.alive(first["pid"])


def test_a_file_that_comes_back_while_its_vassal_stops(govern, vassals):
    server = govern("--emperor-curse-tolerance", "1")
    start_one(server, vassals, text="loyal\ndeaf\n")
    vassals.remove("a.ini")
    said(server, "a.ini", "stop")
    vassals.write("a.ini", "loyal\n")
    assert "killed" in became(server, "a.ini", "restarting", count=2)
    said(server, "a.ini", "started", count=2)
    became(server, "a.ini", "ready", count=2)


def test_a_loyal_vassal_that_dies_is_there_again_at_once(govern, vassals):
    server = govern()
    v = start_one(server, vassals, text="loyal\nchild\n")
    os.kill(v["pid"], signal.SIGKILL)
    assert "killed by signal 9" in became(server, "a.ini", "starting", count=2)
    again = said(server, "a.ini", "started", count=2)
    assert again["pid"] != v["pid"]
    assert not proc.wait_gone([v["child"]])
    assert server.log.find("backoff") == []
    assert stats.vassal(server.stats, "a.ini")["exit"].startswith("killed by signal 9")


def test_of_one_that_does_nothing_but_die_not_each_end_is_logged(emperor, vassals, folder):
    program = folder / "vassal"
    program.write_text(f'#!/bin/sh\n[ -e {folder}/well ] || exit 3\nexec {VASSAL} "$@"\n')
    program.chmod(0o755)
    server = emperor("--binary-path", program, "--emperor-no-blacklist", "--emperor-throttle", 10)
    vassals.write("a.ini", "loyal\n")
    server.wait_line(r"warning: vassal a\.ini: has died 5 times in a row soon after its start")
    after = server.log.mark()
    ended = r"vassal a\.ini: starting -> \w+, process \d+ exited with code 3"
    server.wait_line(ended, after=after, count=2)
    assert stats.vassal(server.stats, "a.ini")["respawns"] >= 9
    assert server.log.find(r"a\.ini: waiting -> starting", after=after) == []
    (folder / "well").touch()
    reason = became(server, "a.ini", "ready")
    assert re.search(r"; such lines about \d+ short lives were left out$", reason)
    vassals.touch("a.ini")
    became(server, "a.ini", "ready", count=2)


def test_a_vassal_that_dies_early_waits_longer_each_time(govern, vassals):
    server = govern("--emperor-throttle", "500")
    vassals.write("a.ini", "exit 3\n")
    reason = became(server, "a.ini", "backoff")
    assert "exited with code 3" in reason and "starts again in 3.0 s" in reason
    start_one(server, vassals, "b.ini")  # is not held up
    entry = stats.vassal(server.stats, "a.ini")
    assert entry["state"] == "backoff" and entry["pid"] == -1
    assert stats.read(server.stats)["blacklist"][0]["throttle_level"] == 3000
    became(server, "a.ini", "starting", count=2)
    assert "starts again in 3.5 s" in became(server, "a.ini", "backoff", count=2)


def test_a_change_ends_the_wait_and_so_does_a_pardon(govern, vassals):
    server = govern()
    vassals.write("a.ini", "exit 3\n")
    became(server, "a.ini", "backoff")
    server.kill(signal.SIGURG)
    assert "SIGURG" in became(server, "a.ini", "starting", count=2)
    became(server, "a.ini", "backoff", count=2)
    vassals.write("a.ini", "loyal\n")
    assert "changed" in became(server, "a.ini", "starting", count=3)
    became(server, "a.ini", "ready")
    assert stats.read(server.stats)["blacklist"] == []


def test_code_26_means_not_again(govern, vassals):
    server = govern()
    vassals.write("a.ini", "exit 26\n")
    became(server, "a.ini", "resting")
    vassals.write("a.ini", "loyal\n")
    became(server, "a.ini", "ready")
    assert len(server.log.find('"event": "started"')) == 2


def test_a_vassal_that_asks_to_be_stopped_rests(govern, vassals):
    server = govern()
    vassals.write("a.ini", "retire\n")
    said(server, "a.ini", "stop")
    became(server, "a.ini", "resting")
    vassals.remove("a.ini")
    became(server, "a.ini", "gone")


def test_a_vassal_that_hangs_up_is_killed_and_started_again(govern, vassals):
    server = govern("--emperor-curse-tolerance", "0.5")
    vassals.write("a.ini", "loyal\nhang-up\n")
    v = said(server, "a.ini", "started")
    became(server, "a.ini", "lost")
    said(server, "a.ini", "started", count=2)
    assert not proc.alive(v["pid"])
    assert "killed by signal 9" in stats.vassal(server.stats, "a.ini")["exit"]


def test_a_deaf_vassal_is_killed_with_its_group(govern, vassals):
    server = govern("--emperor-curse-tolerance", "0.5")
    v = start_one(server, vassals, text="loyal\ndeaf\nchild\n")
    vassals.remove("a.ini")
    became(server, "a.ini", "gone")
    assert not proc.wait_gone([v["pid"], v["child"]])


def test_the_end_of_all(govern, vassals):
    server = govern()
    for n in range(20):
        vassals.write(f"{n}.ini", "loyal\n")
    for n in range(20):
        became(server, f"{n}.ini", "ready")
    assert server.stop(signal.SIGTERM) == 0
    assert len(server.log.find("stopping -> gone, process [0-9]+ exited with code 0")) == 20


def test_the_end_of_all_is_enforced(govern, vassals):
    server = govern("--emperor-curse-tolerance", "0.5", "--emperor-graceful-shutdown")
    start_one(server, vassals, text="deaf\n")
    start_one(server, vassals, "b.ini", text="deaf\n")
    assert server.stop(signal.SIGINT) == 0
    assert said(server, "a.ini", "stop")["byte"] == 2
    assert len(server.log.find("killed by signal 9")) == 2


def test_a_second_signal_does_not_wait(govern, vassals):
    server = govern("--emperor-curse-tolerance", "3600")
    start_one(server, vassals, text="deaf\n")
    server.kill(signal.SIGTERM)
    said(server, "a.ini", "stop")
    assert server.stop(signal.SIGTERM) == 0


def test_nothing_survives_a_killed_emperor(govern, vassals):
    server = govern()
    pids = [start_one(server, vassals, f"{n}.ini", "deaf\n")["pid"] for n in range(3)]
    os.kill(pids[0], signal.SIGSTOP)
    server.kill(signal.SIGKILL)
    assert not proc.wait_gone(pids, timeout=2)


def test_orphans_are_reaped(govern, vassals):
    server = govern()
    v = start_one(server, vassals, text="orphan\n")
    orphan = next(p for p in proc.descendants(server.pid) if p != v["pid"])
    assert proc.parent(orphan) == server.pid
    vassals.remove("a.ini")
    became(server, "a.ini", "gone")
    assert not proc.wait_gone([orphan])
    start_one(server, vassals, "b.ini")  # a further round of the loop
    assert proc.state(orphan) is None


def test_signals(govern, vassals):
    server = govern()
    start_one(server, vassals)
    start_one(server, vassals, "b.ini")
    server.kill(signal.SIGHUP)
    said(server, "a.ini", "reloaded")
    said(server, "b.ini", "reloaded")
    became(server, "a.ini", "ready", count=2)
    server.kill(signal.SIGUSR1)
    server.wait_line(r"vassal a\.ini: ready for [0-9]+ s, it serves after .*, pid [0-9]+")


def test_reasons(govern, vassals, folder):
    server = govern()
    vassals.write("a.ini", "failed app.ini:3: no module named shop\nexit 1\n")
    server.wait_line(r"error: vassal a\.ini: cannot start: app\.ini:3: no module named shop")
    assert "no module named shop" in became(server, "a.ini", "backoff")
    assert "no module named shop" in stats.vassal(server.stats, "a.ini")["reason"]

    start_one(server, vassals, "b.ini")
    vassals.write("b.ini", "kept b.ini:1: syntax error\n")
    server.wait_line(r"warning: vassal b\.ini: reload failed: b\.ini:1: syntax error; the old gener")
    assert "syntax error" in became(server, "b.ini", "ready", count=2)
    assert stats.vassal(server.stats, "b.ini")["state"] == "ready"
    vassals.write("b.ini", "loyal\n")
    became(server, "b.ini", "ready", count=3)
    assert stats.vassal(server.stats, "b.ini")["generation"] == 2


def test_the_log_is_not_filled_with_complaints(govern, vassals):
    server = govern()
    start_one(server, vassals, text="loyal\ncomplain 20000\n")
    said(server, "a.ini", "complained")
    vassals.remove("a.ini")
    became(server, "a.ini", "gone")
    assert 0 < len(server.log.find("cannot start: |of nothing")) < 2000


def test_what_a_configuration_includes_is_watched(govern, vassals, folder):
    common = folder / "common.ini"
    common.write_text("x\n")
    server = govern()
    start_one(server, vassals, text=f"loyal\nfile {common}\n")
    for n in (1, 2):
        common.write_text(f"y {n}\n")
        said(server, "a.ini", "reloaded", count=n)
        became(server, "a.ini", "ready", count=n + 1)


def test_stats(govern, vassals, folder):
    server = govern()
    v = start_one(server, vassals)
    server.kill(signal.SIGHUP)
    became(server, "a.ini", "ready", count=2)
    idle = [socket.socket(socket.AF_UNIX) for _ in range(40)]
    for s in idle:
        s.connect(server.stats)
    document = stats.read(server.stats)
    for s in idle:
        s.close()
    assert {k: document[k] for k in ("version", "pid", "uid", "emperor", "emperor_tyrant")} == {
        "version": "0.1.0", "pid": server.pid, "uid": os.getuid(),
        "emperor": [str(vassals.directory)], "emperor_tyrant": 0}
    [entry] = document["vassals"]
    assert set(entry) == {
        "id", "pid", "born", "last_mod", "last_heartbeat", "loyal", "ready", "accepting",
        "last_loyal", "last_ready", "last_accepting", "first_run", "last_run", "cursed", "zerg",
        "on_demand", "suspended", "adopted", "uid", "gid", "monitor", "attrs", "respawns",
        "base", "base_generation", "fork_server", "pss", "uss", "saves", "memory_measured", "state", "since", "reason", "generation", "workers", "exit"}
    assert (entry["id"], entry["pid"], entry["loyal"], entry["respawns"], entry["attrs"]) == (
        "a.ini", v["pid"], 1, 1, {})


def test_an_idle_emperor_does_not_wake(govern, vassals):
    server = govern()
    start_one(server, vassals)
    stats.read(server.stats)
    nothing = dict(pattern="nothing is said", after=server.log.mark())
    with pytest.raises(AssertionError):  # everything that was begun comes to rest
        server.wait_line(timeout=0.5, **nothing)
    before = proc.context_switches(server.pid)
    with pytest.raises(AssertionError):
        server.wait_line(timeout=4, **nothing)
    assert proc.context_switches(server.pid) == before


def test_two_directories_with_the_same_name(govern, vassals, folder):
    other = folder / "other"
    other.mkdir()
    server = govern("--emperor", other)
    start_one(server, vassals)
    (other / "a.ini").write_text("loyal\n")
    path = str(other / "a.ini")
    became(server, path, "ready")
    assert {v["id"] for v in stats.read(server.stats)["vassals"]} == {"a.ini", path}
    (other / "a.ini").unlink()
    became(server, path, "gone")


def test_a_pattern(govern, vassals, folder):
    server = govern(monitor=f"glob://{folder}/home/*/app.ini")
    (folder / "home" / "ann").mkdir(parents=True)
    (folder / "home" / "ann" / "app.ini").write_text("loyal\n")
    name = f"{folder}/home/ann/app.ini"
    assert said(server, name, "started")["arguments"] == ["--ini", name]
    became(server, name, "ready")


def test_who_changes_a_directory_all_the_time_has_it_looked_at_now_and_then(govern, vassals, folder):
    home = folder / "home"
    (home / "ann").mkdir(parents=True)
    server = govern(monitor=f"glob://{home}/*/app.ini")
    (home / "ann" / "app.ini").write_text("loyal\n")
    became(server, f"{home}/ann/app.ini", "ready")
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        (home / "ann").chmod(0o700)
        (home / "ann").chmod(0o755)
    (home / "bob").mkdir()
    (home / "bob" / "app.ini").write_text("loyal\n")
    became(server, f"{home}/bob/app.ini", "ready")
    assert 1 <= len(server.log.find("looking at everything again")) <= 10  # each 100 ms


def test_a_directory_that_is_missing_at_the_start(govern, vassals, folder):
    late = folder / "late"
    server = govern(monitor=late)
    server.wait_line(r"warning: monitor .*/late: cannot look into it")
    late.mkdir()
    (late / "a.ini").write_text("loyal\n")
    became(server, "a.ini", "ready")


def test_a_directory_that_is_replaced_restarts(govern, vassals, folder):
    for n in ("one", "two"):
        (folder / n).mkdir()
        (folder / n / "a.ini").write_text(f"loyal\n{n}\n")
    (folder / "current").symlink_to("one")
    server = govern(monitor=folder / "current")
    assert said(server, "a.ini", "started")["cwd"] == str(folder / "one")
    became(server, "a.ini", "ready")
    (folder / "next").symlink_to("two")
    (folder / "next").rename(folder / "current")
    assert said(server, "a.ini", "started", count=2)["cwd"] == str(folder / "two")


def test_a_program_that_cannot_be_started(emperor, vassals, folder):
    program = folder / "program"
    program.write_text("#!/nowhere\n")
    program.chmod(0o755)
    server = emperor("--binary-path", program)
    vassals.write("a.ini", "")
    server.wait_line(r"cannot start .*/program: .*: No such file or directory")
    assert "exited with code 127" in became(server, "a.ini", "backoff")


@pytest.mark.needs_root
@pytest.mark.parametrize("resource", ["watches", "instances"])
def test_without_inotify_it_looks_from_time_to_time(govern, vassals, resource):
    limit = f'echo 0 > /proc/sys/user/max_inotify_{resource} && exec "$@"'
    server = govern("--emperor-freq", "0.2", wrapper=["unshare", "-Ur", "sh", "-c", limit, "sh"])
    server.wait_line(r"warning: monitor .*: cannot watch everything, looking every 0\.2 s")
    start_one(server, vassals)
    vassals.touch("a.ini")
    said(server, "a.ini", "reloaded")
    vassals.remove("a.ini")
    became(server, "a.ini", "gone")
    assert len(server.log.find("cannot watch")) == 1


def test_descriptors_are_no_limit(govern, vassals):
    """The soft limit is the vassals' own; the Emperor needs three descriptors for each."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    server = govern(limits=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (24, hard)))
    for n in range(10):
        assert start_one(server, vassals, f"{n}.ini")["limit"] == 24
    assert len(proc.descriptors(server.pid)) > 24


@pytest.mark.needs_root
def test_an_emperor_without_privileges(govern, vassals, folder):
    vassals.directory.chmod(0o755)
    pidfile = folder / "pid"
    server = govern("--uid", "65534", "--gid", "65534", "--emperor-pidfile", pidfile)
    assert start_one(server, vassals)["user"] == 65534
    assert proc.status(server.pid, "Uid") == ["65534"] * 4
    assert int(pidfile.read_text()) == server.pid


@pytest.mark.parametrize("arguments, complaint", [
    (["--emperor", "zmq://tcp://x"], r"emperor = zmq://tcp://x: there is no such monitor"),
    (["--emperor", ".", "--binary-path", "nothing"], r"binary-path = nothing: cannot be run"),
    (["--emperor", ".", "--emperor-stats", "host:80"], r"emperor-stats"),
    (["--emperor", ".", "--emperor-freq", "0"], r"emperor-freq"),
    (["--emperor", ".", "--uid", "no-such-user"], r"there is no user 'no-such-user'"),
    (["--emperor", ".", "--emperor-tyrant"], r"emperor-tyrant"),
])
def test_refused(start, arguments, complaint):
    server = start(*arguments)
    assert server.wait() == 1
    server.wait_line(rf"error: .*{complaint}")


def answer(*arguments):
    return subprocess.run([programs.LIEGE, *arguments], check=True, capture_output=True,
                          text=True).stdout


def test_questions(folder):
    assert answer("--version") == "liege 0.1.0\n"
    assert "--emperor-curse-tolerance SECONDS" in answer("--help")
    assert "valid" in answer("--emperor", folder, "--check")
    assert f"emperor = {folder}" in answer("--emperor", folder, "--show-config")
