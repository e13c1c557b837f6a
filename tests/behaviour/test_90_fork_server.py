# SPDX-License-Identifier: MIT
"""Vassals that are forked from a base vassal, which has loaded the application already."""
import contextlib
import ctypes
import os
import pwd
import re
import signal
import socket
import sys
import textwrap
import time

import pytest

from harness import address as addresses
from harness import client, proc, programs, says, stats
from harness.base import MODIFIER1, PIPE, array_of, rights
from harness.foreign import became, has_only
from harness.load import Load

NOBODY = pwd.getpwnam("nobody").pw_uid
CLONE_NEWPID = 0x20000000


CONFIG = "[liege]\nhttp-socket = {at}\ndisable-logging = true\n"


def at(folder, name):
    return folder / f"{name}.http"


# The manual's example.

MYAPP = """\
# myapp.pl
print "I am the App\\n";
sleep(10);
my $app = sub {
     return [200, ['Content-Type'=>'text/html'], ["Hello World"]];
};
"""


class Manual:
    """What the manual has in /etc/uwsgi/vassals and /var/run lies below a folder, and other ports are
    used."""

    def __init__(self, folder, ports):
        self.folder = folder
        self.names = {"/etc/uwsgi/vassals": folder / "vassals", "/var/run": folder,
                      ":8181": f":{ports}", ":8282": f":{ports + 1}", ":8383": f":{ports + 2}",
                      "127.0.0.1:5000": folder / "stats.sock"}
        (folder / "vassals").mkdir()

    def text(self, text):
        for name, here in self.names.items():
            text = text.replace(name, str(here))
        return textwrap.dedent(text)

    def write(self, name, text):
        new = self.folder / "new"
        new.write_text(self.text(text))
        return new.rename(self.folder / name)

    def ask(self, port):
        return client.get("127.0.0.1" + self.names[port])


def until(server, name):
    """Waits until it serves; -> when that was, by the clock of the log."""
    line = server.wait_line(says.vassal_is(name, "ready")).string
    hours, minutes, seconds = re.search(r" (\d+):(\d+):([\d.]+) ", line).groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def whole(server, name):
    """All processes of a vassal."""
    master = stats.vassal(server.stats, name)["pid"]
    return [master, *proc.descendants(master)]


def identities(server, name):
    return {(proc.status(p, "Uid")[1], proc.status(p, "Gid")[1]) for p in whole(server, name)}


@pytest.mark.needs_root
@pytest.mark.plain
def test_the_example_of_the_manual(folder, start, kernel_ports):
    """Vassals start at once instead of waiting for ten seconds, and the application is loaded once.
    They differ all the same, even in their privileges."""
    manual = Manual(folder, kernel_ports(3))
    manual.write("vassals/myapp.pl", MYAPP)
    manual.write("vassals/perlbase.ini", """\
        [uwsgi]
        early-psgi = myapp.pl
        fork-server = /var/run/fork_server.socket
        """)
    manual.write("vassals/one.ini", """\
        [uwsgi]
        ; one.ini
        http-socket = :8181
        processes = 4
        uid = 1001
        gid = 1001
        """)
    manual.write("vassals/two.ini", """\
        [uwsgi]
        ; two.ini
        http-socket = :8282
        processes = 8
        uid = 1002
        gid = 1002
        """)
    server = start(manual.write("emperor.ini", """\
        [uwsgi]
        emperor = /etc/uwsgi/vassals
        emperor-use-fork-server = /var/run/fork_server.socket
        vassal-fork-base = perlbase.ini
        emperor-stats = 127.0.0.1:5000
        """))
    server.stats = str(folder / "stats.sock")
    assert "base" in became(server, "one.ini", "waiting")
    assert "base" in became(server, "two.ini", "waiting")
    base = until(server, "perlbase.ini")
    for name, port, uid, workers in ("one.ini", ":8181", "1001", 4), ("two.ini", ":8282", "1002", 8):
        assert until(server, name) - base < 2
        assert manual.ask(port).body == b"Hello World"
        assert identities(server, name) == {(uid, uid)}
        entry = stats.wait(server.stats, name, lambda v: v["workers"] == workers)
        assert (entry["adopted"], entry["respawns"]) == (1, 0)
        assert proc.parent(entry["pid"]) == server.pid
    assert stats.vassal(server.stats, "perlbase.ini")["adopted"] == 0

    began = time.monotonic()
    manual.write("vassals/three.ini", "[uwsgi]\nhttp-socket = :8383\n")
    until(server, "three.ini")
    assert manual.ask(":8383").body == b"Hello World"
    assert time.monotonic() - began < 2
    assert len(server.log.find("I am the App")) == 1
    assert server.log.find("warning") == []


