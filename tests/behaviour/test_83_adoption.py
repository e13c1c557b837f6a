# SPDX-License-Identifier: MIT
"""An Emperor whose vassals are forked from a base vassal, by what an operator sees of it. The bases
are apps/foreign/base, which do as they are told, also wrong; what they fork are apps/foreign/vassal."""
import os
import pathlib
import signal
import socket
import subprocess

import pytest

from harness import proc, programs, says, stats
from harness.foreign import VASSAL, became, has_only, said

BASE = "base.ini"


def liegectl(at, *arguments):
    return subprocess.Popen([programs.BUILD / "liegectl", "--socket", at, *arguments], text=True,
                            stdout=subprocess.PIPE)


class Bases:
    """An Emperor whose vassals are forked from base.ini, if they are not told otherwise."""

    def __init__(self, govern, vassals, folder):
        self.vassals, self.folder = vassals, folder
        self.address = f"{folder}/base.sock"
        self._govern = govern
        self.server = None

    def govern(self, *arguments, **kw):
        self.server = self._govern("--emperor-use-fork-server", self.address,
                                   "--vassal-fork-base", BASE, *arguments, **kw)
        return self.server

    def write_base(self, *words, name=BASE, address=None):
        text = "\n".join([f"fork-server {address or self.address}", *words])
        self.vassals.write(name, text + "\n")

    def start_base(self, *words):
        after = self.server.log.mark()
        self.write_base(*words)
        said(self.server, BASE, "listens", after=after)
        self.server.wait_line(rf"vassal {BASE}: forks vassals at ", after=after)


@pytest.fixture
def bases(govern, vassals, folder):
    return Bases(govern, vassals, folder)


def of(server, name):
    return stats.wait(server.stats, name, lambda v: True)


def pending(bases, vassals, name="a.ini", text="loyal\n"):
    """An Emperor with a base that has forked a vassal, which does not answer yet; -> its pid"""
    bases.start_base("waits")
    vassals.write(name, text)
    return said(bases.server, BASE, "born")["pid"]


def let_go(bases):
    pathlib.Path(bases.address + ".go").touch()


def never_backed_off(server, name="a.ini"):
    return server.log.find(rf"vassal {name}: \w+ -> backoff") == []


def starts(server, name="a.ini"):
    return len(server.log.find(rf'{{"vassal": "{name}", "event": "started"'))


@pytest.mark.plain
def test_a_vassal_is_forked_from_its_base_and_has_what_any_vassal_has(bases, vassals):
    server = bases.govern("--vassal-set", "processes=8", env={"TEST_X": "y"})
    bases.start_base()
    vassals.write("a.ini", "loyal\n")
    v = said(server, "a.ini", "started")
    became(server, "a.ini", "ready")
    assert v["arguments"] == ["--set", "processes=8", "--ini", "a.ini"]
    directory = str(vassals.directory)
    assert v["cwd"] == directory
    assert v["descriptors"] == [0, 1, 2, 3, 4]
    assert v["group"] == v["pid"]
    assert v["environ"] == {
        "TEST_X": "y", "LIEGE_STATUS_FD": "4", "UWSGI_EMPEROR_FD": "3", "LIEGE_EMPEROR_FD": "3",
        "UWSGI_VASSALS_DIR": directory, "LIEGE_VASSALS_DIR": directory}
    assert proc.parent(v["pid"]) == server.pid
    s = of(server, "a.ini")
    assert (s["adopted"], s["base"], s["base_generation"]) == (1, bases.address, 1)
    assert s["pid"] == v["pid"] and s["respawns"] == 0
    b = of(server, BASE)
    assert (b["adopted"], b["fork_server"], b["base"]) == (0, bases.address, "")
    assert server.stop() == 0


