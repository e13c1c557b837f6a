# SPDX-License-Identifier: MIT
"""The log: where it goes, how it is rotated, what a line of it says, and that nobody waits for it."""
import collections
import json
import os
import random
import re
import signal
import socket
import time

import pytest

from harness import client, hostile, proc, says
from harness.client import Connection, request_bytes
from harness.load import Load

WEB = "wsgi-file = {apps}/python/web.py\n"
PRINTS = """
import os, sys
def application(environ, start_response):
    if environ["PATH_INFO"] == "/print":
        print("one\\ntwo", flush=True)
        sys.stderr.write("three\\n")
    if environ["PATH_INFO"] == "/flood":
        for i in range(200):
            sys.stderr.write("x" * 1000 + "\\n")
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
print("loaded")
"""


@pytest.fixture
def web(instance):
    return lambda settings="", **kw: instance(WEB + settings, wait=False, **kw)


def wait_for(path, pattern, count=1, timeout=30):
    """Until the file has @count lines that @pattern finds. -> the lines"""
    deadline = time.monotonic() + timeout
    while True:
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        found = [line for line in lines if re.search(pattern, line)]
        if len(found) >= count:
            return found
        assert time.monotonic() < deadline, f"no {pattern!r} in:\n" + "\n".join(lines[-20:])
        os.sched_yield()


# Where it goes

@pytest.mark.plain
@pytest.mark.parametrize("option", ["logto = {folder}/log", "logto2 = {folder}/log",
                                    "logger = file:{folder}/log"])
def test_everything_goes_to_the_file(web, folder, option):
    server = web(option)
    wait_for(folder / "log", says.serving())
    assert client.get(server.address, "/query?here").status == 200
    [line] = wait_for(folder / "log", '"GET /query')
    assert '"GET /query?here HTTP/1.1" 200 ' in line
    assert server.stop() == 0
    wait_for(folder / "log", r"\] stops$")
    assert server.log.text() == ""


def test_several_sinks_get_every_line(web, folder):
    server = web("logto = {folder}/one\nlogger = file:{folder}/two\nlogger = stdio")
    server.wait_line(says.serving())
    wait_for(folder / "one", says.serving())
    wait_for(folder / "two", says.serving())


# Each runs a program where the daemon's socket is that of its first argument.
OWN_DEV_LOG = """
mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/urandom c 1 9 &&
mkdir /dev/shm && ln -s "$1" /dev/log && shift && exec "$@"
"""
OWN_JOURNAL = """
mount -t tmpfs none /run && mkdir -p /run/systemd/journal &&
ln -s "$1" /run/systemd/journal/socket && shift && exec "$@"
"""


def where(script, path):
    return ["unshare", "--mount", "sh", "-c", script, "-", path]


def daemon_at(path):
    daemon = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    daemon.bind(str(path))
    daemon.settimeout(30)
    return daemon


def received(daemon, pattern):
    while True:
        text = daemon.recv(65536).decode()
        if re.search(pattern, text):
            return text


@pytest.mark.needs_root
def test_syslog_and_its_restart(web, folder):
    wrapper = where(OWN_DEV_LOG, folder / "syslog")
    with daemon_at(folder / "syslog") as daemon:
        server = web("logger = syslog:shop\nlogto = {folder}/log", wrapper=wrapper)
        text = received(daemon, says.serving())
        assert re.match(rf"<30>shop\[{server.pid}\]: .*\[app\.ini\] generation 1 serves with", text)
    (folder / "syslog").unlink()
    server.kill(signal.SIGTTIN)
    wait_for(folder / "log", "2 workers are wanted")
    with daemon_at(folder / "syslog") as daemon:
        server.kill(signal.SIGTTIN)
        assert received(daemon, "3 workers are wanted")
    wait_for(folder / "log", r"\d+ lines are missing here")


def entry(daemon, pattern):
    """The next entry of the journal whose message @pattern finds. -> {field: value}"""
    while True:
        data, descriptors, _, _ = socket.recv_fds(daemon, 65536, 1)
        for fd in descriptors:
            with open(fd, "rb") as file:
                file.seek(0)
                data = file.read()
        fields = dict(line.split("=", 1) for line in data.decode().splitlines())
        if re.search(pattern, fields["MESSAGE"]):
            return fields