# Under an Emperor.

class Language:
    """What a base is told, and an application of one character. Its file is FOLDER/app."""

    def __init__(self, early, application, broken):
        self.early, self.application, self.broken = early, application, broken

    def write(self, folder, version):
        new = folder / "app.new"
        new.write_text(self.broken if version is None else self.application.format(version=version))
        new.rename(folder / "app")


LANGUAGES = [
    pytest.param(Language("early-psgi = {folder}/app",
                          "sub {{ [200, ['Content-Type' => 'text/plain', 'Content-Length' => 1],"
                          " ['{version}']] }};\n",
                          "die \"no application\\n\";\n"), id="psgi"),
    pytest.param(Language("early-wsgi = {folder}/app",
                          "def application(environ, start_response):\n"
                          "    start_response('200 OK', [('Content-Length', '1')])\n"
                          "    return [b'{version}']\n",
                          "raise RuntimeError('no application')\n"), id="wsgi"),
]
both = pytest.mark.parametrize("language", LANGUAGES)


@pytest.fixture
def realm(emperor, vassals, folder):
    """realm(language, *arguments): an Emperor whose vassals are forked from base.ini, which has loaded
    version 1 of an application. -> Server"""
    def run(language, *arguments):
        language.write(folder, 1)
        vassals.write("base.ini", f"[liege]\nfork-server = {folder}/base.sock\n"
                                  f"{language.early.format(folder=folder)}\n")
        server = emperor("--emperor-use-fork-server", folder / "base.sock", "--vassal-fork-base",
                         "base.ini", *arguments)
        became(server, "base.ini", "ready")
        return server
    return run


def add(server, vassals, folder, names):
    """Adds vassals and waits until they serve."""
    for name in names:
        vassals.write(f"{name}.ini", CONFIG.format(at=at(folder, name)))
    for name in names:
        became(server, f"{name}.ini", "ready")


def wait_answer(address, body):
    deadline = time.monotonic() + programs.PATIENCE
    while (found := client.get(address).body) != body:
        assert time.monotonic() < deadline, found
        os.sched_yield()


def masters(server):
    """{name: process} as the statistics say."""
    return {v["id"]: v["pid"] for v in stats.read(server.stats)["vassals"]}


@both
@pytest.mark.plain
def test_an_update_of_the_base_reaches_all_its_vassals_and_no_request_fails(realm, vassals, folder,
                                                                            language):
    names = ["a", "b", "c"]
    server = realm(language)
    add(server, vassals, folder, names)
    before = masters(server)
    loads = [Load(at(folder, name), keep_alive=2, per_request=2, pause=0.005) for name in names]
    for load in loads:
        load.start()
    try:
        for load in loads:
            load.wait_for(20)
        language.write(folder, 2)
        vassals.touch("base.ini")
        for name in names:
            wait_answer(at(folder, name), b"2")
        for load in loads:
            load.wait_for(20)
    finally:
        for load in loads:
            load.stop()
    for load, name in zip(loads, names):
        load.assert_clean()
        assert set(load.bodies) == {b"1", b"2"}
        entry = stats.wait(server.stats, f"{name}.ini",
                           lambda v: v["state"] == "ready" and v["pid"] != before[f"{v['id']}"])
        assert entry["adopted"] == 1
    assert stats.read(server.stats)["blacklist"] == []
    assert has_only(server, masters(server).values())


