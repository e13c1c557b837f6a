# SPDX-License-Identifier: MIT
"""What ps(1) shows: each process says what it is, of which instance, and what it does."""
import os
import signal

import pytest

from harness import client, proc, programs, says
from harness.client import Connection, request_bytes
from harness.meeting import Meeting

WEB = "wsgi-file = {apps}/python/web.py\n"


@pytest.mark.plain
def test_master_zygote_and_workers(instance):
    server = instance(WEB + "processes = 2")
    proc.wait_title(server.pid, "liege: master app.ini")
    proc.wait_titles(server.pid, ["liege: worker 1 app.ini", "liege: worker 2 app.ini",
                                  "liege: zygote app.ini"])


def test_a_name_of_its_own_which_a_reload_changes(instance):
    server = instance(WEB + "procname = shop")
    proc.wait_title(server.pid, "shop: master")
    proc.wait_titles(server.pid, ["shop: worker 1", "shop: zygote"])
    server.config.write_text(server.config.read_text().replace("shop", "store"))
    server.kill(signal.SIGHUP)
    server.wait_line(says.serving(2))
    proc.wait_title(server.pid, "store: master")
    proc.wait_titles(server.pid, ["store: worker 1", "store: zygote"])


def test_those_that_finish_say_so(instance, folder):
    server = instance(WEB)
    with Meeting(folder) as meeting, Connection(server.address) as c:
        worker = int(c.request("/pid").body)
        c.send(request_bytes(meeting.target))
        visitor = meeting.arrive()
        server.kill(signal.SIGHUP)
        server.wait_line(says.serving(2))
        proc.wait_title(worker, "liege: worker 1 app.ini (finishing)")
        proc.wait_title(server.pid, "liege: master app.ini")
        server.kill(signal.SIGQUIT)
        proc.wait_title(server.pid, "liege: master app.ini (finishing)")
        visitor.release("last")
        assert c.response().body == b"last"
    assert server.wait() == 0


@pytest.mark.plain
def test_the_environment_stays_as_it_was(instance):
    """Titles are written where it was; one this long does not fit where the arguments were."""
    app = "import os\n\n\n" \
          "def application(environ, start_response):\n" \
          "    start_response('200 OK', [])\n" \
          "    return [os.environ['FIRST'].encode(), os.environ['LAST'].encode()]\n"
    expected = b"good morning" + b"x" * 300
    server = instance("module = app\nprocname = " + "n" * 200, {"app.py": app},
                      env={"FIRST": "good morning", "LAST": "x" * 300})
    proc.wait_title(server.pid, "n" * 200 + ": master")
    assert client.get(server.address).body == expected
    server.kill(signal.SIGHUP)
    server.wait_line(says.serving(2))
    assert client.get(server.address).body == expected
    server.kill(signal.SIGUSR2)
    new = int(server.wait_line(r"the new master \(pid (\d+)\) serves").group(1))
    server.kill(signal.SIGQUIT)
    server.wait_line("the old master has ended")
    assert client.get(server.address).body == expected
    proc.wait_title(new, "n" * 200 + ": master")
    os.kill(new, signal.SIGINT)
    assert proc.wait_gone([new]) == []


@pytest.mark.parametrize("arguments, title", [
    ([], "liege: emperor"), (["--emperor-procname", "our emperor"], "our emperor")])
def test_the_emperor_and_its_vassals(emperor, vassals, folder, arguments, title):
    vassals.write("shop.ini", f"[liege]\nhttp-socket = {folder}/shop\n"
                              f"wsgi-file = {programs.APPS}/python/web.py\n")
    server = emperor(*arguments)
    server.wait_line(says.serving(1))
    proc.wait_title(server.pid, title)
    [vassal] = server.children()
    proc.wait_title(vassal, "liege: master shop.ini")