@pytest.mark.plain
def test_it_waits_for_its_base_and_did_not_fail(bases, vassals):
    server = bases.govern()
    vassals.write("a.ini", "loyal\n")
    assert became(server, "a.ini", "waiting") == f"waits for its base at {bases.address}"
    s = of(server, "a.ini")
    assert (s["state"], s["base"], s["adopted"]) == ("waiting", bases.address, 0)
    bases.start_base()
    became(server, "a.ini", "ready")
    assert of(server, "a.ini")["respawns"] == 0
    assert stats.read(server.stats)["blacklist"] == []


def test_who_only_listens_is_no_base(bases, vassals):
    server = bases.govern()
    bases.write_base("silent")
    base = said(server, BASE, "listens")
    became(server, BASE, "ready")
    vassals.write("a.ini", "loyal\n")
    became(server, "a.ini", "waiting")
    bases.write_base()
    became(server, "a.ini", "ready")
    assert proc.alive(base["pid"])


def test_a_base_may_say_that_nothing_can_be_forked_now(bases, vassals):
    server = bases.govern()
    bases.start_base()
    bases.write_base("sleeps")
    server.wait_line(rf"vassal {BASE}: forks no vassals now")
    vassals.write("a.ini", "loyal\n")
    became(server, "a.ini", "waiting")
    bases.write_base()
    became(server, "a.ini", "ready")


def test_the_same_place_may_be_spelled_in_two_ways(govern, vassals, folder):
    server = govern("--emperor-use-fork-server", "vassals/.//x/../base.sock", "--vassal-fork-base", BASE)
    vassals.write(BASE, "fork-server base.sock\n")
    vassals.write("a.ini", "loyal\n")
    became(server, "a.ini", "ready")
    assert of(server, "a.ini")["base"] == f"{folder}/vassals/base.sock"


@pytest.mark.parametrize("when", ["before", "after"])
def test_its_folder_may_be_named_by_a_link(govern, vassals, folder, when):
    """As /var/run is, and whether it is there before who waits for it or comes with the base."""
    (folder / "link").symlink_to(folder)
    if when == "before":
        (folder / "run").mkdir()
    server = govern("--emperor-use-fork-server", folder / "link" / "run" / "base.sock",
                    "--vassal-fork-base", BASE)
    vassals.write("a.ini", "loyal\n")
    became(server, "a.ini", "waiting")
    (folder / "run").mkdir(exist_ok=True)
    vassals.write(BASE, f"fork-server {folder}/run/base.sock\n")
    became(server, "a.ini", "ready")
    assert of(server, "a.ini")["base"] == f"{folder}/run/base.sock"


def test_one_whose_folder_has_a_long_name_is_known_by_the_short_one(govern, vassals, folder):
    (folder / ("x" * 100)).mkdir()
    (folder / "link").symlink_to(folder / ("x" * 100))
    server = govern("--emperor-use-fork-server", folder / "link" / "base.sock", "--vassal-fork-base", BASE)
    vassals.write(BASE, f"fork-server {folder}/link/base.sock\n")
    vassals.write("a.ini", "loyal\n")
    became(server, "a.ini", "ready")


def test_it_lives_on_when_its_base_dies_and_others_wait(bases, vassals):
    server = bases.govern("--emperor-throttle", 1)
    bases.start_base()
    base = of(server, BASE)["pid"]
    vassals.write("a.ini", "loyal\n")
    became(server, "a.ini", "ready")
    bases.write_base("silent")  # so will be the next one
    server.wait_line(rf"vassal {BASE}: reloading -> ready")
    os.kill(base, signal.SIGKILL)
    said(server, BASE, "listens", count=2)
    vassals.write("b.ini", "loyal\n")
    became(server, "b.ini", "waiting")
    bases.write_base()
    became(server, "b.ini", "ready")
    assert starts(server) == 1 and of(server, "a.ini")["state"] == "ready"
    assert of(server, "a.ini")["base_generation"] == 1


