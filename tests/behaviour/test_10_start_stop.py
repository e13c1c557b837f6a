# SPDX-License-Identifier: MIT
"""An instance starts, says so, and ends when it is told to, leaving nothing behind."""
import contextlib
import json
import re
import signal
import socket
import time

import pytest

from harness import client, proc, says
from harness.client import Connection
from harness.data import pattern
from harness.meeting import Meeting
from harness.programs import INSTANCE

WEB = "wsgi-file = {apps}/python/web.py\n"

HELLO = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"""


@pytest.mark.plain
def test_it_serves(instance):
    server = instance("wsgi-file = {folder}/app.py", {"app.py": HELLO})
    with client.Connection(server.address) as c:
        for _ in range(3):
            answer = c.request()
            assert (answer.status, answer.body) == (200, b"hello")


@pytest.mark.plain
@pytest.mark.parametrize("sig", ["SIGINT", "SIGTERM", "SIGQUIT"])
def test_a_signal_ends_it(instance, folder, sig):
    server = instance("wsgi-file = {folder}/app.py\nprocesses = 2", {"app.py": HELLO})
    below = server.descendants()
    assert len(below) >= 2
    assert server.stop(getattr(signal, sig)) == 0
    assert not any(map(proc.alive, below))
    assert not (folder / "app.ini.sock").exists()




@pytest.mark.parametrize("settings, code, complaint", [
    ("processes = many\nwsgi-file = app.py", 1, r"app.ini:3: .*many.*a whole number from 1"),
    ("processes = 0\nwsgi-file = app.py", 1, r"app.ini:3: .*a whole number from 1"),
    ("wsgi-file = missing.py", says.BOOT_ERROR, r"No such file.*missing.py"),
    ("", says.BOOT_ERROR, r"no application"),
])
def test_what_cannot_work_ends_with_the_reason(instance, settings, code, complaint):
    server = instance(settings, wait=False)
    assert server.wait() == code
    assert server.log.find(complaint), server.log.text()


def test_an_application_that_does_not_load_ends_it_with_its_place(instance, folder):
    server = instance("wsgi-file = {folder}/app.py", {"app.py": "x = 1\nraise ValueError('no')\n"},
                      wait=False)
    assert server.wait() == says.BOOT_ERROR
    assert server.log.find(r"app\.py:2: .*ValueError: no"), server.log.text()
    assert not (folder / "app.ini.sock").exists()


@pytest.mark.plain
def test_a_killed_master_takes_its_workers_along(instance):
    server = instance("wsgi-file = {folder}/app.py\nprocesses = 3", {"app.py": HELLO})
    below = server.descendants()
    server.kill(signal.SIGKILL)
    assert server.wait() == -signal.SIGKILL
    assert not proc.wait_gone(below)


@pytest.mark.parametrize("sig", ["SIGINT", "SIGTERM"])
def test_a_signal_does_not_wait_for_requests(instance, folder, sig):
    server = instance(WEB)
    with Meeting(folder) as meeting, Connection(server.address) as c:
        c.send(client.request_bytes(meeting.target))
        meeting.arrive()
        assert server.stop(getattr(signal, sig)) == 0
        assert c.at_end()


@pytest.mark.plain
def test_quit_finishes_what_runs_and_what_waits(instance, folder):
    server = instance(WEB)
    with Meeting(folder) as meeting, Connection(server.address) as running:
        running.send(client.request_bytes(meeting.target))
        visitor = meeting.arrive()
        backlog = [Connection(server.address) for _ in range(20)]
        for n, c in enumerate(backlog):
            c.send(client.request_bytes(f"/query?{n}"))
        server.kill(signal.SIGQUIT)
        server.wait_line("stops gracefully")
        visitor.release("finished")
        assert running.response().body == b"finished"
        for n, c in enumerate(backlog):
            assert c.response().body == b"%d" % n
            assert c.at_end()
            c.close()
    assert server.wait() == 0


def test_quit_waits_for_the_answer_that_a_client_still_takes(instance):
    server = instance(WEB)
    with Connection(server.address) as c, Connection(server.address) as idle:
        assert idle.request().body == b"hello\n"
        c.send(client.request_bytes("/bytes?n=3000000"))
        c.wait_input()
        server.kill(signal.SIGQUIT)
        assert idle.at_end()
        assert c.response().body == pattern(3000000)
    assert server.wait() == 0


def test_quit_has_a_limit(instance, folder):
    server = instance(WEB + "reload-mercy = 0.2")
    with Meeting(folder) as meeting, Connection(server.address) as c:
        c.send(client.request_bytes(meeting.target))
        visitor = meeting.arrive()
        assert server.stop(signal.SIGQUIT) == 0
        assert server.log.find(rf"worker 1 \(pid {visitor.pid}\) did not finish within")


DELAYED = WEB + "drain-delay = 0.3\ngraceful-on-term = yes\n"


@pytest.mark.parametrize("sig", [signal.SIGQUIT, signal.SIGTERM])
def test_new_clients_are_served_for_drain_delay(instance, sig):
    server = instance(DELAYED)
    began = time.monotonic()
    server.kill(sig)
    server.wait_line(r"serves for another 0\.3 s \(drain-delay\), then stops gracefully")
    n = 0
    while not server.log.find("] stops gracefully"):
        with contextlib.suppress(OSError, client.ProtocolError):  # it may just have ended
            n += client.get(server.address).status == 200
    assert n > 0
    assert server.wait() == 0
    assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize("first, second, code, line", [
    (signal.SIGQUIT, signal.SIGQUIT, 0, "stops gracefully"), (signal.SIGQUIT, signal.SIGINT, 0, "stops"),
    (signal.SIGTERM, signal.SIGTERM, 0, "stops")])
def test_who_says_it_again_does_not_wait_for_drain_delay(instance, first, second, code, line):
    server = instance(DELAYED.replace("0.3", "1h"))
    server.kill(first)
    server.wait_line(r"serves for another 3600 s")
    server.kill(second)
    server.wait_line(rf"\] {line}$")
    assert server.wait() == code


def test_a_second_signal_is_not_graceful(instance, folder):
    server = instance(WEB)
    with Meeting(folder) as meeting, Connection(server.address) as c:
        c.send(client.request_bytes(meeting.target))
        meeting.arrive()
        server.kill(signal.SIGQUIT)
        server.wait_line("stops gracefully")
        assert server.stop(signal.SIGTERM) == 0


@pytest.mark.parametrize("app, complaint", [
    ("def application(environ, start_response)\n    pass\n", r"app\.py:1: SyntaxError: "),
    ("import os\nimport nowhere_to_be_found\n",
     r"app\.py:2: ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
    ("import sys\nsys.exit(3)\n", r"app\.py:2: SystemExit: 3"),
    ("wsgi = None\n", r"app\.py: module .* has no attribute 'application', nor 'app'"),
    ("application = 3\n", r"'application' is a int, which cannot be called"),
])
def test_an_application_that_cannot_be_loaded(instance, folder, app, complaint):
    server = instance("wsgi-file = {folder}/app.py\nprocesses = 3", {"app.py": app}, wait=False)
    assert server.wait() == says.BOOT_ERROR
    assert len(server.log.find(rf"error: cannot start: .*{complaint}")) == 1, server.log.text()


@pytest.mark.parametrize("settings, complaint", [
    ("module = nowhere_to_be_found", r"No module named 'nowhere_to_be_found'"),
    ("psgi = {folder}/missing.psgi", r"missing\.psgi"),
    ("module = app:other", r"app\.py: module app has no attribute 'other'"),
    ("wsgi-file = app.py\nplugin = cobol", r"there is no plugin 'cobol'"),
    ("wsgi-file = app.py\nchdir = {folder}/missing", r"chdir: .*/missing: No such file"),
    ("wsgi-file = app.py\nlazy-apps = yes\nmodule = other", r"both name the application"),
])
def test_what_is_missing_is_named(instance, settings, complaint):
    server = instance(settings, {"app.py": HELLO}, wait=False)
    assert server.wait() == says.BOOT_ERROR
    assert server.log.find(rf"error: cannot start: .*{complaint}"), server.log.text()


@pytest.mark.parametrize("lazy", ["no", "yes"])
def test_a_load_without_end_is_given_up(instance, lazy):
    app = "import threading\nthreading.Event().wait()\n"
    server = instance(f"wsgi-file = {{folder}}/app.py\nstart-timeout = 1\nlazy-apps = {lazy}",
                      {"app.py": app}, wait=False)
    assert server.wait() == says.BOOT_ERROR
    assert server.log.find("error: cannot start: .*(start-timeout|start timed out)"), \
        server.log.text()


@pytest.mark.parametrize("setting, complaint", [
    ("processes = 1k", "'1k' is not a whole number"),
    ("chmod-socket = 999", "'999' is not"),
    ("http-timeout = soon", "'soon' is not"),
    ("buffer-size = 3 apples", "'3 apples' is not"),
    ("lazy-apps = perhaps", "'perhaps' is not"),
    ("spooler = jobs", "'spooler' is an option of uWSGI that liege does not have"),
])
def test_a_bad_value_is_an_error_with_its_place(instance, setting, complaint):
    server = instance(f"wsgi-file = app.py\n{setting}", {"app.py": HELLO}, wait=False)
    assert server.wait() == 1
    assert server.log.find(rf"error: .*/app\.ini:4: .*{complaint}"), server.log.text()


def test_an_unknown_option_is_a_warning_with_the_nearest_name(instance):
    server = instance("wsgi-file = app.py\nprocesess = 2", {"app.py": HELLO})
    assert server.log.find(r"warning: .*app\.ini:4: unknown option 'procesess'.*processes")
    assert client.get(server.address).body == b"hello"


def test_an_unknown_option_is_an_error_under_strict(instance):
    server = instance("wsgi-file = app.py\nstrict = yes\nprocesess = 2", {"app.py": HELLO},
                      wait=False)
    assert server.wait() == 1
    assert server.log.find(r"error: .*app\.ini:5: unknown option 'procesess'.*processes")


def test_a_file_that_is_not_there(start):
    server = start("missing.ini")
    assert server.wait() == 1
    assert server.log.find(r"error: .*missing\.ini.*No such file or directory")


def other_instance(instance, socket_line):
    return instance(f"http-socket = {socket_line}\nwsgi-file = app.py", {"app.py": HELLO},
                    name="other.ini", wait=False)


@pytest.mark.parametrize("kind", ["path", "abstract", "tcp"])
def test_a_socket_in_use_is_refused(instance, free_address, folder, kind):
    at = {"path": f"{folder}/s", "abstract": f"@{folder}/s", "tcp": free_address()}[kind]
    first = instance(f"http-socket = {at}\n{WEB}")
    second = other_instance(instance, at)
    assert second.wait() == 1
    assert second.log.find(f"error: cannot start: http-socket: somebody else listens on {at}")
    assert client.get(at).body == b"hello\n"
    assert first.stop() == 0


def test_a_socket_file_that_nobody_listens_on_is_replaced(instance, folder):
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(folder / "app.ini.sock"))
        s.listen()
    assert (folder / "app.ini.sock").is_socket()
    server = instance(WEB)
    assert client.get(server.address).body == b"hello\n"


def test_a_killed_predecessor_leaves_nothing_in_the_way(instance):
    settings = "processes = 2\n" + WEB
    first = instance(settings)
    first.kill(signal.SIGKILL)
    second = instance(settings)
    assert client.get(second.address).body == b"hello\n"
    assert first.wait() == -signal.SIGKILL


def test_a_file_that_is_no_socket_is_left_alone(instance, folder):
    (folder / "notes").write_text("precious")
    server = other_instance(instance, folder / "notes")
    assert server.wait() == 1
    assert server.log.find(r"error: cannot start: .*notes is there and is not a socket: remove it")
    assert (folder / "notes").read_text() == "precious"


@pytest.mark.parametrize("at", [
    "256.0.0.1:80", "127.0.0.1:65536", "host.example:80", "[::1", "fd://99"])
def test_an_address_that_cannot_be(instance, at):
    server = other_instance(instance, at)
    assert server.wait() == 1
    assert server.log.find("error: cannot start: http-socket.*(accepted are|fd://99)"), \
        server.log.text()


def answer_to(start, *arguments, code=0):
    server = start(*arguments, program=INSTANCE)
    assert server.wait() == code, server.log.text()
    return server.log.text()


def test_check(start, configure):
    good = configure("good.ini", "[liege]\nhttp-socket = {folder}/s\nwsgi-file = missing.py\n")
    assert "good.ini: the configuration is valid" in answer_to(start, "--check", good)
    bad = configure("bad.ini", "[liege]\nhttp-socket = {folder}/s\nlisten = -1\n")
    assert re.search(r"bad\.ini:3: .*'-1'", answer_to(start, "--check", bad, code=1))


def test_show_config_shows_what_it_understood(start, configure, instance, folder):
    config = configure("a.ini", "[liege]\nwhere = {folder}/shown\nhttp-socket = %(where).sock\n"
                                "file = {apps}/python/web.py\nworkers = $(COUNT)\n")
    server = start("--show-config", config, program=INSTANCE, env={"COUNT": 2})
    assert server.wait() == 0
    shown = [line.replace(" ", "") for line in server.log.lines]
    assert f"http-socket={folder}/shown.sock" in shown
    assert "workers=2" in shown or "processes=2" in shown
    again = configure("b.ini", server.log.text() + "\n")
    running = start(again)
    running.wait_line(says.serving())
    environ = json.loads(client.get(folder / "shown.sock", "/environ").body)
    assert environ["wsgi.multiprocess"] is True


def test_help_and_version(start):
    text = answer_to(start, "--help")
    for option in ("--http-socket", "--processes", "--wsgi-file", "--psgi", "--check", "--uid"):
        assert option in text
    assert re.fullmatch(r"liege \d+\.\d+\.\d+", answer_to(start, "--version"))
    assert "--processes" in answer_to(start, "--proceses=2", code=1)


def test_options_on_the_command_line(start, folder, configure):
    configure("app.py", HELLO)
    server = start("--http-socket", folder / "s", "--wsgi-file", "app.py", "-p", "2")
    server.wait_line(says.serving() + " 2 workers")
    assert client.get(folder / "s").body == b"hello"
    assert server.stop() == 0
