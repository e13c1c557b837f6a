# SPDX-License-Identifier: MIT
"""The Emperor's control socket, and liegectl that speaks over it."""
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios

import pytest

from harness import proc, programs, says, stats

LIEGECTL = programs.BUILD / "liegectl"
VASSAL = programs.APPS / "foreign" / "vassal"
APP = """
def application(environ, start_response):
    start_response("200 OK", [])
    return [b"here"]
"""


class Control:
    """An Emperor with a control socket."""

    def __init__(self, server, path):
        self.server, self.path = server, str(path)
        self.environment = {**os.environ, "LIEGE_CONTROL": self.path}

    def run(self, *arguments, code=0):
        """liegectl with these arguments; -> what it printed, on both outputs."""
        run = subprocess.run([LIEGECTL, *arguments], env=self.environment, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             timeout=programs.PATIENCE)
        assert run.returncode == code, run.stdout
        return run.stdout

    def status(self, name):
        """The Emperor's document of a vassal."""
        return json.loads(self.run("status", name, "--json").splitlines()[0])["status"]

    def connect(self):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(programs.PATIENCE)
        s.connect(self.path)
        return s

    def ask(self, text, s=None):
        """Sends the bytes @text; -> the lines of the answer."""
        lines = []
        with contextlib.nullcontext(s) if s else self.connect() as s:
            s.sendall(text)
            for line in s.makefile("rb"):
                lines.append(json.loads(line))
                if "ok" in lines[-1]:
                    break
        return lines

    def ready(self, name, after=0):
        self.server.wait_line(says.vassal_is(name, "ready"), after=after)


@pytest.fixture
def control(emperor, folder):
    """control(*arguments, **kw): an Emperor of real vassals."""
    path = folder / "control.sock"
    return lambda *arguments, **kw: Control(emperor("--emperor-control", path, *arguments, **kw), path)


@pytest.fixture
def foreign(control):
    """The same with vassals that are apps/foreign/vassal."""
    return lambda *arguments, **kw: control("--binary-path", VASSAL, *arguments, **kw)


@pytest.fixture
def app(folder, vassals):
    """app(name, code, settings): a vassal that runs a small application."""
    def write(name, code=APP, settings=""):
        (folder / f"{name}.py").write_text(code)
        vassals.write(f"{name}.ini", f"[liege]\nhttp-socket = {folder}/{name}.sock\n"
                                     f"wsgi-file = {folder}/{name}.py\n{settings}\n")
    return write


# What is shown

def test_status_says_state_time_reason_and_process(control, app):
    c = control()
    app("shop", settings="processes = 2")
    c.ready("shop.ini")
    c.run("reload", "shop", "--wait")
    head, line = c.run("status").splitlines()
    assert head.split() == ["NAME", "STATE", "SINCE", "PID", "WORKERS", "GEN", "RESTARTS", "EXIT", "REASON"]
    name, state, since, pid, workers, generation, restarts, end, reason = line.split(None, 8)
    assert (name, state, workers, generation, restarts, end) == ("shop.ini", "ready", "2", "2", "1", "-")
    assert re.fullmatch(r"\d+s", since) and int(pid) in c.server.children()
    assert reason.startswith("it serves after")
    assert c.status("shop")["state"] == "ready"
    assert c.run("list") == "shop.ini\n"
    assert "\033" not in c.run("status", "shop.ini")


def test_status_measures_memory_if_it_is_asked_to(control, app):
    c = control()
    app("shop")
    app("blog")
    for name in ("shop.ini", "blog.ini"):
        c.ready(name)
    assert c.status("shop")["memory_measured"] == 0
    head, blog, shop = c.run("status", "-m").splitlines()
    columns = head.split()
    assert columns[7:10] == ["PSS", "USS", "SAVES"]
    assert (blog.split()[0], shop.split()[0]) == ("blog.ini", "shop.ini")
    pss, uss, saves = shop.split()[7:10]
    assert 0 < float(uss.rstrip("M")) <= float(pss.rstrip("M"))
    assert saves == "-"  # it is no base
    pids = [c.status("shop")["pid"]]
    pids += proc.descendants(pids[0])
    measured = sum(proc.memory(pid)["Pss"] for pid in pids)
    assert abs(c.status("shop")["pss"] - measured) < 0.2 * measured


