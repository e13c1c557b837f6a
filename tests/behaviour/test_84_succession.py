# SPDX-License-Identifier: MIT
"""What becomes of vassals when the base that they were forked from has something newer: each is
succeeded by another one, which takes its place when it serves. They and their base are apps/foreign."""
import contextlib
import os
import pathlib
import signal
import subprocess

import pytest

from harness import proc, programs, says, stats
from harness.foreign import became, has_only, said
from harness.load import Load

BASE = "base.ini"


class Empire:
    """An Emperor whose vassals are forked from base.ini."""

    def __init__(self, govern, vassals, folder):
        self.vassals, self.folder = vassals, folder
        self.address = f"{folder}/base.sock"
        self.control = folder / "control.sock"
        self._govern = govern
        self.server = None
        self.serial = 1

    def govern(self, *arguments, **kw):
        self.server = self._govern("--emperor-use-fork-server", self.address,
                                   "--vassal-fork-base", BASE, "--emperor-control", self.control,
                                   *arguments, **kw)
        self.vassals.write(BASE, f"fork-server {self.address}\n")
        self.forks(1)
        return self.server

    def forks(self, generation, **kw):
        self.server.wait_line(rf"vassal {BASE}: forks vassals at .*, from generation {generation}$",
                              **kw)

    def renew(self, *words):
        """The base has something new."""
        self.serial += 1
        lines = [f"fork-server {self.address}", f"n {self.serial}", *words]
        self.vassals.write(BASE, "\n".join(lines) + "\n")
        self.forks(self.serial)

    def start(self, name="a.ini", text="loyal\n"):
        """-> its pid"""
        self.vassals.write(name, text)
        became(self.server, name, "ready")
        return self.of(name)["pid"]

    def of(self, name="a.ini"):
        return stats.wait(self.server.stats, name, lambda v: True)

    def succeeded(self, name="a.ini", count=1):
        """Until it is; -> its entry in the statistics then"""
        self.server.wait_line(rf"vassal {name}: reloading -> ready, process \d+ has taken the place",
                              count=count)
        return self.of(name)

    def kept(self, count=2):
        return became(self.server, "a.ini", "ready", count=count)

    def liegectl(self, *arguments):
        return subprocess.run([programs.BUILD / "liegectl", "--socket", self.control, *arguments],
                              text=True, capture_output=True, check=False,
                              timeout=programs.PATIENCE)

    def alone(self):
        """Nobody is there but the base and those that are in the statistics."""
        entries = stats.read(self.server.stats)["vassals"]
        assert not [v["id"] for v in entries if "successor" in v["id"]]
        assert has_only(self.server, [v["pid"] for v in entries if v["pid"] > 0])


@pytest.fixture
def empire(govern, vassals, folder):
    return Empire(govern, vassals, folder)


def gone(empire, name="a.ini:successor", **kw):
    became(empire.server, name, "gone", **kw)


@pytest.mark.plain
def test_it_is_succeeded_by_one_from_the_newer_base(empire):
    server = empire.govern()
    pid = empire.start()
    before = empire.of()
    empire.renew()
    v = empire.succeeded()
    assert v["pid"] != pid and (v["adopted"], v["base_generation"]) == (1, 2)
    assert v["respawns"] == before["respawns"] + 1 and v["loyal"] == 1
    assert said(server, "a.ini", "stop")["byte"] == 2
    gone(empire)
    assert not proc.alive(pid)
    empire.alone()
    assert server.stop() == 0


def test_all_are_and_as_many_at_a_time_as_start_at_a_time(empire):
    empire.govern("--emperor-spawn-parallel", 2)
    names = [f"{n}.ini" for n in range(8)]
    pids = {name: empire.start(name) for name in names}
    empire.renew()
    for name in names:
        v = empire.succeeded(name)
        assert v["pid"] != pids[name] and v["base_generation"] == 2
        gone(empire, f"{name}:successor")
    empire.alone()


