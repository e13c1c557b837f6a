# SPDX-License-Identifier: MIT
"""Where configurations come from: commands, web servers, standard input, descriptors, FIFOs and an
Emperor's pipe; at a start, at a reload, and when they fail."""
import http.server
import os
import signal
import shutil
import socket
import ssl
import struct
import subprocess
import threading

import pytest

from harness import client, proc, programs, says
from harness.address import own_host
from harness.certificates import Authority
from harness.programs import APPS, INSTANCE, PATIENCE

pytestmark = pytest.mark.plain


def settings(folder, extra=""):
    return (f"[liege]\nhttp-socket = {folder}/app.sock\n"
            f"wsgi-file = {APPS}/python/web.py\n{extra}\n")


@pytest.fixture
def answers(folder):
    """answers(): the instance of settings() is there."""
    return lambda: client.get(f"{folder}/app.sock", "/pid").status == 200


class Pages(http.server.BaseHTTPRequestHandler):
    """Answers with what `pages` of its server has for the path: a text, a status, a location to go
    to, or an event to wait for."""

    def do_GET(self):
        self.server.asked.append(self.path)
        page = self.server.pages.get(self.path, 404)
        if isinstance(page, threading.Event):
            self.server.waits.set()
            page.wait()
            page = self.server.pages["/after"]
        if isinstance(page, int):
            self.send_error(page)
        elif page.startswith("to "):
            self.send_response(302)
            self.send_header("Location", page[3:])
            self.end_headers()
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page.encode())

    def log_message(self, *arguments):
        pass


class WebServer(http.server.ThreadingHTTPServer):
    """.pages, .asked, .address"""

    def __init__(self, host):
        super().__init__((host, 0), Pages)
        self.pages, self.asked, self.waits = {}, [], threading.Event()
        self.address = f"http://{host}:{self.server_port}"

    def handle_error(self, request, client_address):
        """A client that has had enough."""

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exception):
        for page in self.pages.values():
            if isinstance(page, threading.Event):
                page.set()
        self.shutdown()
        self.server_close()


@pytest.fixture
def web():
    with WebServer(own_host()) as server:
        yield server


@pytest.fixture
def secure_web(folder):
    """A web server with TLS, and the authority that its clients are to trust."""
    authority = Authority(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("web"))
    server = WebServer("127.0.0.1")  # what "localhost" is
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.address = f"https://localhost:{server.server_port}"
    with server:
        yield server, authority


def refused(server, complaint):
    assert server.wait() == 1
    server.wait_line(complaint)


# At a start

def test_a_command_is_the_configuration(start, configure, folder, answers):
    configure("app.txt", settings(folder, "processes = 2"))
    server = start("exec://echo run >>{0}/runs; cat {0}/app.txt".format(folder))
    assert "with 2 workers" in server.wait_line(says.serving() + ".*").group()
    assert answers()
    assert (folder / "runs").read_text() == "run\n"


def test_sources_in_files(start, configure, folder, web):
    web.pages["/part.ini"] = "[liege]\nini = :more\n[more]\nset = one=from-the-web\n"
    configure("tail.txt", "[uwsgi]\nset = two=from-a-command\n")
    app = configure("app.ini", settings(
        folder, f"include = {web.address}/part.ini\ninherit = exec://cat tail.txt\n"
                f"env = A=%(one) %(two) @(exec://echo three) @({web.address}/word)"))
    web.pages["/word"] = "four\n"
    server = start("--show-config", app)
    assert server.wait() == 0
    server.wait_line("^env = A=from-the-web from-a-command three four$")
    assert sorted(web.asked) == ["/part.ini", "/word"]


@pytest.mark.parametrize("way", ["exec://cat {}", "file://{}"])
def test_a_bad_value_is_found_in_its_source(start, configure, folder, way):
    app = configure("app.txt", "[liege]\n\nprocesses = none\n")
    uri = way.format(app)
    refused(start("--config", uri), rf"{uri}:3: processes: 'none'")