def test_memory_of_all_costs_the_loop_nothing(foreign, vassals):
    c = foreign()
    for i in range(120):
        vassals.write(f"v{i}.ini", "loyal\n")
    c.server.wait_line(r"-> ready", count=120)
    assert len(c.run("status", "--memory").splitlines()) == 121
    document = stats.read(c.server.stats)
    assert document["pid"] == c.server.pid
    assert [v["pss"] > 0 for v in document["vassals"]] == [True] * 120


def test_a_vassal_that_keeps_dying_says_why(foreign, vassals):
    c = foreign()
    vassals.write("a.ini", "failed no such database\nexit 3\n")
    c.server.wait_line(says.vassal_is("a.ini", "backoff"))
    status = c.status("a")
    assert status["state"] == "backoff" and status["exit"] == "exited with code 3"
    assert "exited with code 3: no such database, starts again in" in status["reason"]
    vassals.path("a.ini").unlink()
    c.server.wait_line(says.vassal_is("a.ini", "gone"))
    assert len(c.run("status").splitlines()) == 1


def test_names_that_are_not_clear(foreign, vassals):
    c = foreign("--emperor-extra-extension", ".conf")
    for name in ("shop.ini", "shop.conf", "blog.ini"):
        vassals.write(name, "loyal\n")
        c.ready(name)
    out = c.run("status", "shop", code=1)
    assert re.search(r"shop may be shop\.(ini or shop\.conf|conf or shop\.ini): say which", out)
    assert "no vassal is called blgo, did you mean blog?" in c.run("reload", "blgo", code=1)
    assert c.status("blog")["id"] == "blog.ini"


# What is done

def test_a_reload_says_whether_the_new_generation_serves(control, app, folder):
    c = control()
    app("shop")
    c.ready("shop.ini")
    assert c.run("reload", "shop", "--wait").startswith("shop.ini: ready (it serves after")
    (folder / "shop.py").write_text("raise RuntimeError('no such table')\n")
    out = c.run("reload", "shop", "--wait", code=1)
    assert "the old one goes on serving: ready (reload failed: " in out and "no such table" in out
    (folder / "shop.py").write_text(APP)
    assert c.run("reload", "all", "--wait").startswith("shop.ini: ready (it serves after")


def test_a_start_that_fails_says_why(foreign, vassals):
    c = foreign()
    vassals.write("a.ini", "loyal\n")
    c.ready("a.ini")
    c.run("stop", "a", "--wait")
    vassals.path("a.ini").write_text("failed no such module\nexit 1\n")
    out = c.run("start", "a", "--wait", code=1)
    assert "it does not run: backoff (process" in out and "no such module" in out


def test_a_stopped_vassal_stays_stopped_until_it_is_started(foreign, vassals):
    c = foreign()
    vassals.write("a.ini", "loyal\n")
    c.ready("a.ini")
    pid = c.status("a")["pid"]
    assert c.run("stop", "a", "--wait").startswith("a.ini: held (")
    assert not proc.alive(pid)
    vassals.touch("a.ini")
    c.server.kill(signal.SIGHUP)
    c.server.kill(signal.SIGURG)
    vassals.write("b.ini", "loyal\n")
    c.ready("b.ini")
    assert c.status("a")["state"] == "held"
    assert "it cannot be reloaded: it is held" in c.run("reload", "a", code=1)
    assert "it cannot be stopped: it is held" in c.run("stop", "a", code=1)
    assert c.run("start", "a", "--wait").startswith("a.ini: ready (")
    assert "it cannot be started: it is ready" in c.run("start", "a", code=1)
    c.run("stop", "a", "--wait")
    vassals.remove("a.ini")
    c.server.wait_line(says.vassal_is("a.ini", "gone"))


def test_a_deaf_vassal_is_killed_and_held(foreign, vassals):
    c = foreign("--emperor-curse-tolerance", "0.2")
    vassals.write("a.ini", "loyal\ndeaf\n")
    c.ready("a.ini")
    assert "killed by signal 9" in c.run("stop", "a", "--wait")


def test_whoever_waits_hears_that_the_vassal_is_gone(foreign, vassals):
    c = foreign()
    vassals.write("a.ini", "unready\n")
    c.server.wait_line('"event": "started"')
    with subprocess.Popen([LIEGECTL, "reload", "a", "--wait"], env=c.environment, text=True,
                          stderr=subprocess.PIPE) as waiting:
        c.server.wait_line('"event": "started"', count=2)
        vassals.remove("a.ini")
        assert "something else was done to it meanwhile: gone" in waiting.stderr.read()
        assert waiting.wait(programs.PATIENCE) == 1