def test_one_that_is_on_its_way_up_is_succeeded_when_it_is_there(empire):
    server = empire.govern()
    empire.vassals.write("a.ini", "unready\n")
    pid = said(server, "a.ini", "started")["pid"]
    empire.renew()
    assert empire.of()["state"] == "starting"
    empire.vassals.write("a.ini", "loyal\n")  # serves nobody: it is started anew, from the new one
    became(server, "a.ini", "ready")
    assert not proc.alive(pid) and empire.of()["base_generation"] == 2


def test_its_log_and_its_files_are_those_of_the_new_one(empire, folder):
    included = folder / "included"
    included.write_text("")
    server = empire.govern()
    empire.start(text=f"loyal\nfile {included}\n")
    empire.renew()
    pid = empire.succeeded()["pid"]
    lines = empire.liegectl("log", "a.ini").stdout
    assert '"event": "gives way"' in lines and f'"event": "started", "pid": {pid}' in lines
    gone(empire)
    included.write_text("new\n")
    assert said(server, "a.ini", "reloaded")["pid"] == pid


def test_a_file_that_has_changed_since_the_new_one_read_it_is_read_again(empire, folder):
    included = folder / "included"
    included.write_text("")
    server = empire.govern()
    heir = waiting_heir(empire, f"heir-reads {included}")[1]
    empire.of()  # until it has heard of the file
    included.write_text("new\n")
    go(empire)
    empire.succeeded()
    assert said(server, "a.ini", "reloaded")["pid"] == heir


def test_one_that_is_put_back_waits_for_all_that_ran_before(empire):
    server = empire.govern("--emperor-curse-tolerance", 60)
    old = empire.start(text="loyal\ndeaf\n")
    empire.vassals.write("a.ini", "loyal\n")
    became(server, "a.ini", "ready", count=2)
    empire.renew()
    heir = empire.succeeded()["pid"]
    became(server, "a.ini:successor", "stopping")
    empire.vassals.remove("a.ini")
    assert not proc.wait_gone([heir])
    empire.vassals.write("a.ini", "loyal\n")
    became(server, "a.ini", "restarting")
    assert empire.of()["state"] == "restarting" and proc.alive(old)
    os.kill(old, signal.SIGKILL)
    words = said(server, "a.ini", "started", count=3)
    became(server, "a.ini", "ready", count=4)
    assert words["pid"] == empire.of()["pid"]
    empire.alone()


def test_the_next_reload_is_one_as_any(empire):
    server = empire.govern()
    empire.start()
    empire.renew()
    pid = empire.succeeded()["pid"]
    gone(empire)
    empire.vassals.touch("a.ini")
    assert said(server, "a.ini", "reloaded")["pid"] == pid


def test_heartbeats_are_expected_of_who_has_begun_with_them(empire):
    server = empire.govern("--emperor-required-heartbeat", 1)
    empire.start(text="loyal\nheir-beats 1\n")
    empire.renew()
    pid = empire.succeeded()["pid"]
    server.wait_line(r"vassal a.ini: ready -> reloading, it has sent no heartbeat for 1\.0 s")
    assert said(server, "a.ini", "reloaded")["pid"] == pid


def test_an_end_after_it_is_one_of_the_new_one(empire):
    server = empire.govern("--emperor-throttle", 1)
    empire.start()
    empire.renew()
    pid = empire.succeeded()["pid"]
    os.kill(pid, signal.SIGKILL)
    became(server, "a.ini", "ready", count=3)
    gone(empire)
    empire.alone()


@pytest.mark.parametrize("text, why", [
    ("heir 1", "exited with code 1"), ("stubborn", "exited with code 1"),
    ("heir 26", "exited with code 26")])
def test_one_that_cannot_take_its_place_leaves_it_there(empire, text, why):
    empire.govern()
    pid = empire.start(text=f"loyal\n{text}\n")
    empire.renew()
    assert why in empire.kept()
    gone(empire)
    v = empire.of()
    assert (v["pid"], v["state"], v["base_generation"]) == (pid, "ready", 1)
    empire.alone()
    empire.renew()
    assert why in empire.kept(3)
    gone(empire, count=2)