def test_a_base_that_dies_while_it_is_asked_does_not_count_against_a_vassal(bases, vassals):
    server = bases.govern("--emperor-throttle", 1, "--emperor-no-blacklist")
    bases.start_base("answers 1")
    vassals.write("a.ini", "loyal\n")
    became(server, "a.ini", "waiting")
    bases.write_base()
    became(server, "a.ini", "ready")
    assert never_backed_off(server)


def test_a_base_that_closes_the_connection_is_asked_again(bases, vassals):
    server = bases.govern()
    bases.start_base("closes")
    vassals.write("a.ini", "loyal\n")
    assert "asks again in 0.1 s" in became(server, "a.ini", "waiting")
    became(server, "a.ini", "starting", count=2)
    bases.write_base()
    became(server, "a.ini", "ready")
    assert never_backed_off(server)


def test_a_base_that_refuses_says_why(bases, vassals):
    server = bases.govern()
    bases.start_base("refuses it has no room")
    vassals.write("a.ini", "loyal\n")
    assert "it has no room" in became(server, "a.ini", "backoff")
    bases.write_base()
    vassals.touch("a.ini")
    became(server, "a.ini", "ready")


@pytest.mark.parametrize("who, why", [
    ("1", "names process 1, and comes from"), ("parent", "the answer names process"),
    ("zombie", r"exited with code 1|has ended")])
def test_a_base_that_lies_is_not_believed(bases, vassals, who, why):
    server = bases.govern()
    bases.start_base(f"names {who}")
    vassals.write("a.ini", "loyal\n")
    server.wait_line(rf"vassal a\.ini: starting -> backoff, .*({why})")
    assert starts(server) == 0
    assert server.stop() == 0


def test_a_base_that_does_not_answer_holds_nobody_else_up(bases, vassals):
    server = bases.govern("--emperor-spawn-parallel", 1, "--emperor-fork-server-attr", "from")
    bases.start_base("hangs")
    vassals.write("a.ini", "loyal\n")
    said(server, BASE, "hangs")
    vassals.write("b.ini", "loyal\n")
    server.wait_line("vassal b.ini: .* -> waiting, .*, which is busy")
    vassals.write("own.ini", "[emperor]\nfrom =\n[liege]\nloyal =\n")
    became(server, "own.ini", "ready")
    assert "its base has not answered in time, asks again in 0.1 s" in became(
        server, "a.ini", "waiting")
    bases.write_base()
    became(server, "a.ini", "ready")
    became(server, "b.ini", "ready")
    assert never_backed_off(server) and never_backed_off(server, "b.ini")


@pytest.mark.parametrize("event", ["removed", "changed", "stopped"])
def test_who_waits_for_a_busy_base_needs_nobody_before_it(bases, vassals, folder, event):
    """One that may ask the base next, and does not, is no reason for those behind it to wait."""
    at, gate = folder / "control.sock", folder / "gate"
    os.mkfifo(gate)
    server = bases.govern(
        "--emperor-spawn-parallel", 1, "--emperor-fork-server-attr", "from", "--emperor-control", at,
        "--hook-as-emperor-before-vassal",
        f'exec:test "$UWSGI_VASSAL_CONFIG" != own.ini || {{ echo has the turn >&2; read x <{gate}; }}')
    pending(bases, vassals)
    for name in ("b.ini", "c.ini"):
        vassals.write(name, "loyal\n")
        server.wait_line(f"vassal {name}: .* -> waiting, .*, which is busy")
    vassals.write("own.ini", asks_for("from ="))
    server.wait_line("^has the turn$")
    let_go(bases)
    server.wait_line(r"vassal b\.ini: waiting -> waiting, its base is there")
    if event == "removed":
        vassals.remove("b.ini")
    elif event == "changed":
        vassals.write("b.ini", asks_for("from ="))
    else:
        with liegectl(at, "stop", "b.ini", "--wait") as stop:
            assert stop.wait(programs.PATIENCE) == 0
    became(server, "c.ini", "ready")


