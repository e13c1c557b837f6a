# SPDX-License-Identifier: MIT
"""What a service manager hears (sd_notify(3)), and the units that are shipped."""
import os
import re
import shutil
import signal
import socket
import subprocess

import pytest

from harness import client, proc, says
from harness.programs import ROOT

WEB = "wsgi-file = {apps}/python/web.py\n"
APP = "import os\ndef application(environ, start_response):\n    start_response('200 OK', [])\n" \
      "    return [repr([k for k in os.environ if k.startswith(('NOTIFY', 'WATCHDOG'))]).encode()]\n"


class Manager:
    """Listens where NOTIFY_SOCKET says. @name: abstract with "@"."""

    def __init__(self, name):
        self.name = name
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + name[1:] if name.startswith("@") else name)
        self._socket.settimeout(30)

    def environ(self, **more):
        return {"NOTIFY_SOCKET": self.name, **more}

    def hear(self, wanted):
        """Waits for a message with the assignment @wanted. -> {name: value} of it"""
        while True:
            text = self._socket.recv(65536).decode()
            message = dict(line.split("=", 1) for line in text.splitlines())
            if wanted in text.splitlines():
                return message

    def close(self):
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(folder, request):
    made = Manager(str(folder / "notify") if request.param == "path" else f"@liege-{os.getpid()}")
    yield made
    made.close()


@pytest.fixture
def one(folder):
    made = Manager(str(folder / "notify"))
    yield made
    made.close()


def test_an_instance_is_ready_when_its_workers_are(instance, manager):
    server = instance(WEB + "processes = 2", env=manager.environ(), wait=False)
    message = manager.hear("READY=1")
    assert message["STATUS"] == "generation 1 serves with 2 workers"
    assert message["MAINPID"] == str(server.pid)
    assert client.get(server.address).status == 200
    server.kill(signal.SIGHUP)
    assert int(manager.hear("RELOADING=1")["MONOTONIC_USEC"]) > 0
    assert manager.hear("READY=1")["STATUS"] == "generation 2 serves with 2 workers"
    server.kill(signal.SIGQUIT)
    assert manager.hear("STOPPING=1")["STATUS"] == "finishes its requests"
    assert server.wait() == 0


def test_an_emperor_is_ready_when_it_watches(emperor, manager):
    server = emperor(env=manager.environ())
    manager.hear("READY=1")
    server.kill(signal.SIGQUIT)
    manager.hear("STOPPING=1")
    assert server.wait() == 0


def test_a_failed_reload_is_heard_of(instance, folder, one):
    server = instance("module = app", {"app.py": APP}, env=one.environ())
    one.hear("READY=1")
    (folder / "app.py").write_text("import nowhere\n")
    server.kill(signal.SIGHUP)
    one.hear("RELOADING=1")
    assert "No module named 'nowhere'" in one.hear("READY=1")["STATUS"]


def test_applications_do_not_speak_to_the_manager(instance, one):
    server = instance("module = app", {"app.py": APP}, env=one.environ(WATCHDOG_USEC="30000000"))
    assert client.get(server.address).body == b"[]"


def test_the_loop_proves_itself(instance, emperor, one):
    instance(WEB, env=one.environ(WATCHDOG_USEC="200000"))
    for _ in range(3):
        one.hear("WATCHDOG=1")


def test_an_emperors_loop_proves_itself(emperor, one):
    server = emperor(env=one.environ(WATCHDOG_USEC="200000"))
    for _ in range(3):
        one.hear("WATCHDOG=1")
    os.kill(server.pid, signal.SIGSTOP)
    os.kill(server.pid, signal.SIGCONT)
    one.hear("WATCHDOG=1")


def test_somebody_elses_watchdog_is_left_alone(instance, one):
    server = instance(WEB, env=one.environ(WATCHDOG_USEC="2000", WATCHDOG_PID="1"))
    one.hear("READY=1")
    for _ in range(100):
        assert client.get(server.address).status == 200
    server.kill(signal.SIGINT)
    one.hear("STOPPING=1")


def test_the_main_process_changes_with_an_upgrade(instance, one):
    server = instance(WEB, env=one.environ())
    one.hear("READY=1")
    server.kill(signal.SIGUSR2)
    new = int(server.wait_line(r"the new master \(pid (\d+)\) serves").group(1))
    server.kill(signal.SIGQUIT)
    one.hear(f"MAINPID={new}")
    assert one.hear("READY=1")["MAINPID"] == str(new)
    os.kill(new, signal.SIGINT)
    one.hear("STOPPING=1")
    assert not proc.wait_gone([new])


def test_a_manager_that_does_not_read_holds_up_nobody(instance, folder):
    deaf = Manager(str(folder / "notify"))
    server = instance(WEB, env=deaf.environ(WATCHDOG_USEC="2000"))
    for n in range(3):
        server.kill(signal.SIGHUP)
        server.wait_line(says.serving(n + 2))
    assert server.stop() == 0
    deaf.close()


# Sockets that it passes