def test_one_that_could_not_be_succeeded_is_when_its_configuration_is_another_one(empire):
    empire.govern()
    pid = empire.start(text="loyal\nheir 1\n")
    empire.renew()
    empire.kept()
    gone(empire)
    empire.vassals.write("a.ini", "loyal\n")
    v = empire.succeeded()
    assert v["pid"] != pid and v["base_generation"] == 2
    gone(empire, count=2)
    empire.alone()


def test_one_that_could_not_be_succeeded_is_tried_again_when_an_operator_says_so(empire):
    server = empire.govern()
    included = empire.folder / "included"
    pid = empire.start(text=f"loyal\nheir 1\nfile {included}\n")
    empire.renew()
    empire.kept()
    gone(empire)
    done = empire.liegectl("reload", "a.ini", "--wait")
    assert done.returncode == 1 and "the new generation could not be started" in done.stderr
    gone(empire, count=2)
    assert said(server, "a.ini", "reloaded")["pid"] == empire.of()["pid"] == pid
    after = server.log.mark()
    included.touch()  # which is no reason to think that it would do better now
    assert said(server, "a.ini", "reloaded", after=after)["pid"] == pid
    became(server, "a.ini", "ready", after=after)
    assert server.log.find("a.ini:successor", after=after) == []


def test_the_old_one_loads_what_its_configuration_says_now_if_no_other_one_can(empire):
    """Also if it was about to when its base was renewed."""
    server = empire.govern()
    pid = empire.start(text="loyal\nheir 1\n")
    empire.vassals.write("a.ini", "loyal\nheir 1\nsays 5\n")  # it goes on reloading for ever
    assert said(server, "a.ini", "reloaded")["pid"] == pid
    empire.renew()
    assert empire.of()["state"] == "reloading"
    assert server.log.find("a.ini:successor") == []
    empire.vassals.write("a.ini", "loyal\nheir 1\nnew yes\n")
    words = said(server, "a.ini", "reloaded", count=2)
    assert words["pid"] == pid and "new" in words["words"]
    became(server, "a.ini", "ready", count=2)
    gone(empire)
    assert (empire.of()["pid"], empire.of()["base_generation"]) == (pid, 1)
    empire.alone()


def test_those_whose_turn_has_not_come_when_their_base_dies_do_nothing_until_it_is_back(empire):
    """Not even reload, which would be for nothing."""
    server = empire.govern("--emperor-spawn-parallel", 1, "--emperor-throttle", 1)
    names = [f"{n}.ini" for n in range(6)]
    pids = {name: empire.start(name) for name in names}
    base = empire.of(BASE)["pid"]
    empire.renew("answers 1")  # dies when the first of them is to be forked
    server.wait_line(rf"vassal {BASE}: ready -> .* killed by signal 9")
    empire.vassals.write(BASE, f"fork-server {empire.address}\n")
    for name in names:
        empire.succeeded(name)
        assert stats.wait(server.stats, name, lambda v: v["state"] == "ready")["pid"] != pids[name]
    assert empire.of(BASE)["pid"] != base
    assert server.log.find('"event": "reloaded"') == []


def test_one_that_is_not_ready_in_time_leaves_it_there(empire):
    config = empire.folder / "emperor.ini"
    config.write_text("[liege]\n")
    server = empire.govern("--config", config)
    pid = empire.start(text="loyal\nheir-waits /nothing\n")
    config.write_text("[liege]\nemperor-start-timeout = 1\n")  # only now: all others may be slow
    server.kill(signal.SIGUSR2)
    server.wait_line("the upgrade is done")
    empire.renew()
    assert "it is not ready in time" in empire.kept()
    gone(empire)
    v = empire.of()
    assert (v["pid"], v["state"], v["base_generation"]) == (pid, "ready", 1)
    empire.alone()


def waiting_heir(empire, *more):
    """A vassal that is being succeeded, by one that is not ready yet; -> the pids of both"""
    pid = empire.start(text="\n".join(["loyal", f"heir-waits {empire.folder}/go", *more, ""]))
    empire.renew()
    heir = said(empire.server, "a.ini", "succeeds")["pid"]
    return pid, heir


def go(empire):
    pathlib.Path(f"{empire.folder}/go").touch()


