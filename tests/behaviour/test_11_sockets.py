# SPDX-License-Identifier: MIT
"""The sockets that an instance listens on: their families, files, owners and queues."""
import grp
import json
import os
import pwd
import re
import socket
import stat
import subprocess

import pytest

from harness import client, proc, says

WEB = "wsgi-file = {apps}/python/web.py\n"


def environ_at(address):
    answer = client.get(address, "/environ")
    assert answer.status == 200
    return json.loads(answer.body)


@pytest.fixture
def listening(instance):
    """listening(address, settings) -> a server that listens there."""
    def start(address, settings="", **kw):
        server = instance(f"http-socket = {address}\n{WEB}{settings}", **kw)
        server.address = address
        return server
    return start


@pytest.mark.plain
def test_tcp(listening, free_address):
    at = free_address()
    environ = environ_at(listening(at).address)
    host, port = at.split(":")
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == (host, port)
    assert environ["REMOTE_ADDR"].startswith("127.")
    assert int(environ["REMOTE_PORT"]) > 0


def test_tcp_with_a_port_alone(listening, free_address):
    _, port = free_address().split(":")
    server = listening(f":{port}")
    environ = environ_at(f"127.0.0.1:{port}")
    assert environ["SERVER_NAME"] == socket.gethostname()
    assert environ["SERVER_PORT"] == port
    assert server.stop() == 0


def test_tcp_version_6(listening):
    server = listening("[::1]:0")  # the kernel finds a port
    [(host, port)] = proc.listening(server.pid)
    assert host == "::1"
    environ = environ_at(f"[::1]:{port}")
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("[::1]", str(port))
    assert environ["REMOTE_ADDR"] == "::1"


def test_version_6_leaves_version_4_to_others(listening):
    server = listening("[::]:0")
    [(_, port)] = proc.listening(server.pid)
    assert environ_at(f"[::1]:{port}")["REMOTE_ADDR"] == "::1"
    with pytest.raises(ConnectionRefusedError):
        client.get(f"127.0.0.1:{port}")


@pytest.mark.plain
def test_unix(listening, folder):
    environ = environ_at(listening(f"{folder}/s").address)
    assert environ["REMOTE_ADDR"] == ""
    assert environ["SERVER_NAME"] and environ["SERVER_PORT"]


def test_a_path_below_the_working_directory(listening, folder):
    server = listening("./s")
    assert client.get(folder / "s").status == 200
    assert server.stop() == 0
    assert not (folder / "s").exists()


def test_an_abstract_name(listening, folder):
    at = f"@{folder}/abstract"
    server = listening(at)
    assert environ_at(at)["REMOTE_ADDR"] == ""
    assert not (folder / "abstract").exists()
    assert server.stop() == 0
    with pytest.raises(ConnectionRefusedError):
        client.get(at)


def test_several_at_once_one_of_them_named_twice(instance, folder, free_address):
    tcp, path, abstract = free_address(), f"{folder}/s", f"@{folder}/s"
    server = instance("".join(f"http-socket = {a}\n" for a in (tcp, path, abstract, path)) +
                      "http-socket = [::1]:0\nprocesses = 2\n" + WEB)
    [port] = [p for h, p in proc.listening(server.pid) if h == "::1"]
    for at in (tcp, path, abstract, f"[::1]:{port}"):
        assert client.get(at).body == b"hello\n"
    assert server.stop() == 0
    assert not (folder / "s").exists()


def test_thirty_two_are_the_most(instance, folder):
    lines = [f"http-socket = {folder}/{n}" for n in range(33)]
    server = instance("\n".join(lines[:32]) + "\n" + WEB)
    assert client.get(folder / "31").status == 200
    refused = instance("\n".join(lines) + "\n" + WEB, name="more.ini", wait=False)
    assert refused.wait() == 1
    assert server.stop() == 0


def test_an_inherited_descriptor(start, configure, folder):
    launcher = configure("launch.py", """
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind("inherited")
s.listen()
os.dup2(s.fileno(), 7)
os.execv(sys.argv[1], sys.argv[1:])
""")
    config = configure("app.ini", f"[liege]\nhttp-socket = fd://7\n{WEB}")
    server = start(config, wrapper=["/usr/bin/python3", launcher])
    server.wait_line(says.serving())
    assert client.get(folder / "inherited").body == b"hello\n"
    assert server.stop() == 0
    assert (folder / "inherited").is_socket()  # whoever made it removes it


@pytest.mark.parametrize("setting, mode", [
    ("", 0o666), ("chmod-socket = 600", 0o600), ("chmod-socket = 0660", 0o660),
    ("chmod-socket", 0o666),
])
def test_the_mode_of_a_file(listening, folder, setting, mode):
    listening(folder / "s", setting)
    assert stat.S_IMODE((folder / "s").stat().st_mode) == mode


@pytest.mark.needs_root
@pytest.mark.parametrize("owner, uid, gid", [
    ("nobody:daemon", pwd.getpwnam("nobody").pw_uid, grp.getgrnam("daemon").gr_gid),
    ("nobody", pwd.getpwnam("nobody").pw_uid, os.getgid()),
    ("1234:5678", 1234, 5678),
    (":daemon", os.getuid(), grp.getgrnam("daemon").gr_gid),
])
def test_the_owner_of_a_file(listening, folder, owner, uid, gid):
    listening(folder / "s", f"chown-socket = {owner}\nchmod-socket = 640")
    info = (folder / "s").stat()
    assert (info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)) == (uid, gid, 0o640)


@pytest.mark.parametrize("owner", ["nobody-at-all", "root:nothing-at-all"])
def test_an_owner_that_does_not_exist(instance, owner):
    server = instance(f"{WEB}chown-socket = {owner}", wait=False)
    assert server.wait() == 1
    assert server.log.find("error: cannot start: .*chown-socket: there is no .* '.*-at-all'")


def queue_length(*arguments):
    """How many connections may wait on the only socket that ss(8) finds: its column Send-Q."""
    listed = subprocess.run(["ss", "-Hln", *arguments], check=True, capture_output=True, text=True)
    [line] = listed.stdout.splitlines()
    return int(re.search(r"\s\d+\s+(\d+)\s", line).group(1))


def test_the_length_of_the_queue(instance, folder, free_address):
    at = free_address()
    instance(f"http-socket = {at}\nhttp-socket = {folder}/s\nlisten = 7\n{WEB}")
    assert queue_length("-t", "src", at) == 7
    # A path is bound under another name first and then renamed: the kernel shows the first one.
    assert queue_length("-x", "src", f"{folder}/s*") == 7


def test_the_queue_is_long_by_default(listening, free_address):
    at = free_address()
    listening(at)
    with open("/proc/sys/net/core/somaxconn") as file:
        assert queue_length("-t", "src", at) == min(4096, int(file.read()))


def test_vacuum_can_be_turned_off(listening, folder):
    server = listening(folder / "s", "vacuum = no")
    assert server.stop() == 0
    assert (folder / "s").is_socket()


def test_a_file_that_has_become_someone_else_s_is_not_removed(listening, folder):
    server = listening(folder / "s")
    (folder / "s").unlink()
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(folder / "s"))
        assert server.stop() == 0
        assert (folder / "s").is_socket()


def test_no_temporary_file_is_left(listening, folder):
    """It gets its name when it listens, and its temporary name is gone."""
    listening(folder / "s")
    assert [p.name for p in folder.iterdir() if p.is_socket()] == ["s"]