def test_clear_blacklist_is_for_one(foreign, vassals):
    c = foreign()
    for name in ("a.ini", "b.ini"):
        vassals.write(name, "exit 1\n")
        c.server.wait_line(says.vassal_is(name, "backoff"))
    mark = c.server.log.mark()
    c.run("clear-blacklist", "a")
    c.server.wait_line("vassal a.ini: backoff -> starting, an operator forgives it", after=mark)
    assert not c.server.log.find("vassal b.ini: backoff -> starting, an operator", after=mark)


def test_a_check_of_a_configuration(control, app, vassals):
    c = control()
    app("good")
    c.ready("good.ini")
    assert "good.ini: the configuration is valid" in c.run("check", "good")
    app("bad", settings="processes = many")
    c.server.wait_line(says.vassal_is("bad.ini", "backoff"))
    out = c.run("check", "bad", code=1)
    assert "processes" in out and "many" in out and "the check exited with code 1" in out


def test_ten_thousand_bytes_of_names_come_in_order(foreign, vassals):
    c = foreign()
    names = [f"{'x' * 100}{i:03}.ini" for i in range(40)]
    for name in reversed(names):
        vassals.write(name, "loyal\n")
    for name in names:
        c.ready(name)
    assert c.run("list").split() == names
    assert len(c.run("reload", "all", "--wait").splitlines()) == 40


# Who may, and what it means to misbehave

def test_the_socket_is_for_its_owner_alone(foreign, folder, vassals):
    c = foreign()
    st = os.stat(c.path)
    assert st.st_mode & 0o777 == 0o600 and st.st_uid == os.geteuid()
    assert c.server.stop() == 0
    assert not os.path.exists(c.path)
    assert "no Emperor" in c.run("status", code=3)
    assert "/nowhere/at/all: No such file" in c.run("--socket", "/nowhere/at/all", "status", code=3)


@pytest.mark.parametrize("value", [":8080", "@name", "fd://3"])
@pytest.mark.parametrize("check", [(), ("--check",)])
def test_only_a_path_is_a_control_socket(start, vassals, value, check):
    server = start("--emperor", vassals.directory, "--emperor-control", value, *check)
    server.wait_line(f"error: emperor-control: {value} is not the path of a socket")
    assert server.wait() == 1


@pytest.mark.needs_root
def test_other_users_are_refused(foreign, vassals):
    c = foreign()
    os.chmod(c.path, 0o666)
    run = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", LIEGECTL, "status"], text=True,
                         env=c.environment, capture_output=True, timeout=programs.PATIENCE)
    assert run.returncode == 1
    assert "only root and the user of the Emperor may use this socket" in run.stderr
    c.server.wait_line("emperor-control: refused process [0-9]+ of user 65534")


@pytest.mark.needs_root
def test_an_emperor_that_gives_up_root_is_obeyed_by_its_user(foreign, vassals):
    c = foreign("--uid", "65534")
    assert os.stat(c.path).st_uid == 65534
    vassals.write("a.ini", "loyal\n")
    c.ready("a.ini")
    assert "a.ini" in c.run("list")
    run = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", LIEGECTL, "list"],
                         env=c.environment, capture_output=True, text=True)
    assert run.stdout == "a.ini\n"


@pytest.mark.parametrize("text, why", [
    (b"\n", "one JSON object"), (b"\0\xff\n", "one JSON object"), (b"[" * 60000 + b"\n", "one JSON object"),
    (b"x" * 70000, "too long"), (b'{"v":1,"command":"dance"}\n', "no command dance"),
    (b'{"v":1,"command":"stop"}\n', "stop which vassal"), (b'{"v":7,"command":"status"}\n', "version 1"),
])
def test_what_is_no_request_is_refused(foreign, text, why):
    c = foreign()
    *_, last = c.ask(text)
    assert last["ok"] is False and why in last["error"]
    assert c.run("list") == ""


def test_a_client_may_ask_many_things_at_once(foreign, vassals):
    c = foreign()
    with c.connect() as s:
        s.sendall(b'{"v":1,"command":"list"}\n' * 500)
        s.shutdown(socket.SHUT_WR)
        assert [json.loads(line)["ok"] for line in s.makefile("rb")] == [True] * 500