def test_it_is_removed_meanwhile(empire):
    server = empire.govern()
    pids = waiting_heir(empire)
    empire.vassals.remove("a.ini")
    became(server, "a.ini", "gone")
    gone(empire)
    assert not proc.wait_gone(pids)
    empire.alone()


def test_it_is_stopped_and_started_meanwhile(empire):
    empire.govern()
    pids = waiting_heir(empire)
    assert empire.liegectl("stop", "a.ini", "--wait").returncode == 0
    gone(empire)
    assert not proc.wait_gone(pids)
    assert empire.liegectl("start", "a.ini", "--wait").returncode == 0
    assert empire.of()["base_generation"] == 2
    empire.alone()


def test_it_dies_meanwhile(empire):
    server = empire.govern("--emperor-throttle", 1)
    pids = waiting_heir(empire)
    os.kill(pids[0], signal.SIGKILL)
    became(server, "a.ini", "ready", count=2)
    gone(empire)
    assert not proc.wait_gone(pids)
    empire.alone()


def test_its_successor_dies_meanwhile(empire):
    empire.govern()
    pids = waiting_heir(empire)
    os.kill(pids[1], signal.SIGKILL)
    assert "killed by signal 9" in empire.kept()
    gone(empire)
    assert empire.of()["pid"] == pids[0]
    empire.alone()


def test_its_configuration_changes_meanwhile(empire):
    server = empire.govern()
    pid, heir = waiting_heir(empire)
    empire.vassals.write("a.ini", "loyal\nnew yes\n")
    v = empire.succeeded()
    assert v["pid"] not in (pid, heir) and v["respawns"] == 2
    words = said(server, "a.ini", "started", count=2)
    assert words["pid"] == v["pid"] and "new" in words["words"]
    assert not proc.wait_gone([pid, heir])
    empire.alone()


def test_its_base_is_renewed_once_more_meanwhile(empire):
    server = empire.govern()
    pid, heir = waiting_heir(empire)
    go(empire)
    empire.renew()
    stats.wait(server.stats, "a.ini", lambda v: v["base_generation"] == 3 and v["state"] == "ready")
    assert not proc.wait_gone([pid, heir])


def test_its_base_dies_meanwhile(empire):
    empire.govern("--emperor-throttle", 1)
    pid, heir = waiting_heir(empire)
    os.kill(empire.of(BASE)["pid"], signal.SIGKILL)
    go(empire)
    assert empire.succeeded()["pid"] == heir


def test_the_emperor_is_told_to_stop_meanwhile(empire):
    server = empire.govern()
    pids = waiting_heir(empire)
    assert server.stop() == 0
    assert not proc.wait_gone(pids, timeout=0)


@pytest.mark.parametrize("when", ["under way", "almost over"])
def test_the_emperor_is_upgraded_meanwhile(empire, when):
    server = empire.govern("--emperor-curse-tolerance", 2)
    pid, heir = waiting_heir(empire, *["deaf"] * (when == "almost over"))
    if when == "almost over":
        go(empire)
        empire.succeeded()
        became(server, "a.ini:successor", "stopping")
    server.kill(signal.SIGUSR2)
    server.wait_line("the upgrade is done")
    go(empire)
    if when == "under way":
        v = empire.succeeded()
        assert v["pid"] not in (pid, heir) and not proc.wait_gone([heir])
    else:
        server.wait_line(says.EMPEROR_READY, count=2)
        assert empire.of()["pid"] == heir
    assert not proc.wait_gone([pid])
    gone(empire)


def test_a_base_that_cannot_load_it_changes_nothing(empire):
    server = empire.govern()
    pid = empire.start()
    empire.vassals.write(BASE, f"fork-server {empire.address}\nkept\n")
    server.wait_line(rf"vassal {BASE}: reload failed")
    assert empire.of()["pid"] == pid
    assert server.log.find("a.ini:successor") == []


def test_a_base_that_is_only_started_again_changes_nothing_until_a_reload(empire):
    server = empire.govern("--emperor-throttle", 1)
    pid = empire.start()
    os.kill(empire.of(BASE)["pid"], signal.SIGKILL)
    empire.forks(1, count=2)
    assert empire.of()["pid"] == pid
    assert server.log.find("a.ini:successor") == []
    empire.vassals.touch("a.ini")
    assert empire.succeeded()["pid"] != pid