@both
def test_an_update_that_does_not_load_changes_nothing(realm, vassals, folder, language):
    server = realm(language)
    add(server, vassals, folder, ["a"])
    before = masters(server)
    language.write(folder, None)
    vassals.touch("base.ini")
    server.wait_line(says.RELOAD_FAILED)
    server.wait_line(r"base\.ini: reloading -> ready, .*no application")
    assert "no application" in stats.vassal(server.stats, "base.ini")["reason"]
    assert masters(server) == before
    assert client.get(at(folder, "a")).body == b"1"
    add(server, vassals, folder, ["b"])
    assert client.get(at(folder, "b")).body == b"1"
    assert stats.vassal(server.stats, "a.ini")["respawns"] == 0

    language.write(folder, 2)
    vassals.touch("base.ini")
    for name in "a", "b":
        wait_answer(at(folder, name), b"2")


@both
@pytest.mark.parametrize("victim", ["master", "zygote"])
@pytest.mark.plain
def test_a_base_that_is_killed_while_vassals_are_forked(realm, vassals, folder, language, victim):
    """Each of them runs in the end, none twice, and none counts as crashed."""
    n = 6 if programs.sanitized() else 50
    server = realm(language, "--emperor-spawn-parallel", n)
    base = masters(server)["base.ini"]
    names = [f"v{i}" for i in range(n)]
    for name in names:
        vassals.write(f"{name}.ini", CONFIG.format(at=at(folder, name)))
    server.wait_line(r"vassal v\d+\.ini: \w+ -> starting")
    os.kill(base if victim == "master" else proc.children(base)[0], signal.SIGKILL)
    for name in names:
        server.wait_line(rf"vassal {name}\.ini: starting -> ready")
        assert client.get(at(folder, name)).body == b"1"
    if victim == "master":
        became(server, "base.ini", "ready", count=2)
    document = stats.read(server.stats)
    found = {v["id"]: v["pid"] for v in document["vassals"]}
    assert has_only(server, found.values()) and len(set(found.values())) == n + 1
    assert [b["id"] for b in document["blacklist"] if b["id"] != "base.ini"] == []
    assert {v["respawns"] for v in document["vassals"] if v["id"] != "base.ini"} == {0}


@both
def test_vassals_outlive_their_base(realm, vassals, folder, language):
    server = realm(language)
    add(server, vassals, folder, ["a"])
    before = masters(server)
    os.kill(before["base.ini"], signal.SIGKILL)
    assert client.get(at(folder, "a")).body == b"1"
    became(server, "base.ini", "ready", count=2)
    assert masters(server)["a.ini"] == before["a.ini"]
    add(server, vassals, folder, ["b"])
    assert client.get(at(folder, "b")).body == b"1"


@both
def test_nothing_is_left_of_an_emperor_that_is_killed(realm, vassals, folder, language):
    server = realm(language)
    add(server, vassals, folder, ["a", "b"])
    below = server.descendants()
    server.kill(signal.SIGKILL)
    server.wait()
    assert proc.wait_gone(below) == []


# Others at the socket of a base. What comes from the Emperor's own process is test_91_base_vassal.py's.

def elsewhere(act, prepare=lambda: None):
    """Calls prepare() and act() in another process. -> whether act() returned something true"""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 2
        try:
            prepare()
            code = 0 if act() else 1
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, 1), f"the other process ended with {code}"
    return code == 0


def connect(address):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(programs.PATIENCE)
    s.connect(addresses.parse(address))
    return s


def hears_nothing(s):
    """Until the other side closes the connection."""
    try:
        return s.recv(1) == b""
    except ConnectionResetError:
        return True