def test_what_is_done_before_the_start_is_done_once(bases, vassals, folder):
    """Also if its base has become busy meanwhile."""
    gate = folder / "gate."
    for name in ("a.ini", "b.ini"):
        os.mkfifo(f"{gate}{name}")
    server = bases.govern(
        "--emperor-spawn-parallel", 1, "--hook-as-emperor-before-vassal",
        f'exec:test "$UWSGI_VASSAL_CONFIG" = {BASE} || {{ echo hook $UWSGI_VASSAL_CONFIG >&2; '
        f'read x <{gate}"$UWSGI_VASSAL_CONFIG"; }}')
    bases.start_base("waits")
    for name in ("a.ini", "b.ini"):
        vassals.write(name, "loyal\n")
        server.wait_line(f"hook {name}")
    pathlib.Path(f"{gate}a.ini").write_text("go\n")
    said(server, BASE, "born")
    pathlib.Path(f"{gate}b.ini").write_text("go\n")
    became(server, "b.ini", "starting")
    let_go(bases)
    for name in ("a.ini", "b.ini"):
        became(server, name, "ready")
        assert len(server.log.find(f"hook {name}")) == 1


def test_one_that_takes_no_connections_now_is_asked_when_it_does(bases, vassals):
    server = bases.govern("--emperor-spawn-parallel", 20)
    bases.start_base("full")
    for n in range(6):
        vassals.write(f"{n}.ini", "loyal\n")
    for n in range(6):
        became(server, f"{n}.ini", "starting")
    bases.write_base()
    for n in range(6):
        became(server, f"{n}.ini", "ready")
        assert never_backed_off(server, f"{n}.ini")


@pytest.mark.parametrize("event, state", [("removed", "gone"), ("changed", "ready")])
def test_what_happens_before_the_base_has_answered(bases, vassals, event, state):
    server = bases.govern()
    pid = pending(bases, vassals)
    if event == "removed":
        vassals.remove("a.ini")
        became(server, "a.ini", "stopping")
    else:
        vassals.write("a.ini", "loyal\nnew yes\n")
        became(server, "a.ini", "restarting")
    let_go(bases)
    became(server, "a.ini", state)
    proc.wait_gone([pid])
    if event == "changed":
        started = said(server, "a.ini", "started")
        assert "new" in started["words"] and started["pid"] != pid
    assert starts(server) == (event == "changed")


@pytest.mark.parametrize("event", ["removed", "changed", "stopped"])
def test_what_happens_before_a_base_that_does_not_answer(bases, vassals, event):
    """Nothing is waited for that never comes."""
    server = bases.govern()
    bases.start_base("hangs")
    vassals.write("a.ini", "loyal\n")
    said(server, BASE, "hangs")
    if event == "stopped":
        assert server.stop() == 0
        return
    if event == "removed":
        vassals.remove("a.ini")
    else:
        vassals.write("a.ini", "loyal\nnew yes\n")
    became(server, "a.ini", "stopping" if event == "removed" else "restarting")
    bases.write_base()
    became(server, "a.ini", "gone" if event == "removed" else "ready")
    assert starts(server) == (event == "changed")


def test_an_operator_stops_it_before_the_base_has_answered(bases, vassals, folder):
    at = folder / "control.sock"
    server = bases.govern("--emperor-control", at)
    pid = pending(bases, vassals)
    with liegectl(at, "stop", "a.ini", "--wait") as stop:
        became(server, "a.ini", "holding")
        let_go(bases)
        assert stop.wait(programs.PATIENCE) == 0
    became(server, "a.ini", "held")
    proc.wait_gone([pid])
    with liegectl(at, "start", "a.ini", "--wait") as start:
        assert start.wait(programs.PATIENCE) == 0
    assert starts(server) == 1


def test_one_that_waits_for_its_base_can_be_stopped_and_removed(bases, vassals, folder):
    at = folder / "control.sock"
    server = bases.govern("--emperor-control", at)
    vassals.write("a.ini", "loyal\n")
    became(server, "a.ini", "waiting")
    with liegectl(at, "stop", "a.ini", "--wait") as stop:
        assert stop.wait(programs.PATIENCE) == 0
    bases.start_base()
    assert of(server, "a.ini")["state"] == "held"
    vassals.write("b.ini", "loyal\n")
    became(server, "b.ini", "ready")
    assert starts(server) == 0


