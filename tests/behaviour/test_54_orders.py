# SPDX-License-Identifier: MIT
"""Orders that are no signals: letters in a FIFO, and files that are touched."""
import os
import signal

import pytest

from harness import client, proc, says

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