def test_an_update_reaches_those_that_are_older_than_the_process_of_their_base(empire):
    empire.govern("--emperor-throttle", 1)
    pid = empire.start()
    os.kill(empire.of(BASE)["pid"], signal.SIGKILL)
    empire.forks(1, count=2)
    young = empire.start("b.ini")
    empire.renew()
    assert empire.succeeded()["pid"] != pid and empire.succeeded("b.ini")["pid"] != young
    assert empire.of()["base_generation"] == empire.of("b.ini")["base_generation"] == 2


def test_a_base_that_was_taken_away_and_put_back_has_something_new(empire):
    server = empire.govern()
    pid = empire.start()
    empire.vassals.remove(BASE)
    became(server, BASE, "gone")
    empire.vassals.write(BASE, f"fork-server {empire.address}\n")
    assert empire.succeeded()["pid"] != pid


@pytest.mark.parametrize("how", ["asked for", "by itself"])
def test_an_upgrade_of_the_emperor_forgets_no_update(empire, how):
    server = empire.govern("--emperor-throttle", 1)
    pid = empire.start()
    os.kill(empire.of(BASE)["pid"], signal.SIGKILL)
    empire.forks(1, count=2)
    server.kill(signal.SIGUSR2)
    server.wait_line(says.EMPEROR_READY, count=2)
    if how == "by itself":
        empire.renew()
    else:
        empire.vassals.touch("a.ini")
    assert empire.succeeded()["pid"] != pid


APP = """
VERSION = "{}"
def application(environ, start_response):
    start_response("200 OK", [])
    return [VERSION.encode()]
"""


@pytest.fixture
def site(emperor, vassals, folder):
    """An Emperor with a base that has loaded pages.py, and three vassals that serve what it has.
    -> (the Emperor, their sockets)"""
    names = ["one.ini", "two.ini", "three.ini"]
    (folder / "pages.py").write_text(APP.format("first"))
    vassals.write(BASE, f"[liege]\nfork-server = {folder}/base.sock\nearly-wsgi = {folder}/pages.py\n")
    for name in names:
        vassals.write(name, f"[liege]\nhttp-socket = {folder}/%n.sock\nprocesses = 2\n")
    server = emperor("--emperor-use-fork-server", folder / "base.sock", "--vassal-fork-base", BASE)
    for name in names:
        became(server, name, "ready")
    return server, {name: str(folder / name.replace(".ini", ".sock")) for name in names}


@pytest.mark.plain
def test_no_request_is_lost_when_the_application_of_a_base_is_updated(site, vassals, folder):
    server, sockets = site
    with contextlib.ExitStack() as stack:
        loads = [stack.enter_context(Load(at, keep_alive=2, per_request=2, pause=0.001))
                 for at in sockets.values()]
        for n in range(1, 4):
            (folder / "pages.py").write_text(APP.format(f"update {n}"))
            vassals.touch(BASE)
            for name, load in zip(sockets, loads):
                server.wait_line(rf"vassal {name}: reloading -> ready, process", count=n)
                became(server, f"{name}:successor", "gone", count=n)
                load.wait_for(50)
    for load in loads:
        load.assert_clean()
        assert set(load.bodies) == {b"first", b"update 1", b"update 2", b"update 3"}