def test_a_configuration_from_the_web(start, folder, web, answers):
    web.pages["/conf/app.ini"] = "to /other.ini"
    web.pages["/other.ini"] = settings(folder, "processes = 2")
    server = start(f"{web.address}/conf/app.ini")
    assert "[app.ini]" in server.wait_line(f".*{says.serving()}").group()
    assert answers()
    assert web.asked == ["/conf/app.ini", "/other.ini"]


@pytest.mark.parametrize("page, complaint", [
    (404, "the server answered with status 404"),
    (503, "the server answered with status 503"),
    ("to /app.ini", "[Mm]aximum .*redirects"),
    ("to file:///etc/hostname", "[Pp]rotocol .*file.*"),
    ("x" * (16 << 20) + "x", "it is longer than 16777216 bytes"),
], ids=["404", "503", "loop", "file", "huge"])
def test_a_web_server_that_does_not_give_it(start, web, page, complaint):
    web.pages["/app.ini"] = web.pages["/app.ini?token=secret"] = page
    address = web.address.replace("//", "//user:secret@")
    server = start(f"{address}/app.ini?token=secret")
    refused(server, f"command line: cannot read '{web.address}/app.ini': {complaint}")
    assert server.log.find("secret") == []


def test_a_web_server_with_tls_is_to_be_who_it_says(start, folder, secure_web, answers):
    web, authority = secure_web
    web.pages["/app.ini"] = settings(folder)
    server = start(f"{web.address}/app.ini", env={"SSL_CERT_FILE": authority.pem})
    server.wait_line(says.serving())
    assert answers()
    refused(start(f"{web.address}/app.ini"), "cannot read 'https://.*: SSL certificate problem")
    web.pages["/app.ini"] = "to http://localhost/app.ini"
    refused(start(f"{web.address}/app.ini", env={"SSL_CERT_FILE": authority.pem}),
            "cannot read 'https://.*: [Pp]rotocol \"http\" (not supported or )?disabled")


def test_no_web_server(start, free_address):
    refused(start(f"http://{free_address()}/app.ini"), "cannot read 'http://.*: Failed to connect")


def test_a_command_that_fails(start):
    refused(start("exec://echo a word >&2; exit 7"),
            "command line: cannot read 'exec://.*': exited with code 7: a word")


def test_standard_input_is_read_once_and_kept(start, configure, folder, answers):
    configure("input", settings(folder))
    server = start("-", wrapper=("/bin/sh", "-c", 'cat input | exec "$0" "$@"'))
    server.wait_line(says.serving(1))
    master = next(p for p in server.descendants() if "master stdin" in proc.command_line(p))
    os.kill(master, signal.SIGHUP)
    server.wait_line(says.serving(2))
    os.kill(master, signal.SIGUSR2)
    new = int(server.wait_line(r"the new master \(pid (\d+)\) serves beside").group(1))
    os.kill(master, signal.SIGQUIT)
    server.wait_line("the old master has ended")
    os.kill(new, signal.SIGHUP)
    server.wait_line(says.serving(2), count=2)
    assert answers()
    os.kill(new, signal.SIGINT)
    assert not proc.wait_gone([master, new])


def test_a_descriptor_is_read_once_and_kept(start, configure, folder, answers):
    configure("input", settings(folder))
    server = start("--config", "fd://7", wrapper=("/bin/sh", "-c", 'exec "$0" "$@" 7<input'))
    server.wait_line(says.serving(1))
    assert not os.path.exists(f"/proc/{server.pid}/fd/7") or \
        "input" not in os.readlink(f"/proc/{server.pid}/fd/7")
    server.kill(signal.SIGHUP)
    server.wait_line(says.serving(2))
    assert answers()


def feed(path, text):
    """Writes @text to the FIFO @path when somebody reads it."""
    thread = threading.Thread(target=path.write_text, args=(text,), daemon=True)
    thread.start()
    return thread


