# SPDX-License-Identifier: MIT
"""Orders that are no signals: letters in a FIFO, and files that are touched."""
import os
import signal
import subprocess

import pytest

from harness import client, proc, programs, says
from harness.client import Connection, request_bytes
from harness.load import Load

WEB = "wsgi-file = {apps}/python/web.py\n"


@pytest.fixture
def web(instance, folder):
    return lambda settings="", **kw: instance(
        f"master-fifo = {folder}/fifo\n{WEB}{settings}", **kw)


def write(folder, letters):
    with open(folder / "fifo", "w") as f:
        f.write(letters)


# The FIFO

def test_letters_are_orders(web, folder):
    server = web()
    assert (folder / "fifo").stat().st_mode & 0o777 == 0o600
    write(folder, "+")
    server.wait_line("2 workers are wanted")
    write(folder, "-\n")
    server.wait_line("1 worker is wanted")
    write(folder, "r")
    server.wait_line(says.serving(2))
    write(folder, "l")
    server.wait_line("there is no log of our own to open anew")
    write(folder, "x")
    server.wait_line("warning: master-fifo: 'x' means nothing here")
    assert client.get(server.address).status == 200
    write(folder, "q")
    server.wait_line("stops gracefully")
    assert server.wait() == 0
    assert not (folder / "fifo").exists()


def test_many_letters_at_once(web, folder):
    server = web()
    write(folder, "+++--\nQ\n")
    server.wait_line("2 workers are wanted", count=2)
    assert server.wait() == 0


def test_after_an_upgrade_the_new_master_listens(web, folder):
    server = web()
    write(folder, "f")
    new = int(server.wait_line(r"the new master \(pid (\d+)\) serves").group(1))
    server.kill(signal.SIGQUIT)
    server.wait_line("the old master has ended")
    assert server.wait() == 0
    write(folder, "Q")
    assert not proc.wait_gone([new])


def test_a_fifo_that_is_there_is_used(web, folder):
    os.mkfifo(folder / "fifo", 0o660)
    server = web()
    write(folder, "Q")
    assert server.wait() == 0


def test_something_else_with_its_name_is_left_alone(web, folder):
    (folder / "fifo").write_text("precious")
    server = web(wait=False)
    assert server.wait() == 1
    server.log.wait("cannot start: master-fifo: .*/fifo is there and is no FIFO")
    assert (folder / "fifo").read_text() == "precious"


# Touched files

def test_a_touch_reloads(instance, folder):
    (folder / "flag").write_text("")
    server = instance(WEB + "touch-reload = {folder}/flag\ntouch-reload = {folder}/other")
    os.utime(folder / "flag")
    server.wait_line("reload: .*/flag was touched")
    server.wait_line(says.serving(2))
    (folder / "other").write_text("made")  # it was not there before
    server.wait_line("reload: .*/other was touched")
    server.wait_line(says.serving(3))


def test_a_file_that_is_replaced_is_touched(instance, folder):
    (folder / "flag").write_text("")
    server = instance(WEB + "touch-reload = {folder}/flag")
    for n in range(3):
        (folder / "next").write_text(str(n))
        os.rename(folder / "next", folder / "flag")
        server.wait_line(says.serving(n + 2))
    (folder / "flag").unlink()
    (folder / "flag").write_text("again")
    server.wait_line(says.serving(5))


def test_a_link_that_points_elsewhere_is_touched(instance, folder):
    """As a deployment does it."""
    for name in ("one", "two"):
        (folder / name).mkdir()
        (folder / name / "version").write_text(name)
    os.symlink("one", folder / "current")
    server = instance(WEB + "touch-reload = {folder}/current/version")
    os.symlink("two", folder / "next")
    os.rename(folder / "next", folder / "current")
    server.wait_line("reload: .*/current/version was touched")
    server.wait_line(says.serving(2))


def test_reading_is_no_touch(instance, folder):
    (folder / "flag").write_text("")
    server = instance(WEB + "touch-reload = {folder}/flag")
    for _ in range(5):
        (folder / "flag").read_text()
        (folder / "flag").chmod(0o600)
    assert client.get(server.address).status == 200
    os.utime(folder / "flag")
    server.wait_line(says.serving(2))
    assert len(server.log.find("was touched")) == 1