@pytest.mark.needs_root
def test_the_journal_and_its_restart(web, folder):
    wrapper = where(OWN_JOURNAL, folder / "journal")
    with daemon_at(folder / "journal") as daemon:
        server = web("logger = journald:shop\nlogto = {folder}/log", wrapper=wrapper)
        assert entry(daemon, says.serving()) == {
            "PRIORITY": "6", "SYSLOG_FACILITY": "3", "SYSLOG_IDENTIFIER": "shop",
            "LIEGE_SUBJECT": "app.ini",
            "MESSAGE": "[app.ini] generation 1 serves with 1 worker"}
        assert client.get(server.address, "/query?here").status == 200
        assert "LIEGE_SUBJECT" not in entry(daemon, '"GET /query.here HTTP/1.1" 200 ')
    (folder / "journal").unlink()
    server.kill(signal.SIGTTIN)
    wait_for(folder / "log", "2 workers are wanted")
    with daemon_at(folder / "journal") as daemon:
        server.kill(signal.SIGTTIN)
        assert entry(daemon, "3 workers are wanted")["LIEGE_SUBJECT"] == "app.ini"
    wait_for(folder / "log", r"\d+ lines are missing here")


@pytest.mark.needs_root
def test_the_journal_hears_how_bad_it_is_and_of_whom(instance, folder):
    app = "def application(environ, start_response):\n    raise KeyError('lost')\n"
    with daemon_at(folder / "journal") as daemon:
        server = instance("module = app\nlogger = journald", {"app.py": app}, wait=False,
                          wrapper=where(OWN_JOURNAL, folder / "journal"))
        entry(daemon, says.serving())
        assert client.get(server.address).status == 500
        fields = entry(daemon, "KeyError: 'lost'")
        assert fields["PRIORITY"] == "3" and fields["SYSLOG_IDENTIFIER"] == "liege"
        assert fields["LIEGE_SUBJECT"] == "app.ini worker 1"


@pytest.mark.needs_root
def test_a_line_that_is_too_large_for_a_datagram(web, folder):
    target = "/query?" + "x" * 8000
    n = 28  # 224 kB: more than a datagram of a UNIX socket has room for
    with daemon_at(folder / "journal") as daemon:
        server = web("logger = journald\nlog-format = " + "%(uri)" * n,
                     wrapper=where(OWN_JOURNAL, folder / "journal"))
        entry(daemon, says.serving())
        assert client.get(server.address, target).status == 200
        assert entry(daemon, "^/query")["MESSAGE"] == target * n


def test_what_an_application_prints_has_its_name(instance, folder):
    server = instance("module = app\nlogto = {folder}/log", {"app.py": PRINTS}, wait=False)
    wait_for(folder / "log", r"\[app\.ini\] zygote: loaded$")
    assert client.get(server.address, "/print").status == 200
    for word in ("one", "two", "three"):
        wait_for(folder / "log", rf"^20..-..-.. ..:..:..\.... \[app\.ini\] worker 1: {word}$")


def test_the_last_words_of_a_worker_are_there(instance, folder):
    app = "import os, sys\ndef application(environ, start_response):\n" \
          "    sys.stderr.write('no newline')\n    sys.stderr.flush()\n    os._exit(9)\n"
    server = instance("module = app\nlogto = {folder}/log", {"app.py": app}, wait=False)
    wait_for(folder / "log", says.serving())
    with Connection(server.address) as c:
        c.send(request_bytes("/"))
        assert c.at_end()
    wait_for(folder / "log", r"worker 1: no newline$")
    wait_for(folder / "log", r"worker 1 exited with code 9")


def test_a_traceback_is_in_the_log_of_the_instance(instance, folder):
    app = "def application(environ, start_response):\n    raise KeyError('lost')\n"
    server = instance("module = app\nlogto = {folder}/log", {"app.py": app}, wait=False)
    wait_for(folder / "log", says.serving())
    assert client.get(server.address).status == 500
    wait_for(folder / "log", r"\[app\.ini worker 1\] error: .*KeyError: 'lost'")


def test_a_file_that_cannot_be_opened_is_an_error(web, folder):
    server = web("logto = {folder}/missing/log")
    assert server.wait() == 1
    server.log.wait("cannot start: cannot log to .*/missing/log: No such file")