# Runs the program of its second argument and passes it a listening socket for each name of the first.
PASSES = """
import fcntl, os, socket, sys
names = sys.argv[1].split(":")
fds = []
for i in range(len(names)):
    s = socket.socket(socket.AF_UNIX)
    s.bind(f"passed-{i}")
    s.listen()
    fds.append(fcntl.fcntl(s.fileno(), fcntl.F_DUPFD, 100))
for i, fd in enumerate(fds):
    os.dup2(fd, 3 + i)
    os.close(fd)
os.environ.setdefault("LISTEN_PID", str(os.getpid()))
os.environ.update(LISTEN_FDS=str(len(names)), LISTEN_FDNAMES=":".join(names))
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.fixture
def passed(instance, folder):
    """passed(names, settings, **kw) -> a server that sockets of these names were passed to; they
    are "passed-0" and so on in the folder."""
    def start(names, settings, **kw):
        (folder / "launch.py").write_text(PASSES)
        return instance(settings + "\n" + WEB, arguments=("--disable-logging",),
                        wrapper=["/usr/bin/python3", folder / "launch.py", names], **kw)
    return start


def pids(folder, *numbers):
    """The masters behind the sockets of these numbers."""
    return {proc.parent(int(client.get(folder / f"passed-{n}", "/pid").body)) for n in numbers}


@pytest.mark.plain
def test_sockets_by_name(passed, folder):
    server = passed("web:admin", "http-socket = fd://web\nhttp-socket = fd://admin")
    assert pids(folder, 0, 1) == {server.pid}
    assert server.stop() == 0
    assert (folder / "passed-0").is_socket()  # whoever made it removes it


def change(server, old, new):
    server.config.write_text(server.config.read_text().replace(old, new))
    server.kill(signal.SIGHUP)


def test_a_reload_finds_them_again_by_name_and_number(passed, folder):
    server = passed("web:admin", "http-socket = fd://web")
    change(server, "fd://web", "fd://3\nhttp-socket = fd://web\nhttp-socket = fd://admin")
    server.wait_line(says.serving(2))
    assert pids(folder, 0, 1) == {server.pid}
    change(server, "fd://3\n", "fd://web\n")
    server.wait_line(says.serving(3))
    assert pids(folder, 0, 1) == {server.pid}
    change(server, "fd://admin", "fd://api")
    server.wait_line(says.RELOAD_FAILED + r".*'api' was passed; there are: fd://3 \(web\), "
                     r"fd://4 \(admin\)")
    assert pids(folder, 0, 1) == {server.pid}


def upgrade(server, pid, count):
    os.kill(pid, signal.SIGUSR2)
    new = int(server.wait_line(r"the new master \(pid (\d+)\) serves", count=count).group(1))
    os.kill(pid, signal.SIGQUIT)
    assert not proc.wait_gone([pid])
    return new


def test_an_upgrade_finds_them_again(passed, folder):
    server = passed("web:admin:spare", "http-socket = fd://admin\nhttp-socket = fd://web")
    first = upgrade(server, server.pid, 1)
    assert pids(folder, 0, 1) == {first}
    server.config.write_text(server.config.read_text().replace("fd://web", "fd://3"))
    os.kill(first, signal.SIGHUP)
    server.wait_line(says.serving(2))
    assert pids(folder, 0, 1) == {first}
    second = upgrade(server, first, 2)
    assert pids(folder, 0, 1) == {second}
    server.config.write_text(server.config.read_text().replace("fd://3", "fd://spare"))
    os.kill(second, signal.SIGHUP)
    server.wait_line(says.RELOAD_FAILED + ".*fd://spare is none of the sockets that the older "
                     "master had: it needs a stop and a start")
    assert pids(folder, 0, 1) == {second}
    os.kill(second, signal.SIGINT)
    assert not proc.wait_gone([second])


@pytest.mark.parametrize("names, environ, said", [
    ("shop:admin", {}, r"no descriptor called 'web' was passed; there are: fd://3 \(shop\), "
                       r"fd://4 \(admin\)"),
    ("web:admin:web", {}, "'web' is the name of several: say one of fd://3, fd://5"),
    ("web", {"LISTEN_PID": "1"}, r"no descriptor called 'web' was passed to this process, which is "
                                 r"\d+: LISTEN_PID is '1'"),
])
def test_a_name_that_is_not_there(passed, names, environ, said):
    server = passed(names, "http-socket = fd://web", env=environ, wait=False)
    assert server.wait() == 1
    server.wait_line("error: cannot start: http-socket: " + said)


def test_nothing_is_passed(instance):
    server = instance(WEB + "http-socket = fd://web", wait=False)
    assert server.wait() == 1
    server.wait_line("error: cannot start: http-socket: no descriptor called 'web' was passed, nor any")


# The units

@pytest.mark.parametrize("name", ["liege.service", "liege@.service"])
def test_the_shipped_units(name):
    text = (ROOT / "packaging" / "systemd" / name).read_text()
    assert re.search(r"^Type=notify$", text, re.M) and re.search(r"^KillSignal=SIGQUIT$", text, re.M)
    if shutil.which("systemd-analyze"):
        unit = ROOT / "packaging" / "systemd" / name
        said = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True,
                              text=True).stderr
        assert "Unknown" not in said and "Failed to parse" not in said