def test_a_fifo_is_read_to_its_end(start, folder, answers):
    fifo = folder / "app.ini"
    os.mkfifo(fifo, 0o600)
    feed(fifo, settings(folder))
    server = start(fifo)
    server.wait_line(says.serving(1))
    server.kill(signal.SIGHUP)
    assert answers()
    feed(fifo, settings(folder, "processes = 2"))
    assert "with 2 workers" in server.wait_line(says.serving(2) + ".*").group()


def test_texts_behind_the_program(folder):
    """The command is that of docs/configuration.md."""
    program = shutil.copy2(programs.LIEGE, folder / "liege")
    shutil.copy2(INSTANCE, folder / "liege-instance")
    for text in "[liege]\nprocesses = 3\n", "[liege]\ninclude = data://1\nthreads = 2\n":
        (folder / "app.ini").write_text(text)
        subprocess.run(["""(cat app.ini; perl -e 'print pack "Q", -s shift' app.ini) >> liege"""],
                       shell=True, check=True, cwd=folder)
    shown = subprocess.run([program, "--ini", "data://0", "--show-config"], capture_output=True,
                           text=True, timeout=PATIENCE)
    assert "processes = 3" in shown.stdout and "threads = 2" in shown.stdout
    refused = subprocess.run([program, "--ini", "data://2", "--show-config"], capture_output=True,
                             text=True, timeout=PATIENCE)
    assert refused.returncode == 1
    assert f"cannot read 'data://2': there is no such text behind {program}" in refused.stderr


@pytest.mark.parametrize("uri", ["call://f", "callint://f", "sym://s", "section://s"])
def test_what_is_refused(start, configure, uri):
    app = configure("app.ini", f"[liege]\n\ninclude = {uri}\n")
    refused(start(app), rf"app.ini:3: '{uri}': (nothing that a configuration says loads code|no texts)")


# Who may

def test_a_file_that_others_may_write_to_runs_nothing(start, configure, folder):
    app = configure("app.ini", f"[liege]\nenv = A=@(exec://touch {folder}/ran)\n")
    app.chmod(0o646)
    refused(start(app), r"app.ini:2: @\(\): 'exec://.* others may write to \(mode 0646\).*chmod go-w")
    assert not (folder / "ran").exists()


@pytest.mark.needs_root
@pytest.mark.parametrize("uri", ["exec://touch ran", "http://127.0.0.1:1/x"])
def test_a_file_of_another_user_runs_and_fetches_nothing(start, configure, folder, uri):
    app = configure("app.ini", f"[liege]\ninclude = {uri}\n")
    os.chown(app, 65534, 65534)
    refused(start(app), f"app.ini:2: '{uri}' is said by a file of user 65534, .*on the command line")
    assert not (folder / "ran").exists()


# At a reload

@pytest.fixture
def commanded(start, configure, folder):
    """A server with a part that the script `part` writes; -> (server, write_script)."""
    def write_script(text):
        new = folder / "part.new"
        new.write_text(text)
        new.rename(folder / "part")
    write_script("echo '[liege]'; echo processes = 1\n")
    app = configure("app.ini", settings(folder, "include = exec://sh ./part"))
    server = start(app)
    server.wait_line(says.serving(1))
    return server, write_script


def test_a_reload_runs_the_command_again(commanded):
    server, write_script = commanded
    write_script("echo '[liege]'; echo processes = 3\n")
    server.kill(signal.SIGHUP)
    assert "with 3 workers" in server.wait_line(says.serving(2) + ".*").group()


def test_a_reload_whose_command_fails(commanded, answers):
    server, write_script = commanded
    write_script("echo no luck >&2; exit 5\n")
    server.kill(signal.SIGHUP)
    server.wait_line(f"{says.RELOAD_FAILED}: .*app.ini:.*: cannot read 'exec://sh ./part': "
                     "exited with code 5: no luck")
    assert answers()