def test_an_operator_sees_from_where_it_is(bases, vassals, folder):
    at = folder / "control.sock"
    server = bases.govern("--emperor-control", at)
    vassals.write("a.ini", "loyal\n")
    became(server, "a.ini", "waiting")
    with liegectl(at, "status", "a.ini") as status:
        assert f"waits for its base at {bases.address}" in status.communicate()[0]
    bases.start_base()
    became(server, "a.ini", "ready")
    with liegectl(at, "status", "a.ini") as status:
        assert f"forked from {bases.address}, generation 1" in status.communicate()[0]


def test_it_reloads_and_dies_as_any_vassal(bases, vassals):
    server = bases.govern()
    bases.start_base()
    vassals.write("a.ini", "loyal\n")
    pid = said(server, "a.ini", "started")["pid"]
    became(server, "a.ini", "ready")
    vassals.write("a.ini", "loyal\nnew yes\n")
    assert said(server, "a.ini", "reloaded")["pid"] == pid
    became(server, "a.ini", "ready", count=2)
    os.kill(pid, signal.SIGKILL)
    assert said(server, "a.ini", "started", count=2)["pid"] != pid
    became(server, "a.ini", "ready", count=3)
    assert of(server, "a.ini")["respawns"] == 2
    vassals.write("a.ini", "exit 1\n")
    vassals.write("b.ini", "exit 1\n")
    assert "exited with code 1, starts again in 3.0 s" in became(server, "b.ini", "backoff")


def test_it_waits_in_its_base_for_its_first_connection(bases, vassals, folder):
    server = bases.govern("--emperor-on-demand-extension", ".at")
    bases.start_base()
    (vassals.directory / "a.ini.at").write_text(f"{folder}/a.sock\n")
    vassals.write("a.ini", "loyal\nserve 1\n")
    became(server, "a.ini", "asleep")
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(programs.PATIENCE)
        s.connect(f"{folder}/a.sock")
        s.sendall(b"?")
        pid = int(s.makefile().read())
    assert said(server, "a.ini", "started")["pid"] == pid
    became(server, "a.ini", "asleep", count=2)


def test_one_on_demand_whose_base_is_gone_keeps_its_caller(bases, vassals, folder):
    server = bases.govern("--emperor-on-demand-extension", ".at")
    (vassals.directory / "a.ini.at").write_text(f"{folder}/a.sock\n")
    vassals.write("a.ini", "loyal\nserve 1\n")
    became(server, "a.ini", "asleep")
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(programs.PATIENCE)
        s.connect(f"{folder}/a.sock")
        s.sendall(b"?")
        became(server, "a.ini", "waiting")
        bases.start_base()
        int(s.makefile().read())
    became(server, "a.ini", "asleep", count=2)


def test_reinforcements_are_forked_too(bases, vassals):
    server = bases.govern("--emperor-broodlord", 1)
    bases.start_base()
    vassals.write("a.ini", "loyal\nsos 1\n")
    zerg = said(server, "a.ini", "started", count=2)
    became(server, "a.ini:zerg", "ready")
    assert zerg["environ"]["LIEGE_BROODLORD_NUM"] == "1"
    assert of(server, "a.ini:zerg")["adopted"] == 1


@pytest.fixture
def attributes(govern, vassals, folder):
    """An Emperor whose vassals say themselves from where they are forked, with two bases."""
    server = govern("--emperor-fork-server-attr", "from", "--emperor-wrapper-attr", "run")
    for name in ("one", "two"):
        vassals.write(f"{name}.ini", f"fork-server {folder}/{name}.sock\n")
        server.wait_line(rf"vassal {name}\.ini: forks vassals at ")
    return server