@pytest.mark.parametrize("setting", ["logger = papyrus", "logger = file:", "logto = name",
                                     "log-format = %(rss)"])
def test_settings_that_mean_nothing(web, setting):
    server = web(setting)
    assert server.wait() == 1
    server.log.wait(r"app\.ini:\d+: (logger|logto|log-format): ")


def test_another_file_needs_a_restart(web, folder):
    server = web("logto = {folder}/log")
    wait_for(folder / "log", says.serving())
    server.config.write_text(server.config.read_text().replace("/log", "/other"))
    server.kill(signal.SIGHUP)
    wait_for(folder / "log", "logto changed from .* to .*/other': that needs a stop and a start")


@pytest.mark.needs_root
def test_the_file_belongs_to_the_user_of_the_workers(web, folder):
    run = folder / "run"
    run.mkdir()
    os.chown(run, 65534, 65534)
    server = web(f"logto = {run}/log\nuid = 65534\ngid = 65534\nhttp-socket = {run}/s")
    wait_for(run / "log", says.serving())
    assert (run / "log").stat().st_uid == 65534
    os.rename(run / "log", run / "old")
    server.kill(signal.SIGUSR1)
    wait_for(run / "log", "is opened anew")


# Rotation

@pytest.mark.plain
def test_usr1_opens_the_file_anew_and_loses_no_line(web, folder):
    server = web("logto = {folder}/log\nprocesses = 2")
    log = folder / "log"
    wait_for(log, says.serving())
    before = len(proc.descriptors(server.pid))
    with Load(server.address, keep_alive=4, per_request=2, target="/query?n") as load:
        for i in range(5):
            load.wait_for(50)
            os.rename(log, folder / f"log.{i}")
            server.kill(signal.SIGUSR1)
            wait_for(log, "/log is opened anew")
    load.assert_clean()
    assert server.stop(signal.SIGQUIT) == 0
    n = sum(len(re.findall('"GET /query', p.read_text())) for p in folder.glob("log*"))
    assert n == load.ok
    assert len({p.stat().st_ino for p in folder.glob("log*")}) == 6 and before > 0


def test_a_file_that_cannot_be_opened_anew_goes_on_being_written(web, folder):
    (folder / "logs").mkdir()
    server = web("logto = {folder}/logs/log")
    wait_for(folder / "logs" / "log", says.serving())
    os.rename(folder / "logs", folder / "old")
    server.kill(signal.SIGUSR1)
    wait_for(folder / "old" / "log", "error: .*/logs/log cannot be opened anew, what was open is "
                                     "written: No such file")
    assert client.get(server.address).status == 200
    wait_for(folder / "old" / "log", '"GET / ')


def test_usr1_without_a_log_of_its_own(instance):
    server = instance(WEB)
    server.kill(signal.SIGUSR1)
    server.wait_line("SIGUSR1: there is no log of our own to open anew")
    assert client.get(server.address).status == 200


# Nobody waits for it

@pytest.mark.plain
def test_a_log_that_nobody_reads_stops_no_request(web, folder):
    """A FIFO whose reader does not read is a disk that has stopped."""
    fifo = folder / "log"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    server = web("logto = {folder}/log\nprocesses = 2\nlog-format = %(uri) " + "x" * 3000)
    wait_socket(server.address)
    with Load(server.address, keep_alive=4, per_request=0) as load:
        load.wait_for(5000, timeout=60)  # 15 MB of log
    load.assert_clean()
    assert load.longest_gap < 5
    os.set_blocking(reader, True)
    text = b""
    while b"lines are missing here" not in text:  # now it reads
        client.get(server.address, "/query?more")
        text += os.read(reader, 1 << 20)
    os.set_blocking(reader, False)
    assert server.running()
    server.kill(signal.SIGINT)
    while server.running():
        try:
            os.read(reader, 1 << 20)
        except BlockingIOError:
            os.sched_yield()
    os.close(reader)
    assert server.wait() == 0


def test_an_application_that_prints_too_much_is_not_held_up(instance, folder):
    fifo = folder / "log"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    server = instance("module = app\nlogto = {folder}/log", {"app.py": PRINTS}, wait=False)
    for _ in range(100):  # 20 MB
        with Connection(wait_socket(server.address)) as c:
            assert c.request("/flood").status == 200
    os.close(reader)
    assert server.stop() == 0


