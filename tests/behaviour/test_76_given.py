# SPDX-License-Identifier: MIT
"""Vassals whose configuration is in no file: an operator gives it to the Emperor, which keeps it and
sends it over a pipe, of any size."""
import shutil
import signal
import subprocess

import pytest

from harness import programs, says, stats
from harness.client import Connection
from harness.foreign import became

CTL = programs.LIEGE.with_name("liegectl")


@pytest.fixture
def ctl(folder):
    """ctl(*arguments, text=): runs liegectl; -> the finished process"""
    def run(*arguments, text=""):
        return subprocess.run([CTL, "--socket", folder / "control.sock", *map(str, arguments)],
                              input=text, text=True, capture_output=True, check=False,
                              timeout=programs.PATIENCE)
    return run


@pytest.fixture
def govern_given(emperor, folder):
    return lambda *a, **kw: emperor("--emperor-control", folder / "control.sock", *a, **kw)


def site(folder, answer, padding=0):
    (folder / "who.py").write_text(
        "import os\ndef application(environ, start_response):\n"
        "    start_response('200 OK', [])\n    return [os.environ['WHO'].encode()]\n")
    return (f"[liege]\n{'; padding' * (padding // 9)}\nhttp-socket = {folder}/%n.sock\n"
            f"chdir = {folder}\nmodule = who\nenv = WHO={answer}\n")


def answer(at):
    with Connection(at) as c:
        return c.request().body


@pytest.mark.parametrize("size", [0, 100_000, 5 << 20])
def test_it_runs_reloads_and_goes(govern_given, ctl, folder, size):
    server = govern_given()
    done = ctl("add", "shop.ini", "--wait", text=site(folder, "first", size))
    assert (done.returncode, done.stderr) == (0, "")
    assert answer(folder / "shop.sock") == b"first"
    entry = stats.vassal(server.stats, "shop.ini")
    assert entry["state"] == "ready"
    assert ctl("add", "shop.ini", "--wait", text=site(folder, "second", size)).returncode == 0
    assert answer(folder / "shop.sock") == b"second"
    assert stats.vassal(server.stats, "shop.ini")["pid"] == entry["pid"]
    assert ctl("remove", "shop.ini").returncode == 0
    became(server, "shop.ini", "gone")
    assert server.stop() == 0


def test_one_whose_name_is_taken_has_another(govern_given, ctl, vassals, folder):
    server = govern_given()
    vassals.write("shop.ini", site(folder, "file"))
    became(server, "shop.ini", "ready")
    done = ctl("add", "shop.ini", "--wait", "--json",
               text=site(folder, "given").replace("%n.sock", "given.sock"))
    assert '"vassal": "given://shop.ini"' in done.stdout.replace('":"', '": "')
    assert answer(folder / "given.sock") == b"given"
    assert ctl("remove", "shop.ini").returncode == 0
    became(server, "given://shop.ini", "gone")
    assert answer(folder / "shop.sock") == b"file"


def test_a_text_that_is_wrong_keeps_the_old_generation(govern_given, ctl, folder):
    govern_given()
    assert ctl("add", "shop.ini", "--wait", text=site(folder, "first")).returncode == 0
    done = ctl("add", "shop.ini", "--wait", text=site(folder, "x") + "processes = many\n")
    assert done.returncode == 1 and "old one goes on serving" in done.stdout + done.stderr
    assert answer(folder / "shop.sock") == b"first"


def test_other_formats_and_a_crash(govern_given, ctl, folder):
    server = govern_given()
    text = f"liege:\n  http-socket: {folder}/a.sock\n  wsgi-file: {programs.APPS}/python/web.py\n"
    assert ctl("add", "a.yaml", "--wait", text=text).returncode == 0
    pid = stats.vassal(server.stats, "a.yaml")["pid"]
    with Connection(folder / "a.sock") as c:
        assert c.request("/pid").status == 200
    server.wait_line("a.yaml.*has answered a request|serves")
    subprocess.run(["kill", "-9", str(pid)], check=True)
    became(server, "a.yaml", "ready", count=2)
    with Connection(folder / "a.sock") as c:
        assert c.request("/pid").status == 200