def asks(address):
    """Asks for a vassal as an Emperor does. -> whether there is no answer"""
    mine, theirs = socket.socketpair()
    body = array_of(["liege", "--http-socket", "@never"])
    with mine, theirs, connect(address) as s:
        with contextlib.suppress(ConnectionError):
            s.sendmsg([bytes([MODIFIER1]) + len(body).to_bytes(2, "little") + bytes([PIPE]) + body],
                      rights([theirs]))
        return hears_nothing(s)


def sends_rubbish(address):
    with connect(address) as s:
        with contextlib.suppress(ConnectionError):
            s.sendall(bytes(range(256)) * 1000)
        return hears_nothing(s)


def holds_a_thousand(address):
    held = [connect(address) for _ in range(1000)]
    return all(map(hears_nothing, held))


def become_nobody():
    os.setgroups([])
    os.setresuid(NOBODY, NOBODY, NOBODY)


def leave_namespace():
    """What this process forks is in another pid namespace."""
    assert ctypes.CDLL(None).unshare(CLONE_NEWPID) == 0


@pytest.fixture
def abstract(emperor, vassals, folder):
    """An Emperor with a base whose socket has a name without a file, so that anybody can connect.
    -> (Server, address)"""
    address = f"@{folder}"
    LANGUAGES[0].values[0].write(folder, 1)
    vassals.write("base.ini", f"[liege]\nfork-server = {address}\nearly-psgi = {folder}/app\n")
    server = emperor("--emperor-use-fork-server", address, "--vassal-fork-base", "base.ini")
    became(server, "base.ini", "ready")
    return server, address


@pytest.mark.parametrize("act", [asks, sends_rubbish, holds_a_thousand])
@pytest.mark.parametrize("who", [
    pytest.param(lambda act: elsewhere(act), id="a process of the same user"),
    pytest.param(lambda act: elsewhere(act, become_nobody), id="another user",
                 marks=pytest.mark.needs_root),
    pytest.param(lambda act: elsewhere(lambda: elsewhere(act), leave_namespace),
                 id="another pid namespace", marks=pytest.mark.needs_root),
])
def test_a_stranger_is_refused_and_delays_nobody(abstract, vassals, folder, who, act):
    server, address = abstract
    assert who(lambda: act(address))
    add(server, vassals, folder, ["a"])
    assert client.get(at(folder, "a")).body == b"1"
    server.wait_line(r"\[base\.ini\] .*process \d+ of user \d+ is refused")
    assert len(server.log.find("is refused")) == 1
    assert has_only(server, masters(server).values())


# Applications of usual size.

@pytest.mark.plain
@pytest.mark.parametrize("early, path, page", [
    pytest.param("early-pythonpath = {apps}/django\nearly-wsgi = shop.wsgi", "/", b"article 19: 19",
                 id="django"),
    pytest.param("early-psgi = {apps}/perl/modules.psgi", "/board", b"hello from /board", id="plack"),
])
def test_an_application_of_usual_size_is_in_memory_once(emperor, vassals, folder, early, path, page):
    vassals.write("base.ini", f"[liege]\nfork-server = {folder}/base.sock\nwarmup = /\n"
                              f"{early.format(apps=programs.APPS)}\n")
    server = emperor("--emperor-use-fork-server", folder / "base.sock", "--vassal-fork-base",
                     "base.ini")
    names = ["a", "b", "c"]
    add(server, vassals, folder, names)
    for name in names:
        answer = client.get(at(folder, name), path)
        assert answer.status == 200 and page in answer.body
        assert int(answer.get("X-Pid")) in whole(server, f"{name}.ini")
    if programs.sanitized():
        return
    base = max(proc.memory(p)["Rss"] for p in whole(server, "base.ini"))
    for name in names:
        own = [proc.memory(p)["Private_Dirty"] for p in whole(server, f"{name}.ini")]
        assert sum(own) < base / 4