def asks_for(attribute):
    return f"[emperor]\n{attribute}\n[liege]\nloyal =\n"


def test_each_vassal_may_name_its_base(attributes, vassals, folder):
    server = attributes
    vassals.write("a.ini", asks_for(f"from = {folder}/two.sock"))
    vassals.write("b.ini", asks_for("from = ../one.sock"))  # from its directory
    vassals.write("c.ini", asks_for("from ="))
    vassals.write("d.ini", asks_for(f"run = {VASSAL}\nfrom = {folder}/one.sock"))
    for name in "abcd":
        became(server, f"{name}.ini", "ready")
    assert of(server, "a.ini")["base"] == f"{folder}/two.sock"
    assert of(server, "b.ini")["base"] == f"{folder}/one.sock"
    assert of(server, "c.ini")["adopted"] == of(server, "d.ini")["adopted"] == 0


def names_base(folder, base, *more):
    return asks_for(f"from = {folder}/{base}.sock" if base else "from =") + "\n".join(more)


@pytest.mark.parametrize("first, then, adopted, why", [
    ("one", None, 0, "it has no base now"), (None, "one", 1, "its configuration changed")])
def test_another_base_means_another_start(attributes, vassals, folder, first, then, adopted, why):
    server = attributes
    vassals.write("a.ini", names_base(folder, first))
    became(server, "a.ini", "ready")
    pid = of(server, "a.ini")["pid"]
    vassals.write("a.ini", names_base(folder, then))
    assert became(server, "a.ini", "restarting") == why
    became(server, "a.ini", "ready", count=2)
    v = of(server, "a.ini")
    assert v["pid"] != pid and v["adopted"] == adopted
    assert v["base"] == (f"{folder}/{then}.sock" if then else "")


@pytest.mark.parametrize("first", ["two", None])
@pytest.mark.parametrize("there", [True, False])
def test_who_can_give_way_is_succeeded_by_one_from_another_base(
        attributes, vassals, folder, first, there):
    """When that is there: until then it goes on."""
    server, then = attributes, "one" if there else "three"
    vassals.write("a.ini", names_base(folder, first, "counts 1"))
    became(server, "a.ini", "ready")
    pid = of(server, "a.ini")["pid"]
    vassals.write("a.ini", names_base(folder, then, "counts 1", "new yes"))
    if not there:
        assert "new" in said(server, "a.ini", "reloaded")["words"]
        vassals.write("three.ini", f"fork-server {folder}/three.sock\n")
    server.wait_line(r"vassal a.ini: reloading -> ready, process \d+ has taken the place")
    v = of(server, "a.ini")
    assert v["pid"] != pid and (v["adopted"], v["base"]) == (1, f"{folder}/{then}.sock")
    assert server.log.find(r"vassal a\.ini: \w+ -> restarting") == []


def test_its_socket_on_demand_is_the_new_ones(govern, vassals, folder):
    server = govern("--emperor-fork-server-attr", "from", "--emperor-on-demand-extension", ".at")
    vassals.write("one.ini", f"fork-server {folder}/one.sock\n")
    became(server, "one.ini", "ready")
    (vassals.directory / "a.ini.at").write_text(f"{folder}/a.sock\n")
    vassals.write("a.ini", names_base(folder, None, "counts 1", "serve 9", "stay"))
    became(server, "a.ini", "asleep")

    def ask():
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(programs.PATIENCE)
            s.connect(f"{folder}/a.sock")
            s.sendall(b"?")
            return int(s.makefile().read())

    pid = ask()
    vassals.write("a.ini", names_base(folder, "one", "counts 1", "serve 9", "stay"))
    server.wait_line(r"vassal a.ini: reloading -> ready, process \d+ has taken the place")
    became(server, "a.ini:successor", "gone")
    assert ask() == of(server, "a.ini")["pid"] != pid