def test_on_demand(govern_given, ctl, folder):
    server = govern_given()
    at = folder / "sleeper.sock"
    text = site(folder, "awake").replace(f"http-socket = {folder}/%n.sock", f"http-socket = {at}")
    assert ctl("add", "sleeper.ini", "--on-demand", at, text=text).returncode == 0
    became(server, "sleeper.ini", "asleep")
    assert answer(at) == b"awake"


def test_an_upgrade_keeps_them(govern_given, ctl, folder):
    server = govern_given()
    assert ctl("add", "shop.ini", "--wait", text=site(folder, "first")).returncode == 0
    pid = stats.vassal(server.stats, "shop.ini")["pid"]
    assert ctl("upgrade").returncode == 0
    server.wait_line("the upgrade is done: 1 vassals go on")
    server.wait_line(says.EMPEROR_READY, count=2)
    assert stats.vassal(server.stats, "shop.ini")["pid"] == pid
    assert server.log.find("ready -> ") == []
    assert ctl("reload", "shop.ini", "--wait").returncode == 0
    assert answer(folder / "shop.sock") == b"first"
    assert ctl("add", "shop.ini", "--wait", text=site(folder, "second")).returncode == 0
    assert answer(folder / "shop.sock") == b"second"


ENDS_ONE = """#!/bin/sh
case "$*" in
*--check*) ;;
*) kill -KILL {pid} ;;
esac
exec {liege} "$@"
"""


def test_one_whose_turn_comes_with_an_upgrade_has_its_configuration(start, vassals, ctl, folder):
    """The vassal that it waited for ends while the new program comes up."""
    program, vassal = folder / "liege", folder / "vassal"
    vassal.write_text('#!/bin/sh\necho "$$ was told: $*."\n'
                      'exec head -c 1 <&$LIEGE_EMPEROR_FD\n')
    vassal.chmod(0o755)
    shutil.copy2(programs.LIEGE, program)
    server = start("--emperor", vassals.directory, "--emperor-control", folder / "control.sock",
                   "--emperor-spawn-parallel", 1, "--binary-path", vassal, program=program)
    server.wait_line(says.EMPEROR_READY)
    assert ctl("add", "first.ini", text="[liege]\n").returncode == 0
    pid = server.wait_line(r"(\d+) was told: .*emperor://first\.ini").group(1)
    assert ctl("add", "shop.ini", text="[liege]\n").returncode == 0
    became(server, "shop.ini", "waiting")
    program.unlink()
    program.write_text(ENDS_ONE.format(liege=programs.LIEGE, pid=pid))
    program.chmod(0o755)
    server.kill(signal.SIGUSR2)
    server.wait_line("the upgrade is done: 2 vassals go on")
    assert "emperor://shop.ini" in server.wait_line(r"was told: .*shop\.ini.*").group()


@pytest.mark.parametrize("arguments, complaint", [
    (("add", "shop"), "no name of a configuration"),
    (("add", "../shop.ini"), "no name of a configuration"),
    (("remove", "none.ini"), "no configuration called none.ini was added"),
    (("remove", "file.ini"), "remove that"),
])
def test_refused(govern_given, vassals, ctl, folder, arguments, complaint):
    vassals.write("file.ini", site(folder, "x"))
    server = govern_given()
    became(server, "file.ini", "ready")
    done = ctl(*arguments, text="[liege]\n")
    assert done.returncode == 1 and complaint in done.stderr
    server.kill(signal.SIGUSR1)


GREEDY = """#!/usr/bin/python3
import os
emperor, config = int(os.environ["UWSGI_EMPEROR_FD"]), int(os.environ["UWSGI_EMPEROR_FD_CONFIG"])
os.read(config, 1000)
os.write(emperor, bytes([2]) * 50000 + bytes([1]))  # ready, when all that is heard
os.read(emperor, 1)
os.close(config)
os.write(emperor, bytes([2]) * 50000 + bytes([1]))
os.read(emperor, 1)
"""


def test_a_vassal_that_asks_all_the_time_holds_up_nobody(govern_given, ctl, folder):
    """It does not read what it asks for, and then not even can."""
    program = folder / "greedy"
    program.write_text(GREEDY)
    program.chmod(0o755)
    server = govern_given("--binary-path", program)
    for n in range(2):
        text = f"; {n}\n" + "; padding\n" * 500_000
        done = ctl("add", "shop.ini", "--wait", text=text)
        assert done.returncode == 0, done.stderr
    assert len(server.log.find("configuration")) < 500