@pytest.fixture
def hanging(commanded, folder):
    """The server's reload waits for its command, which hangs; -> (server, let_go)."""
    server, write_script = commanded
    began, go_on = folder / "began", folder / "go-on"
    os.mkfifo(began)
    os.mkfifo(go_on)
    write_script("echo x >began; cat go-on; echo '[liege]'; echo processes = 2\n")
    server.kill(signal.SIGHUP)
    assert began.read_text() == "x\n"
    return server, lambda: go_on.write_text("")


def test_the_master_goes_on_while_a_command_hangs(hanging, answers):
    server, let_go = hanging
    server.kill(signal.SIGTTIN)
    server.wait_line("SIGTTIN: 2 workers are wanted")
    assert answers()
    let_go()
    assert "with 2 workers" in server.wait_line(says.serving(2) + ".*").group()
    assert len(server.log.find("reload: generation")) == 1


def test_a_reload_that_is_wanted_meanwhile_follows(hanging, folder, commanded):
    server, let_go = hanging
    server.kill(signal.SIGHUP)
    server.kill(signal.SIGTTIN)
    server.wait_line("SIGTTIN: 2 workers are wanted")
    commanded[1]("echo '[liege]'; echo processes = 4\n")
    let_go()
    assert "with 4 workers" in server.wait_line(r"generation \d serves with [^1].*").group()


def test_a_stop_ends_the_command_too(hanging):
    server, _ = hanging
    below = server.descendants()
    assert server.stop() == 0
    assert not proc.wait_gone(below)


def test_a_slow_web_server_at_a_reload(start, configure, folder, web, answers):
    web.pages["/part"] = "[liege]\nprocesses = 1\n"
    server = start(configure("app.ini", settings(folder, f"include = {web.address}/part")))
    server.wait_line(says.serving(1))
    web.pages["/part"] = gate = threading.Event()
    web.pages["/after"] = "[liege]\nprocesses = 2\n"
    server.kill(signal.SIGHUP)
    assert web.waits.wait(30)
    assert answers()
    gate.set()
    assert "with 2 workers" in server.wait_line(says.serving(2) + ".*").group()
    web.pages["/part"] = 503
    server.kill(signal.SIGHUP)
    server.wait_line(f"{says.RELOAD_FAILED}: .*/part': the server answered with status 503")
    assert answers()


# The Emperor's pipe

MODIFIER1 = 115


class Emperor:
    """An Emperor's ends of the pipe with bytes and of the one with the configuration."""

    def __init__(self):
        self.pipe, self.vassal_pipe = socket.socketpair()
        self.config, self.vassal_config = socket.socketpair()
        for s in (self.pipe, self.config):
            s.settimeout(30)

    def close(self):
        for s in (self.pipe, self.vassal_pipe, self.config, self.vassal_config):
            s.close()

    def start(self, start, name="app.ini"):
        fds = self.vassal_pipe.fileno(), self.vassal_config.fileno()
        self.server = start("--config", f"emperor://{name}", program=INSTANCE, pass_fds=fds, env={
            "UWSGI_EMPEROR_FD": fds[0], "UWSGI_EMPEROR_FD_CONFIG": fds[1]})
        self.vassal_pipe.close()
        self.vassal_config.close()
        return self.server

    def push(self, text):
        data = text.encode()
        if len(data) < 65536:
            head = struct.pack("<BHB", MODIFIER1, len(data), 0)
        else:
            head = struct.pack("<BHBQ", MODIFIER1, 8, 1, len(data))
        self.config.sendall(head + data)

    def taken(self):
        """How many bytes the vassal says to have taken."""
        head = b""
        while len(head) < 12:
            head += self.config.recv(12 - len(head))
        modifier1, size, modifier2, taken = struct.unpack("<BHBQ", head)
        assert (modifier1, size, modifier2) == (MODIFIER1, 8, 2)
        return taken

    def wait_byte(self, byte):
        while self.pipe.recv(1) != bytes([byte]):
            pass

    def reload(self):
        """Orders a reload, and waits until the vassal asks for its configuration."""
        self.pipe.sendall(b"\1")
        self.wait_byte(2)


