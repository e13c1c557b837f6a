# SPDX-License-Identifier: MIT
"""An instance whose socket is its Emperor's: it serves on descriptor 0, leaves it as it is, and asks
to be stopped when nobody has asked it anything for a while."""
import contextlib
import os
import signal
import stat
import time

import pytest

from harness import client, gateway, proc, says
from harness.client import Connection, request_bytes
from harness.load import Load
from harness.ruler import STOP, STOP_ME, Ruler

WEB = "wsgi-file = {apps}/python/web.py\n"


@pytest.fixture
def rule(folder):
    """rule(address) -> Ruler; the address is a path below the folder unless it is given."""
    with contextlib.ExitStack() as stack:
        yield lambda address=None: stack.enter_context(
            Ruler(address or str(folder / "demand.sock")))


@pytest.fixture
def vassal(start, configure):
    """vassal(ruler, settings): an instance under @ruler that serves."""
    def run(ruler, settings="", wait=True, emperor=True):
        arguments = ruler.arguments()
        if not emperor:
            arguments = {"stdin": ruler.listener}
        server = start(configure("app.ini", "[liege]\n" + WEB + settings), **arguments)
        server.address = ruler.listener.getsockname()
        if isinstance(server.address, tuple):
            server.address = "%s:%d" % server.address
        if wait:
            server.wait_line(says.serving())
        return server
    return run


def ask_uwsgi(server, target="/"):
    with gateway.Uwsgi(server.address) as c:
        return c.get(target)


def socket_inode(server):
    return os.stat(server.address).st_ino


@pytest.mark.plain
def test_a_socket_that_no_option_names_speaks_uwsgi(rule, vassal):
    server = vassal(rule())
    assert ask_uwsgi(server).status == 200
    server.wait_line("demand.sock was passed: uwsgi is spoken there")


def test_another_protocol_can_be_said(rule, vassal):
    server = vassal(rule(), "protocol = http\n")
    assert client.get(server.address).status == 200


@pytest.mark.parametrize("option", ["http-socket = {folder}/demand.sock", "http-socket = fd://0"])
def test_an_option_with_its_address_says_what_is_spoken(rule, vassal, option):
    server = vassal(rule(), f"{option}\nsocket = @liege-test-{os.getpid()}\n")
    assert client.get(server.address).status == 200


def test_a_port(rule, vassal, free_address):
    host, _, port = free_address().rpartition(":")
    server = vassal(rule((host, int(port))), f"http-socket = {host}:{port}\n")
    assert client.get(server.address).status == 200


def test_the_socket_stays_as_it_is(rule, vassal):
    ruler = rule()
    os.chmod(ruler.listener.getsockname(), 0o640)
    server = vassal(ruler, "protocol = http\nchmod-socket = 600\nvacuum = yes\n")
    before = socket_inode(server)
    ruler.say(1)
    server.wait_line(says.serving(2))
    assert client.get(server.address).status == 200
    assert server.stop() == 0
    assert socket_inode(server) == before
    assert stat.S_IMODE(os.stat(server.address).st_mode) == 0o640


def test_the_application_reads_nothing_from_it(rule, vassal):
    server = vassal(rule(), "protocol = http\n")
    worker = int(client.get(server.address, "/pid").body)
    for pid in (server.pid, worker):
        assert proc.descriptors(pid)[0] == "/dev/null"


def test_a_new_master_has_it_too(rule, vassal):
    server = vassal(rule(), "protocol = http\n", emperor=False)
    server.kill(signal.SIGUSR2)
    new = int(server.wait_line(r"the new master \(pid (\d+)\) serves").group(1))
    server.kill(signal.SIGQUIT)
    assert not proc.wait_gone([server.pid])
    assert client.get(server.address).status == 200
    os.kill(new, signal.SIGQUIT)
    assert not proc.wait_gone([new])
    assert stat.S_ISSOCK(os.stat(server.address).st_mode)


def test_without_requests_it_asks_to_be_stopped(rule, vassal):
    ruler = rule()
    server = vassal(ruler, "protocol = http\nidle = 1\ndie-on-idle = yes\n")
    assert client.get(server.address).status == 200
    answered = time.monotonic()
    assert 0.9 < ruler.wait(STOP_ME) - answered < 2
    assert server.running()
    ruler.say(STOP)
    assert server.wait() == 0


@pytest.mark.plain
def test_what_comes_while_it_ends_waits_for_the_next(rule, vassal):
    ruler = rule()
    settings = "protocol = http\nidle = 0.3\ndie-on-idle = yes\n"
    server = vassal(ruler, settings)
    ruler.wait(STOP_ME)
    with Connection(server.address) as late:
        late.send(request_bytes("/"))
        ruler.say(STOP)
        assert server.wait() == 0
        vassal(ruler, settings)
        assert late.response().status == 200


def test_an_emperor_that_does_not_answer(rule, vassal):
    ruler = rule()
    server = vassal(ruler, "protocol = http\nidle = 0.2\ndie-on-idle = yes\n")
    ruler.wait(STOP_ME)
    assert client.get(server.address).status == 200
    server.wait_line("the Emperor was asked to stop this instance 10 s ago and has not")
    server.wait_line("somebody asks: 1 worker is started")
    ruler.wait(STOP_ME, count=2)


@pytest.mark.plain
def test_no_request_is_lost_between_idle_and_stop(rule, vassal):
    """Connections that wait for an idle moment and come then are answered, by this instance or by the
    one after it."""
    ruler = rule()
    settings = "protocol = http\nidle = 0.15\ndie-on-idle = yes\ndisable-logging = yes\n"
    server = vassal(ruler, settings)
    with Load(server.address, keep_alive=0, per_request=1, pause=0.152) as load:
        for n in range(1, 5):
            ruler.wait(STOP_ME, count=n)
            ruler.say(STOP)
            assert server.wait() == 0
            server = vassal(ruler, settings)
    load.assert_clean()


def test_an_unknown_protocol_is_refused(rule, vassal):
    server = vassal(rule(), "protocol = gopher\n", wait=False)
    assert server.wait() == 1
    server.wait_line(r"app\.ini:3: protocol.*'gopher' is none of uwsgi, http, fastcgi and scgi")