def test_clients_that_do_nothing_keep_out_nobody_for_long(foreign, vassals):
    c = foreign()
    with contextlib.ExitStack() as stack:
        for i in range(64):
            s = stack.enter_context(c.connect())
            s.sendall(b'{"v":1,' if i % 2 else b"")
        assert c.run("list") == ""  # as soon as the first of them is let go


def test_a_client_that_does_not_read_is_let_go(foreign, vassals):
    c = foreign()
    vassals.write("a.ini", "loyal\n")
    c.ready("a.ini")
    with c.connect() as s:
        s.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                s.send(b'{"v":1,"command":"status"}\n' * 100)
        assert "a.ini" in c.run("list")
        s.settimeout(programs.PATIENCE)
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            while True:
                s.sendall(b"\n")


# The log

def test_a_log_begins_with_the_first_byte_and_outlives_crashes(foreign, vassals):
    c = foreign()
    vassals.write("a.ini", "failed x\nexit 1\n")
    c.server.wait_line(says.vassal_is("a.ini", "backoff"))
    c.run("clear-blacklist", "a")
    c.server.wait_line(says.vassal_is("a.ini", "backoff"), count=2)
    lines = [json.loads(line) for line in c.run("log", "a").splitlines()]
    assert [line["event"] for line in lines] == ["started", "started"]
    assert lines[0]["pid"] != lines[1]["pid"]
    assert json.loads(c.run("log", "a", "-n", "1")) == lines[1]
    assert c.run("log", "a", "-n", "0") == ""


def test_a_log_can_be_followed(foreign, vassals):
    c = foreign()
    vassals.write("a.ini", "loyal\n")
    c.ready("a.ini")
    with subprocess.Popen([LIEGECTL, "log", "a", "-f", "-n", "1"], env=c.environment,
                          stdout=subprocess.PIPE, text=True) as follower:
        assert json.loads(follower.stdout.readline())["event"] == "started"
        vassals.touch("a.ini")
        assert json.loads(follower.stdout.readline())["event"] == "reloaded"
        vassals.remove("a.ini")
        assert json.loads(follower.stdout.readline())["event"] == "stop"
        assert follower.stdout.read() == "" and follower.wait(programs.PATIENCE) == 0


# top

def test_top_in_a_pipe_is_a_table_for_each_interval(foreign, vassals):
    c = foreign()
    vassals.write("a.ini", "loyal\n")
    c.ready("a.ini")
    first, second = c.run("top", "-n", "2", "-d", "0.1").strip().split("\n\n")
    for picture in (first, second):
        head, columns, line = picture.splitlines()
        assert head.startswith("1 vassals, ") and "\033" not in picture
        row = dict(zip(columns.split(), line.split()))
        assert row["NAME"] == "a.ini" and row["STATE"] == "ready"
        assert float(row["CPU%"]) >= 0 and 1 < float(row["RSS"].rstrip("M")) < 1000


@pytest.mark.parametrize("end", ["q", signal.SIGINT, signal.SIGTERM])
def test_top_in_a_terminal_leaves_it_as_it_was(foreign, vassals, end):
    c = foreign()
    vassals.write("a.ini", "loyal\n")
    c.ready("a.ini")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 50, 0, 0))
    before = termios.tcgetattr(theirs)
    with subprocess.Popen([LIEGECTL, "top", "-d", "0.1"], env=c.environment, stdin=theirs,
                          stdout=theirs, stderr=theirs) as top:
        text = wait_text(ours, b"", b"a.ini", b"ready", b"q ends")
        for line in re.sub(rb"\033\[[?\d;]*\w", b"", text).split(b"\r\n"):
            assert len(line) <= 50
        assert not termios.tcgetattr(theirs)[3] & (termios.ECHO | termios.ICANON)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 200, 0, 0))
        wait_text(ours, b"", b"it serves after")
        os.write(ours, b"q") if end == "q" else top.send_signal(end)
        wait_text(ours, b"", b"\033[?1049l")
        assert top.wait(programs.PATIENCE) == 0
    assert termios.tcgetattr(theirs) == before
    os.close(ours)
    os.close(theirs)


def wait_text(fd, text, *wanted):
    """Reads until all of @wanted has come."""
    while not all(w in text for w in wanted):
        assert select.select([fd], [], [], programs.PATIENCE)[0], text
        text += os.read(fd, 65536)
    return text