def test_a_reload_may_name_other_files(instance, folder):
    (folder / "one").write_text("")
    (folder / "two").write_text("")
    server = instance(WEB + "touch-reload = {folder}/one")
    server.config.write_text(server.config.read_text().replace("/one", "/two"))
    os.utime(folder / "one")
    server.wait_line(says.serving(2))
    os.utime(folder / "one")
    os.utime(folder / "two")
    server.wait_line("reload: .*/two was touched")
    server.wait_line(says.serving(3))
    assert len(server.log.find("/one was touched")) == 1


# liegectl

def liegectl(*arguments):
    return subprocess.run([programs.BUILD / "liegectl", *arguments], capture_output=True, text=True)


@pytest.mark.plain
def test_liegectl_says_it_with_words(web, folder):
    server = web()
    assert liegectl("more", folder / "fifo").returncode == 0
    server.wait_line("2 workers are wanted")
    assert liegectl("reload", folder / "fifo").returncode == 0
    server.wait_line(says.serving(2))
    assert liegectl("stop", folder / "fifo").returncode == 0
    assert server.wait() == 0


def test_what_liegectl_cannot_do(web, folder):
    (folder / "file").touch()
    os.mkfifo(folder / "deaf")
    for name, why in [("nothing", "No such file"), ("file", "it is no FIFO"),
                      ("deaf", "no instance listens there")]:
        run = liegectl("reload", folder / name)
        assert run.returncode == 1 and f"{folder / name}: {why}" in run.stderr
    for arguments in [(), ("reload",), ("dance", folder / "deaf")]:
        run = liegectl(*arguments)
        assert run.returncode == 2 and "chain-reload" in run.stderr
    assert "stack" in liegectl("--help").stdout


HANGS = '''
import threading
from time import sleep

def other(started):
    started.set()
    threading.Event().wait()  # OTHER

def application(environ, start_response):
    if environ["PATH_INFO"] == "/hang":
        started = threading.Event()
        threading.Thread(target=other, args=(started,), daemon=True).start()
        started.wait()
        print("it hangs", flush=True)
        sleep(1000)  # SLEEPS
    start_response("200 OK", [])
    return [b"here"]
'''
PERL_HANGS = '''
sub deep {
    warn "it hangs\n";
    sleep 1000; # SLEEPS
}
sub { deep() if $_[0]{PATH_INFO} eq "/hang"; [200, [], ["here"]] };
'''


def line_of(code, mark):
    return next(n for n, line in enumerate(code.splitlines(), 1) if mark in line)


@pytest.mark.plain
def test_where_the_threads_of_a_worker_are(instance, folder):
    server = instance(f"module = app\nmaster-fifo = {folder}/fifo\nprocesses = 2", {"app.py": HANGS})
    workers = proc.children(server.pid)
    with Connection(server.address) as hanging:
        hanging.send(request_bytes("/hang"))
        server.wait_line("it hangs")
        for _ in range(3):
            mark = server.log.mark()
            assert liegectl("stack", folder / "fifo").returncode == 0
            server.wait_line(r"GET /hang from \S+ has been running for [\d.]+ s: it goes on", after=mark)
            for wanted in ("SLEEPS", "OTHER"):
                server.wait_line(rf'File ".*/app\.py", line {line_of(HANGS, wanted)} in ', after=mark)
            server.wait_line("thread .* in the kernel at", after=mark, count=3)
            server.wait_line("has 0 connections, and 0 calls", after=mark)
        assert client.get(server.address).body == b"here"
    assert proc.children(server.pid) == workers


@pytest.mark.plain
def test_where_perl_is(instance, folder):
    server = instance(f"psgi = app.psgi\nmaster-fifo = {folder}/fifo", {"app.psgi": PERL_HANGS})
    with Connection(server.address) as hanging:
        hanging.send(request_bytes("/hang"))
        server.wait_line("it hangs")
        liegectl("stack", folder / "fifo")
        server.wait_line("the workers say where they are")
        server.wait_line(rf"at .*app\.psgi line {line_of(PERL_HANGS, 'SLEEPS')}$")
        server.wait_line(r"called from .*app\.psgi line 7$")
        server.kill(signal.SIGINT)
        assert server.wait() == 0


def test_stacks_of_busy_workers_harm_nobody(instance, folder):
    server = instance(f"module = app\nmaster-fifo = {folder}/fifo\nprocesses = 2\nthreads = 3",
                      {"app.py": HANGS})
    with Load(server.address, keep_alive=8, per_request=4) as load:
        for i in range(20):
            (folder / "fifo").write_text("t")
            server.wait_line("the workers say where they are", count=i + 1)
            load.wait_for(20)
    load.assert_clean()
    assert not server.log.find("killed by signal")
