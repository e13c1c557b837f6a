# SPDX-License-Identifier: MIT
"""What a vassal does when its Emperor tells it something: hooks, before it obeys."""
import os
import socket

import pytest

from harness import client, proc, says
from harness.ruler import RELOAD, STOP, STOP_GRACEFULLY

WEB = "wsgi-file = {apps}/python/web.py\n"


@pytest.mark.plain
@pytest.mark.parametrize("byte", [STOP, STOP_GRACEFULLY])
def test_before_it_stops(vassal, ruler, folder, byte):
    server = vassal("hook-emperor-stop = mkdir:{folder}/new\n"
                    "hook-emperor-stop = cd:{folder}/new\n"
                    "hook-emperor-stop = exec:echo stops > said\n"
                    "hook-emperor-stop = !print:a secret")
    ruler.say(byte)
    assert server.wait() == 0
    assert (folder / "new" / "said").read_text() == "stops\n"
    server.wait_line(r"hook-emperor-stop: exec:echo stops > said$")
    server.wait_line(r"hook-emperor-stop: print$")


def test_before_it_reloads(vassal, ruler, folder):
    server = vassal("hook-emperor-reload = appendn:{folder}/said reloads\n"
                    "hook-emperor-stop = appendn:{folder}/said stops")
    ruler.say(RELOAD)
    server.wait_line(says.serving(2))
    ruler.say(RELOAD)
    server.wait_line(says.serving(3))
    ruler.say(STOP)
    assert server.wait() == 0
    assert (folder / "said").read_text() == "reloads\nreloads\nstops\n"


def test_when_its_emperor_is_lost(vassal, ruler, folder):
    server = vassal("hook-emperor-lost = create:{folder}/lost")
    ruler.vassals_end.close()
    ruler.pipe.shutdown(socket.SHUT_RDWR)
    assert server.wait() == 0
    assert (folder / "lost").exists()


def test_it_serves_while_a_hook_takes_its_time(vassal, ruler, folder):
    os.mkfifo(folder / "gate")
    server = vassal("hook-emperor-stop = exec:cat {folder}/gate\n")
    ruler.say(STOP)
    with open(folder / "gate", "w") as gate:  # opens when the command does
        assert client.get(server.address).status == 200
        assert server.running()
        gate.write("go\n")
    assert server.wait() == 0


def test_one_that_fails_is_the_last_but_the_order_is_obeyed(vassal, ruler, folder):
    server = vassal("hook-emperor-reload = safeexec:exit 4\n"
                    "hook-emperor-reload = exec:exit 5\n"
                    "hook-emperor-reload = create:{folder}/never")
    ruler.say(RELOAD)
    server.wait_line("warning: hook-emperor-reload: safeexec:exit 4: the command exited with code 4")
    server.wait_line("error: hook-emperor-reload: exec:exit 5: the command exited with code 5")
    server.wait_line(says.serving(2))
    assert not (folder / "never").exists()


def test_an_end_by_other_means_ends_what_runs(vassal, ruler):
    server = vassal("hook-emperor-reload = exec:echo $$ begins; exec sleep 1000")
    ruler.say(RELOAD)
    pid = int(server.wait_line(r"(\d+) begins$").group(1))
    assert server.stop() == 0
    assert not proc.wait_gone([pid])


@pytest.mark.parametrize("hook, complaint", [
    ("mount:proc", r"app\.ini:\d+: hook-emperor-stop.*'mount:proc' is no ACTION:ARGUMENT; actions are"),
    ("exec", r"app\.ini:\d+: hook-emperor-stop.*'exec' is to be exec:ARGUMENT"),
])
def test_refused(instance, hook, complaint):
    server = instance(WEB + f"hook-emperor-stop = {hook}", wait=False)
    assert server.wait() == 1
    server.wait_line(complaint)