def test_no_request_is_lost_when_vassals_get_a_base_by_an_upgrade_of_the_emperor(
        start, vassals, folder):
    """They go on while the base loads, and if it does not."""
    pages, conf, names = folder / "pages.py", folder / "emperor.ini", ["one.ini", "two.ini"]
    text = f"[liege]\nemperor = {vassals.directory}\nemperor-stats = {folder}/stats.sock\n"
    conf.write_text(text)
    pages.write_text(APP.format("exec"))
    for name in names:
        vassals.write(name, f"[liege]\nhttp-socket = {folder}/%n.sock\nprocesses = 2\n"
                            f"wsgi-file = {pages}\n")
    server = start("--ini", conf)
    for name in names:
        became(server, name, "ready")
    with contextlib.ExitStack() as stack:
        loads = [stack.enter_context(Load(folder / f"{name[:-4]}.sock", keep_alive=2, per_request=2))
                 for name in names]
        conf.write_text(f"{text}emperor-use-fork-server = {folder}/base.sock\n"
                        f"vassal-fork-base = {BASE}\n")
        base = f"[liege]\nfork-server = {folder}/base.sock\nearly-wsgi = "
        vassals.write(BASE, f"{base}{folder}/nothing.py\n")
        server.kill(signal.SIGUSR2)
        became(server, BASE, "backoff")
        for load in loads:
            load.wait_for(50)
        pids = {name: stats.vassal(f"{folder}/stats.sock", name)["pid"] for name in names}
        vassals.write(BASE, f"{base}{pages}\n")
        for name, load in zip(names, loads):
            server.wait_line(rf"vassal {name}: reloading -> ready, process \d+ has taken")
            became(server, f"{name}:successor", "gone")
            load.wait_for(50)
            v = stats.vassal(f"{folder}/stats.sock", name)
            assert v["adopted"] == 1 and v["pid"] != pids[name]
    for load in loads:
        load.assert_clean()
    assert server.log.find(r"-> restarting") == []


@pytest.mark.plain
def test_an_application_that_does_not_load_changes_nothing(site, vassals, folder):
    server, sockets = site
    with Load(sockets["one.ini"], keep_alive=2, per_request=2) as load:
        (folder / "pages.py").write_text("import nothing_of_this_name\n")
        vassals.touch(BASE)
        assert "nothing_of_this_name" in became(server, BASE, "ready", count=2)
        load.wait_for(50)
    load.assert_clean()
    assert set(load.bodies) == {b"first"}
    assert stats.vassal(server.stats, BASE)["generation"] == 1


def test_hooks_are_run_for_each_process(empire, folder):
    server = empire.govern(
        "--hook-as-emperor-before-vassal", f"exec:echo before $UWSGI_VASSAL_CONFIG >> {folder}/hooks",
        "--hook-as-emperor", f"exec:echo $UWSGI_VASSAL_PID >> {folder}/hooks",
        "--vassals-stop-hook", f"echo stop >> {folder}/hooks; true")
    pid = empire.start()
    empire.renew()
    heir = empire.succeeded()["pid"]
    gone(empire)
    assert server.stop() == 0
    lines = (folder / "hooks").read_text().splitlines()
    assert lines.count("before a.ini") == 2 and lines.count("stop") == 2  # with that of the base
    assert lines.index(str(pid)) < lines.index(str(heir))


def test_a_given_configuration_goes_to_the_successor(emperor, vassals, folder):
    """It is in no file, and is sent over a pipe."""
    (folder / "pages.py").write_text(APP.format("first"))
    vassals.write(BASE, f"[liege]\nfork-server = {folder}/base.sock\nearly-wsgi = {folder}/pages.py\n")
    server = emperor("--emperor-use-fork-server", folder / "base.sock", "--vassal-fork-base", BASE,
                     "--emperor-control", folder / "control.sock")

    def add(processes):
        done = subprocess.run(
            [programs.BUILD / "liegectl", "--socket", folder / "control.sock", "add", "shop.ini",
             "--wait"], text=True, timeout=programs.PATIENCE, check=False,
            input=f"[liege]\nhttp-socket = {folder}/shop.sock\nprocesses = {processes}\n")
        assert done.returncode == 0

    add(1)
    with Load(folder / "shop.sock", keep_alive=1, per_request=1) as load:
        (folder / "pages.py").write_text(APP.format("second"))
        vassals.touch(BASE)
        server.wait_line("vassal shop.ini: reloading -> ready, process")
        became(server, "shop.ini:successor", "gone")
        add(2)
        assert stats.wait(server.stats, "shop.ini", lambda v: v["workers"] == 2)["adopted"] == 1
        load.wait_for(20)
    load.assert_clean()
    assert set(load.bodies) == {b"first", b"second"}
