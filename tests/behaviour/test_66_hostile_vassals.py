# SPDX-License-Identifier: MIT
"""Vassals that say anything at all to their Emperor, and harm nobody but themselves."""
import collections
import time

import pytest

from harness import proc, programs, stats
from harness.foreign import became, start_one

HOSTILE = programs.APPS / "foreign" / "hostile"
N_HOSTILE = 3
N_ZERGS = 2


def watches(pid):
    """How many places it watches."""
    found = 0
    for number, what in proc.descriptors(pid).items():
        if what == "anon_inode:inotify":
            with open(f"/proc/{pid}/fdinfo/{number}") as file:
                found += file.read().count("inotify wd:")
    return found


def measure(server):
    """What the Emperor has."""
    return collections.Counter(descriptors=len(proc.descriptors(server.pid)),
                               watches=watches(server.pid), memory=proc.memory(server.pid)["Rss"])


def reload_good_one(server, vassals, n):
    """-> how many seconds its reload number @n took, by the statistics."""
    began = time.monotonic()
    vassals.touch("good.ini")
    while True:
        entry = stats.vassal(server.stats, "good.ini")
        took = time.monotonic() - began
        if entry["respawns"] == n and entry["state"] == "ready":
            return took
        assert took < programs.PATIENCE, entry


@pytest.mark.parametrize("seconds", [4, pytest.param(60, marks=pytest.mark.soak)])
@pytest.mark.plain
def test_nobody_else_is_affected(govern, vassals, folder, seconds):
    server = govern("--emperor-wrapper-attr", "program", "--emperor-throttle", "10",
                    "--emperor-curse-tolerance", "0.3", "--emperor-broodlord", N_ZERGS)
    good = start_one(server, vassals, "good.ini")
    before = measure(server)
    for i in range(N_HOSTILE):
        home = folder / f"home{i}"
        home.mkdir()
        vassals.write(f"{i}.ini", f"[emperor]\nprogram = {HOSTILE}\n[it]\nfolder = {home}\n")

    most, slowest, n = measure(server), 0, 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        n += 1
        slowest = max(slowest, reload_good_one(server, vassals, n))
        most |= measure(server)
    respawns = sum(v["respawns"] for v in stats.read(server.stats)["vassals"])
    assert respawns - n > N_HOSTILE * seconds / 4  # they were as busy as they should be
    assert stats.vassal(server.stats, "good.ini")["pid"] == good["pid"]
    assert server.log.find("cannot watch everything|looking at everything") == []
    n_all = N_HOSTILE + N_ZERGS
    assert most["descriptors"] - before["descriptors"] <= n_all * 4 + 2
    assert most["watches"] - before["watches"] <= n_all * 16
    if not programs.sanitized():
        assert most["memory"] - before["memory"] < 8 << 20
        assert slowest < 1

    for i in range(N_HOSTILE):
        vassals.remove(f"{i}.ini")
    for i in range(N_HOSTILE):
        became(server, f"{i}.ini", "gone")
    assert not proc.wait_gone([p for p in server.descendants() if p != good["pid"]])
    assert [v["id"] for v in stats.read(server.stats)["vassals"]] == ["good.ini"]
    after = measure(server)
    assert (after["descriptors"], after["watches"]) == (before["descriptors"], before["watches"])
    assert server.stop() == 0