def test_who_cannot_is_started_anew_when_that_is_there_and_a_few_at_a_time(
        govern, vassals, folder):
    server = govern("--emperor-fork-server-attr", "from", "--emperor-spawn-parallel", 1)
    names = [f"{n}.ini" for n in range(6)]
    for name in names:
        vassals.write(name, names_base(folder, None))
        became(server, name, "ready")
    for name in names:
        vassals.write(name, names_base(folder, "one"))
        said(server, name, "reloaded")
        became(server, name, "ready", count=2)
    vassals.write("one.ini", f"fork-server {folder}/one.sock\n")
    for name in names:
        became(server, name, "ready", count=3)
        assert of(server, name)["adopted"] == 1
    server.wait_line(r"vassal \d.ini: ready -> outdated, its base is another one now")
    assert server.stop() == 0


def test_one_that_waits_for_a_base_may_choose_another_one(attributes, vassals, folder):
    server = attributes
    vassals.write("a.ini", asks_for(f"from = {folder}/three.sock"))
    became(server, "a.ini", "waiting")
    vassals.write("a.ini", asks_for(f"from = {folder}/one.sock"))
    became(server, "a.ini", "ready")
    vassals.write("b.ini", asks_for(f"from = {folder}/three.sock"))
    became(server, "b.ini", "waiting")
    vassals.write("b.ini", asks_for("from ="))
    became(server, "b.ini", "ready")


def test_an_address_that_is_none_fails_with_the_reason(attributes, vassals):
    vassals.write("a.ini", asks_for("from = 127.0.0.1:80"))
    assert "127.0.0.1:80 is no UNIX socket" in became(attributes, "a.ini", "backoff")


def test_who_claims_what_another_one_has_is_not_believed(attributes, vassals, folder):
    server = attributes
    vassals.write("thief.ini", f"fork-server {folder}/thief.sock\nclaims {folder}/one.sock\n")
    server.wait_line("vassal thief.ini: says that it forks vassals at .*, as vassal one.ini does")
    vassals.write("a.ini", asks_for(f"from = {folder}/one.sock"))
    became(server, "a.ini", "ready")


def test_who_was_forked_from_a_base_is_none(attributes, vassals, folder):
    """By the next one it would be gone, and everybody with it would wait."""
    server = attributes
    vassals.write("thief.ini", f"[emperor]\nfrom = {folder}/one.sock\n[liege]\n"
                               f"fork-server {folder}/thief.sock\n")
    server.wait_line("vassal thief.ini: says that it forks vassals, and is no base: it was forked "
                     "from one itself")
    vassals.write("a.ini", asks_for(f"from = {folder}/thief.sock"))
    became(server, "a.ini", "waiting")


@pytest.mark.parametrize("how", ["start", "upgrade"])
def test_only_who_is_named_is_a_base_if_any_is(govern, vassals, folder, how):
    at = f"{folder}/base.sock"
    arguments = ["--emperor-fork-server-attr", "from"]
    if how == "start":
        server = govern(*arguments, "--vassal-fork-base", BASE)
    else:
        config = folder / "emperor.conf"
        config.write_text("[liege]\n")
        server = govern(*arguments, "--config", config)
    vassals.write("thief.ini", f"fork-server {folder}/thief.sock\nclaims {at}\n")
    if how == "start":
        server.wait_line("vassal thief.ini: says that it forks vassals, and is no base: "
                         "vassal-fork-base names others")
    else:
        server.wait_line("vassal thief.ini: forks vassals at ")
        config.write_text(f"[liege]\nvassal-fork-base = {BASE}\n")
        server.kill(signal.SIGUSR2)
        server.wait_line("the upgrade is done")
    vassals.write("a.ini", asks_for(f"from = {at}"))
    became(server, "a.ini", "waiting")
    assert of(server, "thief.ini")["fork_server"] == ""
    vassals.write(BASE, f"fork-server {at}\n")
    became(server, "a.ini", "ready")
    assert never_backed_off(server)


