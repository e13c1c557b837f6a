# SPDX-License-Identifier: MIT
"""What vassals write to their standard output and error: in the Emperor's log, and kept."""
import json
import os
import select
import socket

import pytest

from harness import proc, programs, says, stats

# Does what the lines of its configuration say, then waits for the end.
TALKER = r'''#!/usr/bin/python3
import os, signal, sys
emperor = int(os.environ["LIEGE_EMPEROR_FD"])
for line in open(sys.argv[-1]):
    word, _, rest = line.rstrip("\n").partition(" ")
    if word == "say":
        os.write(2, rest.encode().decode("unicode_escape").encode("latin-1"))
    elif word == "print":
        os.write(1, rest.encode() + b"\n")
    elif word == "name":
        with open("/dev/stderr", "w") as f:
            f.write(rest + "\n")
    elif word == "become":
        os.setuid(int(rest))
    elif word == "flood":
        for _ in range(int(rest) // 64000):
            os.write(1, (b"x" * 99 + b"\n") * 640)
    elif word == "tell":
        with open(rest, "w") as f:
            f.write("x")
    elif word == "loyal":
        os.write(emperor, bytes((1, 5, 17)))
    elif word == "exit":
        sys.exit(int(rest))
while os.read(emperor, 1) == b"\1":
    os.write(emperor, b"\1")
'''


@pytest.fixture
def talker(folder):
    program = folder / "talker"
    program.write_text(TALKER)
    program.chmod(0o755)
    return program


@pytest.fixture
def govern(emperor, talker):
    """govern(*arguments, **kw): an Emperor whose vassals do what their configurations say."""
    return lambda *arguments, **kw: emperor("--binary-path", talker, *arguments, **kw)


def fifo(path):
    os.mkfifo(path)
    return open(os.open(path, os.O_RDWR | os.O_NONBLOCK), "rb", buffering=0)


def wait_some(file):
    """The next bytes of a pipe."""
    assert select.select([file], [], [], programs.PATIENCE)[0]
    return file.read(1 << 16)


def test_lines_come_out_as_they_are(govern, vassals):
    server = govern()
    vassals.write("a.ini", "print to the output\nsay to the error\\n\nsay half \nsay a line\\n\nloyal\n")
    server.wait_line("^to the output$")
    server.wait_line("^to the error$")
    server.wait_line("^half a line$")
    server.wait_line(says.vassal_is("a.ini", "ready"))


def test_what_a_vassal_writes_last_is_not_lost(govern, vassals):
    server = govern()
    vassals.write("a.ini", "say last words\nexit 3\n")
    server.wait_line("^last words$")
    server.wait_line("vassal a.ini: starting -> backoff, process .* exited with code 3")


def test_a_program_that_cannot_be_started_says_so(emperor, vassals, folder):
    program = folder / "program"
    program.write_text("#!/missing/interpreter\n")
    program.chmod(0o755)
    server = emperor("--binary-path", program)
    vassals.write("a.ini", "")
    server.wait_line(f"^cannot start {program}: .*No such file or directory$")


def test_the_log_may_be_opened_by_name(govern, vassals):
    server = govern()
    vassals.write("a.ini", "name by its name\nloyal\n")
    server.wait_line("^by its name$")


@pytest.mark.needs_root
def test_the_log_may_be_opened_by_another_user(govern, vassals):
    server = govern()
    vassals.write("a.ini", "become 65534\nname by somebody else\nloyal\n")
    server.wait_line("^by somebody else$")


def test_vassals_may_write_to_the_log_themselves(govern, vassals):
    server = govern("--emperor-log-direct")
    vassals.write("a.ini", "say no end of a line")
    vassals.write("b.ini", "print directly\nloyal\n")
    server.wait_line("directly$")
    pid = stats.vassal(server.stats, "b.ini")["pid"]
    assert os.readlink(f"/proc/{pid}/fd/2") == os.readlink(f"/proc/{server.pid}/fd/2")


def test_a_vassal_that_floods_delays_nobody(govern, vassals):
    server = govern()
    vassals.write("b.ini", "loyal\n")
    server.wait_line(says.vassal_is("b.ini", "ready"))
    vassals.write("a.ini", "say begins\\n\nflood 100000000\nsay has flooded\\n\nloyal\n")
    server.wait_line("^begins$")
    mark = server.log.mark()
    vassals.touch("b.ini")
    server.wait_line(says.vassal_is("b.ini", "ready"), after=mark, timeout=1)
    server.wait_line(says.vassal_is("a.ini", "ready"))
    if not programs.sanitized():
        assert proc.memory(server.pid)["Rss"] < 16 << 20


def test_a_follower_that_is_too_slow_is_told_what_it_missed(govern, vassals, folder):
    path = str(folder / "control.sock")
    server = govern("--emperor-control", path)
    vassals.write("a.ini", "exit 1\n")
    server.wait_line(says.vassal_is("a.ini", "backoff"))
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(programs.PATIENCE)
        s.connect(path)
        s.sendall(b'{"v":1,"command":"log","vassal":"a.ini","lines":0,"follow":true}\n')
        vassals.write("a.ini", "flood 2000000\nsay the end\\n\nloyal\n")
        server.wait_line(says.vassal_is("a.ini", "ready"))
        lines = []
        for line in s.makefile("rb"):
            lines.append(json.loads(line))
            if lines[-1].get("log") == "the end\n":
                break
    missed = sum(line.get("missed", 0) for line in lines)
    assert missed > 1000000
    assert missed + sum(len(line.get("log", "")) for line in lines) == 31 * 64000 + len("the end\n")


def test_a_log_that_nobody_reads_holds_up_nothing(start, talker, vassals, folder):
    """The Emperor's standard error is a pipe that fills: lines are dropped, and counted."""
    with fifo(folder / "log") as log, fifo(folder / "done") as done:
        vassals.write("a.ini", f"flood 5000000\ntell {folder}/done\n")
        start("--emperor", vassals.directory, "--emperor-stats", folder / "stats.sock",
              "--binary-path", talker,
              wrapper=("/bin/sh", "-c", f'exec "$0" "$@" 2>{folder}/log'))
        assert wait_some(done)
        text = b""
        while b" lines are missing here: the log is read too slowly" not in text:
            text += wait_some(log)
        assert len(text) < 2 << 20