@pytest.fixture
def throne():
    e = Emperor()
    yield e
    e.close()


def padded(text, size):
    """@text with a comment that makes it @size bytes long."""
    rest = size - len(text)
    line = "; " + "x" * 61 + "\n"
    return text + line * (rest // 64) + ";" * (rest % 64)


@pytest.mark.parametrize("size", [0, 1, 1000, 65535, 65536, 5 << 20])
def test_a_configuration_of_any_size_over_the_pipe(throne, start, folder, answers, size):
    server = throne.start(start)
    text = padded(settings(folder), size) if size > 100 else "x" * size
    throne.push(text)
    assert throne.taken() == len(text) == size
    if size > 100:
        assert "[app.ini]" in server.wait_line(f".*{says.serving(1)}").group()
        throne.wait_byte(5)
        assert answers()
    else:
        refused(server, "emperor://app.ini(: there is no section|:1: )")


def test_a_vassal_asks_for_its_configuration_at_a_reload(throne, start, folder, answers):
    server = throne.start(start)
    throne.push(settings(folder))
    server.wait_line(says.serving(1))
    throne.taken()
    throne.wait_byte(5)
    throne.reload()
    assert answers()  # while it waits for the text
    server.kill(signal.SIGTTIN)
    server.wait_line("SIGTTIN: 2 workers are wanted")
    text = padded(settings(folder, "processes = 3"), 5 << 20)
    throne.push(text)
    assert throne.taken() == len(text)
    assert "with 3 workers" in server.wait_line(says.serving(2) + ".*").group()
    throne.reload()
    throne.push(settings(folder, "processes = none"))
    server.wait_line(f"{says.RELOAD_FAILED}: .*processes: 'none'")
    throne.reload()
    throne.push(settings(folder))
    server.wait_line(r"generation \d serves with 1 worker", count=2)


@pytest.mark.parametrize("head", [
    b"t\1\0\0x", b"s\x08\0\3xxxxxxxx", b"s\x08\0\2" + bytes(8), b"s\x07\0\1",
], ids=["modifier1", "modifier2", "answer", "length"])
def test_what_is_no_configuration_on_the_pipe(throne, start, head):
    server = throne.start(start)
    throne.config.sendall(head)
    refused(server, "cannot read 'emperor://app.ini': what the Emperor sent is no configuration")


def test_a_configuration_that_is_too_long_for_the_pipe(throne, start):
    server = throne.start(start)
    throne.config.sendall(struct.pack("<BHBQ", MODIFIER1, 8, 1, (64 << 20) + 1))
    refused(server, "what the Emperor sent is longer than 67108864 bytes")


def test_a_configuration_that_ends_early_on_the_pipe(throne, start):
    server = throne.start(start)
    throne.config.sendall(b"s\5\0\0ab")
    throne.config.close()
    refused(server, "the Emperor's configuration pipe has ended")


def test_nonsense_on_the_pipe_at_a_reload(throne, start, folder, answers):
    server = throne.start(start)
    throne.push(settings(folder))
    server.wait_line(says.serving(1))
    throne.wait_byte(5)
    throne.reload()
    throne.config.sendall(b"GET / HTTP/1.0\r\n\r\n")
    server.wait_line(f"{says.RELOAD_FAILED}: .*what the Emperor sent is no configuration")
    throne.reload()
    server.wait_line(f"{says.RELOAD_FAILED}: .*the Emperor's configuration pipe has ended")
    assert answers()


def test_what_an_emperor_sends_runs_nothing(throne, start, folder):
    server = throne.start(start)
    throne.push(settings(folder, "env = A=@(exec://touch ran)"))
    refused(server, r"emperor://app.ini:4: @\(\): 'exec://touch ran' is said by a text that is no file")
    assert not (folder / "ran").exists()


def test_no_emperor(start):
    refused(start("emperor://app.ini"), "there is no Emperor that sends it")