def wait_socket(address):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX) as s:
            if s.connect_ex(address) == 0:
                return address
        os.sched_yield()
    raise AssertionError(f"nobody listens on {address}")


@pytest.mark.needs_root
def test_a_full_disk(web, folder):
    full = folder / "full"
    full.mkdir()
    server = web(f"logto = {full}/log\nlog-format = %(uri) " + "y" * 1000, wrapper=[
        "unshare", "--mount", "--", "sh", "-c",
        f'mount -t tmpfs -o size=64k none {full} && exec "$@"', "sh"])
    wait_socket(server.address)
    with Load(server.address, keep_alive=2, per_request=0) as load:
        load.wait_for(1000)
    load.assert_clean()
    assert server.stop() == 0


# What a line says

def test_a_format_of_ones_own(web, folder):
    server = web('logto = {folder}/log\nlog-format = %(method) %(uri) %(status) %(var.HTTP_X_ID)|%(wid)')
    wait_for(folder / "log", says.serving())
    with Connection(server.address) as c:
        c.request("/query?a", fields=[("X-Id", 'q"1')])
    [line] = wait_for(folder / "log", "^GET /query")
    assert line == "GET /query?a 200 q\\x221|1"


QUIET = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Length", "0")])
    return []
"""
HOSTILE = [hostile.Http, hostile.InUwsgi, hostile.InFastCgi, hostile.InScgi]


def check_json(instance, folder, kind, n):
    """Each of @n requests that was taken is a line of JSON that gives back its bytes; nothing of
    what was refused is in the log."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    address, log = str(folder / "front"), folder / "log"
    server = instance(f"module = app\n{kind.option} = {address}\nlogto = {log}\njson-log = yes",
                      {"app.py": QUIET}, wait=False)
    wait_for(log, says.serving())
    taken, n_refused = kind(hostile.Chance(random.Random(seed))).ask(address, n)
    assert n_refused > n / 100 and len(taken) > n / 2
    assert server.stop() == 0
    lines = log.read_bytes().split(b"\n")
    objects = [json.loads(line) for line in lines if line.startswith(b"{")]
    keys = sorted(taken[0])
    found = collections.Counter(tuple(o[k].encode("latin-1") for k in keys) for o in objects)
    sent = collections.Counter(tuple(t[k] for k in keys) for t in taken)
    assert not (sent - found), f"seed {seed}: not in the log: {list(sent - found)[:3]}"
    assert not (found - sent), f"seed {seed}: nobody sent: {list(found - sent)[:3]}"
    assert {(o["status"], o["vassal"]) for o in objects} == {(200, "app.ini")}
    others = [line for line in lines if not line.startswith(b"{")]
    assert all(re.fullmatch(rb"[\x20-\x7e]*", line) for line in others), f"seed {seed}"


@pytest.mark.parametrize("kind", HOSTILE)
def test_json_gives_back_the_bytes_of_a_client(instance, folder, kind):
    check_json(instance, folder, kind, 500)


@pytest.mark.soak
@pytest.mark.plain
@pytest.mark.parametrize("kind, n", zip(HOSTILE, [70000, 10000, 10000, 10000]))
def test_json_gives_back_the_bytes_of_100_000_requests(instance, folder, kind, n):
    check_json(instance, folder, kind, n)


def test_the_longest_line_of_json(instance, folder):
    """Each byte of the longest head becomes six."""
    server = instance("module = app\nlogto = {folder}/log\njson-log = yes", {"app.py": QUIET},
                      wait=False)
    wait_for(folder / "log", says.serving())
    uri, value = b"/" + b'"' * 16000, b"\xff" * 16000
    with Connection(server.address) as c:
        for _ in range(3):
            c.send(b"GET %b HTTP/1.1\r\nHost: a\r\nReferer: %b\r\nUser-Agent: %b\r\n\r\n" %
                   (uri, value, value))
            assert c.response().status == 200
    lines = [json.loads(line) for line in wait_for(folder / "log", r"^\{", count=3)]
    assert {tuple(line[k].encode("latin-1") for k in ("uri", "referer", "uagent"))
            for line in lines} == {(uri, value, value)}