def test_who_says_what_it_has_said_is_not_listened_to(bases, vassals):
    """How much is said cannot be used to keep the Emperor busy."""
    server = bases.govern()
    bases.start_base()
    base = of(server, BASE)["pid"]
    vassals.write("a.ini", "loyal\n")
    became(server, "a.ini", "ready")
    for n in range(20):
        os.kill(base, signal.SIGUSR1)
    vassals.write("b.ini", "loyal\n")
    became(server, "b.ini", "ready")
    assert len(server.log.find(f"vassal {BASE}: forks vassals at ")) == 1


@pytest.mark.parametrize("arguments, why", [
    (["--emperor-use-fork-server", "127.0.0.1:80"], "127.0.0.1:80 is no UNIX socket"),
    (["--emperor-use-fork-server", "/x/" + "y" * 200], "has at most 107 bytes"),
    (["--emperor-use-fork-serve", "/x", "--vassals-start-hook", "true"],
     "use hook-as-emperor-before-vassal"),
    (["--emperor-fork-server-attr", "x", "--vassals-start-hook", "true"],
     "use hook-as-emperor-before-vassal"),
    (["--emperor-fork-server-attr", "x", "--emperor-wrapper-override", "/x"],
     "emperor-wrapper-override chooses the program of each vassal"),
    (["--emperor-use-fork-server", "/x", "--emperor-wrapper-fallback", "/x"],
     "emperor-wrapper-fallback chooses the program of each vassal"),
    (["--vassal-fork-base", BASE], "no vassal is forked from base.ini")])
def test_what_cannot_be_done_is_refused_at_the_start(start, vassals, arguments, why):
    server = start("--emperor", vassals.directory, *arguments, "--check")
    assert server.wait() == 1
    assert server.log.find(why)


@pytest.mark.parametrize("how", ["asked", "waiting", "running"])
def test_an_upgrade_of_the_emperor_keeps_it(bases, vassals, how):
    server = bases.govern()
    if how == "asked":
        pid = pending(bases, vassals)
    elif how == "waiting":
        vassals.write("a.ini", "loyal\n")
        became(server, "a.ini", "waiting")
    else:
        bases.start_base()
        vassals.write("a.ini", "loyal\n")
        became(server, "a.ini", "ready")
    before = of(server, "a.ini")
    server.kill(signal.SIGUSR2)
    server.wait_line("the upgrade is done")
    if how == "asked":
        let_go(bases)
        assert said(server, "a.ini", "started")["pid"] == pid
    elif how == "waiting":
        bases.start_base()
    else:
        server.wait_line(says.EMPEROR_READY, count=2)
        assert of(server, "a.ini") == before
        vassals.write("b.ini", "loyal\n")  # its base is still known
        became(server, "b.ini", "ready")
        return
    became(server, "a.ini", "ready")
    assert starts(server) == 1 and of(server, "a.ini")["adopted"] == 1


def test_all_die_with_the_emperor(bases, vassals):
    server = bases.govern()
    bases.start_base()
    vassals.write("a.ini", "loyal\n")
    became(server, "a.ini", "ready")
    pids = server.descendants()
    server.kill(signal.SIGKILL)
    server.process.wait(programs.PATIENCE)
    assert not proc.wait_gone(pids)


def test_the_death_of_a_base_loses_and_doubles_nobody(bases, vassals):
    server = bases.govern("--emperor-spawn-parallel", 30, "--emperor-throttle", 1,
                          "--emperor-no-blacklist")
    bases.start_base()
    base = of(server, BASE)["pid"]
    names = [f"{n}.ini" for n in range(30)]
    for name in names:
        vassals.write(name, "loyal\n")
    became(server, names[3], "starting")
    os.kill(base, signal.SIGKILL)
    for name in names:
        became(server, name, "ready")
    running = {v["id"]: v["pid"] for v in stats.read(server.stats)["vassals"]}
    assert len(set(running.values())) == 31
    assert has_only(server, running.values())
    assert all(never_backed_off(server, name) for name in names)
