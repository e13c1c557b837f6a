# SPDX-License-Identifier: MIT
"""Reinforcements: further vassals with the same configuration, which an Emperor starts for one that
calls for them."""
import os
import signal

from harness import programs, stats
from harness.client import Connection, request_bytes
from harness.foreign import became, said, start_one
from harness.meeting import Meeting


def test_it_is_started_with_its_number_and_ends_for_good(govern, vassals):
    server = govern("--emperor-broodlord", 1)
    start_one(server, vassals, text="loyal\nsos 3\n")
    zerg = said(server, "a.ini", "started", count=2)
    became(server, "a.ini:zerg", "ready")
    assert zerg["environ"]["UWSGI_BROODLORD_NUM"] == zerg["environ"]["LIEGE_BROODLORD_NUM"] == "1"
    assert zerg["arguments"] == ["--ini", "a.ini"]
    assert stats.vassal(server.stats, "a.ini:zerg")["zerg"] == 1
    os.kill(zerg["pid"], signal.SIGKILL)
    became(server, "a.ini:zerg", "gone")
    assert len(server.log.find('"event": "started"')) == 2


def test_there_are_so_many_for_all_together(govern, vassals):
    server = govern("--emperor-broodlord", 2)
    start_one(server, vassals, text="loyal\nsos 3\n")
    became(server, "a.ini:zerg", "ready")
    became(server, "a.ini:zerg2", "ready")
    start_one(server, vassals, "b.ini", "loyal\nsos 1\n")
    assert server.log.find("b.ini:zerg") == []
    vassals.touch("a.ini")  # what they are made of changes
    became(server, "a.ini:zerg", "gone")
    became(server, "a.ini:zerg2", "gone")
    vassals.touch("b.ini")
    said(server, "b.ini", "reloaded")


def test_they_go_with_whom_they_reinforce(govern, vassals):
    server = govern("--emperor-broodlord", 5)
    start_one(server, vassals, text="loyal\nsos 2\n")
    became(server, "a.ini:zerg2", "ready")
    vassals.remove("a.ini")
    became(server, "a.ini:zerg", "gone")
    became(server, "a.ini:zerg2", "gone")
    became(server, "a.ini", "gone")
    assert stats.read(server.stats)["vassals"] == []


def test_who_is_told_to_stop_is_not_reinforced_any_more(govern, vassals):
    server = govern("--emperor-broodlord", 2)
    start_one(server, vassals, text="loyal\nlast 30\n")
    vassals.remove("a.ini")
    became(server, "a.ini", "gone")
    assert stats.read(server.stats)["vassals"] == []
    assert server.log.find("a.ini:zerg") == []


def test_one_may_outlive_whom_it_reinforced(govern, vassals):
    server = govern("--emperor-broodlord", 1)
    lord = start_one(server, vassals, text="loyal\nsos 1\ndeaf\n")
    became(server, "a.ini:zerg", "ready")
    zerg = said(server, "a.ini", "started", count=2)
    server.kill(signal.SIGTERM)
    said(server, "a.ini", "stop", count=2)
    os.kill(lord["pid"], signal.SIGKILL)
    became(server, "a.ini", "gone")
    os.kill(zerg["pid"], signal.SIGUSR1)  # what it asks for is the configuration of the other one
    said(server, "a.ini", "asked")
    os.kill(zerg["pid"], signal.SIGKILL)
    became(server, "a.ini:zerg", "gone")
    assert server.wait() == 0


def test_after_one_that_dies_at_once_calls_are_not_heard_for_a_while(govern, vassals):
    server = govern("--emperor-broodlord", 1)
    lord = start_one(server, vassals, text="loyal\nsos 1\nweak\n")
    server.wait_line(r"vassal a\.ini: is not reinforced for 3\.0 s, a\.ini:zerg has ended too early")
    os.kill(lord["pid"], signal.SIGUSR1)
    said(server, "a.ini", "asked")
    assert len(stats.read(server.stats)["vassals"]) == 1
    assert len(server.log.find("a.ini:zerg: new")) == 1
    vassals.touch("a.ini")  # something may be better now
    said(server, "a.ini", "reloaded")
    became(server, "a.ini", "ready", count=2)
    os.kill(lord["pid"], signal.SIGUSR1)
    became(server, "a.ini:zerg", "gone", count=2)


def test_one_that_hangs_up_is_killed_and_no_more(govern, vassals):
    server = govern("--emperor-broodlord", 1, "--emperor-curse-tolerance", "0.3")
    vassals.write("a.ini", "loyal\nsos 1\nhang-up\n")
    became(server, "a.ini:zerg", "lost")
    assert "killed by signal 9" in became(server, "a.ini:zerg", "gone")
    assert stats.vassal(server.stats, "a.ini")


def test_without_the_option_nobody_comes(govern, vassals):
    server = govern()
    start_one(server, vassals, text="loyal\nsos 2\n")
    start_one(server, vassals, "b.ini")
    assert server.log.find("zerg") == []


def test_an_application_that_is_busy_is_reinforced_until_it_is_quiet(emperor, vassals, folder):
    at = folder / "a.sock"
    vassals.write("a.ini", f"""[liege]
wsgi-file = {programs.APPS}/python/web.py
if-not-env = UWSGI_BROODLORD_NUM
http-socket = {at}
zerg-server = {folder}/zerg.sock
vassal-sos = 1
endif
if-env = UWSGI_BROODLORD_NUM
zerg = {folder}/zerg.sock
protocol = http
idle = 1
die-on-idle = true
endif
""")
    server = emperor("--emperor-broodlord", 1)
    became(server, "a.ini", "ready")
    with Meeting(folder) as meeting, Connection(at) as busy:
        busy.send(request_bytes(meeting.target))
        visitor = meeting.arrive()
        pid = stats.vassal(server.stats, "a.ini")["pid"]
        became(server, "a.ini:zerg", "ready")
        with Connection(at) as other:  # the busy worker would have accepted an earlier one, perhaps
            assert other.request("/pid").status == 200
        visitor.release()
        assert busy.response().status == 200
    became(server, "a.ini:zerg", "gone")
    assert stats.vassal(server.stats, "a.ini")["pid"] == pid
