# SPDX-License-Identifier: MIT
"""A vassal that is an Emperor itself."""
import shutil
import signal

import pytest

from harness import proc, programs, stats
from harness.foreign import VASSAL, became, said


@pytest.fixture
def empire(emperor, vassals, folder):
    """An Emperor with one vassal, sub.ini, which is an Emperor over folder/sub with one vassal,
    a.ini. -> (server, what a.ini says of its start)"""
    below = folder / "sub"
    below.mkdir()
    (below / "a.ini").write_text("loyal\n")
    vassals.write("sub.ini", config(folder))
    server = emperor()
    became(server, "sub.ini", "ready")
    return server, said(server, "a.ini", "started")


def config(folder, more=""):
    return (f"[liege]\nemperor = {folder}/sub\nemperor-stats = {folder}/sub.sock\n"
            f"binary-path = {VASSAL}\n{more}")


def test_it_is_ready_loyal_and_rules(empire, folder):
    server, started = empire
    entry = stats.vassal(server.stats, "sub.ini")
    assert entry["state"] == "ready" and entry["loyal"] == 1
    assert started["environ"]["LIEGE_VASSALS_DIR"] == str(folder / "sub")
    below = stats.read(str(folder / "sub.sock"))
    assert below["pid"] == entry["pid"] and [v["id"] for v in below["vassals"]] == ["a.ini"]


def test_a_reload_takes_its_configuration_and_keeps_its_vassals(empire, vassals, folder):
    server, started = empire
    vassals.write("sub.ini", config(folder, "vassal-set = processes=7\n"))
    became(server, "sub.ini", "ready", count=2)
    (folder / "sub" / "b.ini").write_text("loyal\n")
    assert "processes=7" in said(server, "b.ini", "started")["arguments"]
    pids = {v["id"]: v["pid"] for v in stats.read(str(folder / "sub.sock"))["vassals"]}
    assert pids["a.ini"] == started["pid"]


def test_a_mistake_keeps_it_as_it_is(empire, vassals, folder):
    server, started = empire
    vassals.write("sub.ini", config(folder, "emperor-throttle = soon\n"))
    server.wait_line("emperor-throttle: 'soon'|soon")
    assert "refused" in became(server, "sub.ini", "ready", count=2)
    assert proc.alive(started["pid"])


@pytest.mark.parametrize("trial, why", [
    (None, "its configuration is refused"), ("rm $0", "the new program cannot be run")])
def test_a_program_that_cannot_be_run_keeps_it_as_it_is(emperor, vassals, folder, trial, why):
    program = shutil.copy2(programs.LIEGE, folder / "liege")
    (folder / "sub").mkdir()
    (folder / "sub" / "a.ini").write_text("loyal\n")
    vassals.write("sub.ini", config(folder))
    server = emperor("--binary-path", program, program=program)
    became(server, "sub.ini", "ready")
    started = said(server, "a.ini", "started")
    program.unlink()
    if trial:
        program.write_text(f"#!/bin/sh\n{trial}\n")
        program.chmod(0o755)
    vassals.touch("sub.ini")
    assert why in became(server, "sub.ini", "ready", count=2)
    assert proc.alive(started["pid"])
    assert server.stop() == 0


@pytest.mark.parametrize("end", ["remove", "stop", "kill"])
def test_its_vassals_go_with_it(empire, vassals, end):
    server, started = empire
    if end == "remove":
        vassals.remove("sub.ini")
        became(server, "sub.ini", "gone")
    elif end == "stop":
        assert server.stop() == 0
    else:
        server.kill(signal.SIGKILL)
        server.wait()
    assert not proc.wait_gone([started["pid"]])
