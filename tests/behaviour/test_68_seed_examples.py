# SPDX-License-Identifier: MIT
"""The examples and the sentences of uWSGI's manual on its Emperor, run as they are written there: the
docstrings quote them, the command is liege, and what the manual has in /opt, /etc and /tmp lies in
the folder of the test. Not here is what the manual says of tyrant, capabilities, namespaces and
binary patching."""
import os
import pwd
import re
import shlex
import signal
import subprocess
import textwrap
import time

import pytest

from harness import client, foreign, gateway, proc, programs, says, stats
from harness.client import Connection, request_bytes
from harness.foreign import became, said
from harness.meeting import Meeting

NOBODY = pwd.getpwnam("nobody")
PLACE = re.compile(r"(?:(?<=://)|(?<![\w.%)/]))/(?=(opt|etc|tmp)/)")

HELLO = """\
import os
def application(environ, start_response):
    start_response("200 OK", [("X-Pid", str(os.getpid())), ("X-Cwd", os.getcwd())])
    return [b"hello from " + os.environ["NAME"].encode()]
"""


class Manual:
    """A machine as the manual supposes it, below a folder."""

    def __init__(self, folder, start):
        self.folder, self._start = folder, start
        for place in "/opt/apps", "/opt/uwsgi", "/etc/uwsgi/vassals", "/tmp/sockets":
            self.place(place).mkdir(parents=True)
        self.write("/opt/hello.py", HELLO)
        self.place("/opt/web.py").symlink_to(programs.APPS / "python" / "web.py")
        self.place("/opt/foreign").symlink_to(foreign.VASSAL)

    def place(self, path):
        return self.folder / path.lstrip("/")

    def text(self, text):
        """@text with its paths below the folder."""
        return PLACE.sub(f"{self.folder}/", textwrap.dedent(text))

    def write(self, path, text):
        """Puts a file there at once."""
        target = self.place(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        new = self.folder / "new"
        new.write_text(self.text(text))
        return new.rename(target)

    def shell(self, line):
        """Runs a command of the manual that is no uwsgi."""
        subprocess.run(shlex.split(self.text(line)), check=True)

    def run(self, line, **kw):
        """Starts an Emperor by a command line of the manual, variables in front included."""
        words, env = shlex.split(self.text(line)), {}
        while "=" in words[0]:
            name, _, env[name] = words.pop(0).partition("=")
        assert words.pop(0) == "uwsgi"
        kw["env"] = {**env, **kw.get("env", {})}
        server = self._start(*words, **kw)
        server.wait_line(says.EMPEROR_READY)
        return server

    def observe(self, line, **kw):
        """As run(), with statistics."""
        server = self.run(f"{line} --emperor-stats /tmp/stats.sock", **kw)
        server.stats = str(self.place("/tmp/stats.sock"))
        return server

    def hello(self, name, settings="", directory="/opt/apps"):
        """A vassal that greets in its name on /tmp/sockets/NAME.http."""
        self.write(f"{directory}/{name}.ini", """\
            [uwsgi]
            http-socket = /tmp/sockets/%n.http
            wsgi-file = /opt/hello.py
            env = NAME=%n
            """ + textwrap.indent(settings, " " * 12))

    def ask(self, name, target="/"):
        return client.get(self.place(f"/tmp/sockets/{name}.http"), target)

    def ask_uwsgi(self, path, **more):
        """As a web server with uwsgi_pass does it."""
        with gateway.Uwsgi(self.place(path)) as c:
            return c.get(**more)


@pytest.fixture
def manual(folder, start):
    return Manual(folder, start)


def serves(server, name, **kw):
    server.wait_line(says.vassal_is(name, "ready"), **kw)


# What an Emperor does.

@pytest.mark.parametrize("name, text", [
    ("a.ini", "[uwsgi]\nhttp-socket = {at}\nwsgi-file = {app}\nenv = NAME=%n\n"),
    ("a.xml", "<uwsgi><http-socket>{at}</http-socket><wsgi-file>{app}</wsgi-file>"
              "<env>NAME=%n</env></uwsgi>\n"),
    ("a.yml", "uwsgi:\n  http-socket: {at}\n  wsgi-file: {app}\n  env: NAME=%n\n"),
    ("a.json", '{{"uwsgi": {{"http-socket": "{at}", "wsgi-file": "{app}", "env": "NAME=%n"}}}}'),
])
def test_a_directory_is_scanned_for_supported_files(manual, name, text):
    """By default the Emperor will scan specific directories for supported (.ini, .xml, .yml, .json,
    etc.) uWSGI configuration files. [...] The ``dir://`` and ``glob://`` plugins are embedded in the
    core, so they need not be loaded, and are automatically detected."""
    manual.write(f"/opt/apps/{name}", text.format(at="/tmp/sockets/%n.http", app="/opt/hello.py"))
    manual.write("/opt/apps/notes.txt", "no configuration\n")
    server = manual.observe("uwsgi --emperor /opt/apps")
    serves(server, name)
    assert manual.ask("a").body == b"hello from a"
    assert [v["id"] for v in stats.read(server.stats)["vassals"]] == [name]


@pytest.mark.parametrize("source", ["dir:///opt/apps", "/opt/apps", "glob:///opt/*/*.ini",
                                    "/opt/*/*.ini", "/opt/apps/a.ini"])
def test_the_source_may_be_a_directory_or_a_pattern(manual, source):
    """``dir://`` is the default plugin."""
    manual.hello("a")
    server = manual.run(f"uwsgi --emperor {source}")
    server.wait_line(r"vassal \S*a\.ini: starting -> ready")
    assert manual.ask("a").status == 200


def test_a_new_file_is_a_new_instance(manual):
    """Whenever an imperial monitor detects a new configuration file, a new uWSGI instance will be
    spawned with that configuration."""
    server = manual.run("uwsgi --emperor /opt/apps")
    manual.hello("a")
    serves(server, "a.ini")
    assert manual.ask("a").body == b"hello from a"


def test_a_modified_file_reloads_its_application(manual):
    """Whenever a configuration file is modified (its modification time changed, so ``touch
    --no-dereference`` may be your friend), the corresponding app will be reloaded."""
    manual.hello("a")
    server = manual.run("uwsgi --emperor /opt/apps")
    serves(server, "a.ini")
    worker = manual.ask("a").get("X-Pid")
    manual.shell("touch --no-dereference /opt/apps/a.ini")
    serves(server, "a.ini", count=2)
    assert manual.ask("a").get("X-Pid") != worker
    manual.hello("a", "processes = 2\n")
    serves(server, "a.ini", count=3)


def test_a_removed_file_stops_its_application(manual):
    """Whenever a config file is removed, the corresponding app will be stopped."""
    manual.hello("a")
    manual.hello("b")
    server = manual.run("uwsgi --emperor /opt/apps")
    serves(server, "a.ini")
    serves(server, "b.ini")
    manual.place("/opt/apps/a.ini").unlink()
    became(server, "a.ini", "gone")
    assert not manual.place("/tmp/sockets/a.http").exists()
    assert manual.ask("b").status == 200


def test_all_vassals_die_with_their_emperor(manual):
    """If the emperor dies, all the vassals die."""
    manual.hello("a", "processes = 2\n")
    manual.hello("b", "threads = 4\n")
    server = manual.run("uwsgi --emperor /opt/apps")
    serves(server, "a.ini")
    serves(server, "b.ini")
    below = server.descendants()
    assert len(below) >= 7
    server.kill(signal.SIGKILL)
    server.wait()
    assert proc.wait_gone(below) == []


def test_a_vassal_that_dies_is_there_again(manual):
    """If a vassal dies for any reason, the emperor will respawn it."""
    manual.hello("a")
    server = manual.observe("uwsgi --emperor /opt/apps")
    serves(server, "a.ini")
    assert manual.ask("a").status == 200
    master = stats.wait(server.stats, "a.ini", lambda v: v["loyal"])["pid"]
    os.kill(master, signal.SIGKILL)
    serves(server, "a.ini", count=2)
    assert manual.ask("a").status == 200
    assert stats.vassal(server.stats, "a.ini")["pid"] != master


def test_several_sources(manual):
    """Multiple sources of configuration may be monitored by specifying ``--emperor`` multiple
    times."""
    manual.hello("a")
    manual.hello("b", directory="/etc/uwsgi/vassals")
    server = manual.run("uwsgi --emperor /opt/apps --emperor /etc/uwsgi/vassals")
    server.wait_line(r"vassal \S*a\.ini: starting -> ready")
    server.wait_line(r"vassal \S*b\.ini: starting -> ready")
    assert (manual.ask("a").body, manual.ask("b").body) == (b"hello from a", b"hello from b")


# Special configuration variables.

SETTINGS = """\
SECRET_KEY = "x"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "{name}.urls"
"""
URLS = """\
from django.http import HttpResponse
from django.urls import path
urlpatterns = [path("", lambda request: HttpResponse("{name}, version {version}"))]
"""


def django_project(manual, name, version=1):
    """What "django-admin startproject NAME" makes in /opt/apps/NAME, as far as it matters here."""
    for file, text in ("__init__", ""), ("settings", SETTINGS), ("urls", URLS):
        manual.write(f"/opt/apps/{name}/{name}/{file}.py",
                     text.format(name=name, version=version))


@pytest.mark.plain
def test_a_template_for_many_django_applications(manual):
    """Suppose that in /opt/apps there are only Django apps. /opt/apps/app.skel (the .skel extension
    is not a known config file type for uWSGI and will be skipped):
    ``chdir = /opt/apps/%n``, ``threads = 20``, ``socket = /tmp/sockets/%n.sock``,
    ``env = DJANGO_SETTINGS_MODULE=%n.settings``,
    ``module = django.core.handlers.wsgi:WSGIHandler()``.
    And then for each app create a symlink: ``ln -s /opt/apps/app.skel /opt/apps/app1.ini``.
    Finally, start the Emperor with the ``--emperor-nofollow`` option. Now you can reload each vassal
    separately with the command ``touch --no-dereference $INI_FILE``."""
    for name in "app1", "app2":
        django_project(manual, name)
    manual.write("/opt/apps/app.skel", """\
        [uwsgi]
        chdir = /opt/apps/%n
        threads = 20
        socket = /tmp/sockets/%n.sock
        env = DJANGO_SETTINGS_MODULE=%n.settings
        module = django.core.handlers.wsgi:WSGIHandler()
        """)
    manual.shell("ln -s /opt/apps/app.skel /opt/apps/app1.ini")
    manual.shell("ln -s /opt/apps/app.skel /opt/apps/app2.ini")
    server = manual.observe("uwsgi --emperor /opt/apps --emperor-nofollow")
    serves(server, "app1.ini")
    serves(server, "app2.ini")
    assert sorted(v["id"] for v in stats.read(server.stats)["vassals"]) == ["app1.ini", "app2.ini"]
    for name in "app1", "app2":
        answer = manual.ask_uwsgi(f"/tmp/sockets/{name}.sock")
        assert (answer.status, answer.body) == (200, b"%s, version 1" % name.encode())

    for name in "app1", "app2":
        django_project(manual, name, version=2)
    manual.shell("touch --no-dereference /opt/apps/app1.ini")
    serves(server, "app1.ini", count=2)
    assert manual.ask_uwsgi("/tmp/sockets/app1.sock").body == b"app1, version 2"
    assert manual.ask_uwsgi("/tmp/sockets/app2.sock").body == b"app2, version 1"


# Passing configuration parameters to all vassals.

def test_options_for_all_vassals(manual):
    """Starting from 1.9.19 you can pass options using ``--vassal-set``: ``emperor =
    /etc/uwsgi/vassals``, ``vassal-set = processes=8``, ``vassal-set = enable-metrics=1``."""
    manual.write("/etc/uwsgi/emperor.ini", """\
        [uwsgi]
        emperor = /etc/uwsgi/vassals
        vassal-set = processes=8
        vassal-set = enable-metrics=1
        """)
    manual.hello("a", directory="/etc/uwsgi/vassals")
    server = manual.observe("uwsgi --ini /etc/uwsgi/emperor.ini")
    serves(server, "a.ini")
    stats.wait(server.stats, "a.ini", lambda v: v["workers"] == 8)
    assert server.log.find("warning") == []


def test_they_are_added_to_the_command_line(manual):
    """This will add ``--set processes=8`` and ``--set enable-metrics=1`` to each vassal."""
    manual.write("/etc/uwsgi/vassals/a.ini", "loyal\n")
    server = manual.run("uwsgi --emperor /etc/uwsgi/vassals --vassal-set processes=8 "
                        "--vassal-set enable-metrics=1 --binary-path /opt/foreign")
    arguments = said(server, "a.ini", "started")["arguments"]
    assert arguments == ["--set", "processes=8", "--set", "enable-metrics=1", "--ini", "a.ini"]


def test_options_in_the_environment(manual):
    """You can also force the Emperor to pass options to uWSGI instances using environment variables.
    Every environment variable of the form ``UWSGI_VASSAL_xxx`` will be rewritten in the new instance
    as ``UWSGI_xxx``, with the usual configuration implications. For example:
    ``UWSGI_VASSAL_SOCKET=/tmp/%n.sock uwsgi --emperor /opt/apps`` will let you avoid specifying the
    socket option in configuration files."""
    for name in "a", "b":
        manual.write(f"/opt/apps/{name}.ini", """\
            [uwsgi]
            wsgi-file = /opt/hello.py
            env = NAME=%n
            """)
    server = manual.run("UWSGI_VASSAL_SOCKET=/tmp/%n.sock uwsgi --emperor /opt/apps")
    serves(server, "a.ini")
    serves(server, "b.ini")
    assert manual.ask_uwsgi("/tmp/a.sock").body == b"hello from a"
    assert manual.ask_uwsgi("/tmp/b.sock").body == b"hello from b"


def test_a_file_that_all_vassals_include(manual):
    """Alternatively you can use the ``--vassals-include`` option to let each vassal automatically
    include a complete config file: ``uwsgi --emperor /opt/apps --vassals-include
    /etc/uwsgi/vassals-default.ini``. Note that if you do this, ``%n`` (and other magic variables) in
    the included file will resolve to the name of the included file, not of the original vassal
    configuration file."""
    manual.write("/opt/apps/a.ini", """\
        [uwsgi]
        wsgi-file = /opt/hello.py
        """)
    manual.write("/etc/uwsgi/vassals-default.ini", """\
        [uwsgi]
        socket = /tmp/sockets/%n.sock
        env = NAME=%n
        """)
    server = manual.run("uwsgi --emperor /opt/apps --vassals-include /etc/uwsgi/vassals-default.ini")
    serves(server, "a.ini")
    answer = manual.ask_uwsgi("/tmp/sockets/vassals-default.sock")
    assert answer.body == b"hello from vassals-default"


def test_a_placeholder_for_the_included_file(manual):
    """If you want to set options in the included file using the vassal name, you will have to use
    placeholders. For example, in the vassal config, write ``vassal_name = %n``, and in the
    vassal-defaults.ini, ``socket = /tmp/sockets/%(vassal_name).sock``."""
    for name in "a", "b":
        manual.write(f"/opt/apps/{name}.ini", """\
            [uwsgi]
            vassal_name = %n
            wsgi-file = /opt/hello.py
            env = NAME=%n
            """)
    manual.write("/etc/uwsgi/vassal-defaults.ini", """\
        [uwsgi]
        socket = /tmp/sockets/%(vassal_name).sock
        """)
    server = manual.run("uwsgi --emperor /opt/apps --vassals-include /etc/uwsgi/vassal-defaults.ini")
    serves(server, "a.ini")
    serves(server, "b.ini")
    assert manual.ask_uwsgi("/tmp/sockets/a.sock").body == b"hello from a"
    assert manual.ask_uwsgi("/tmp/sockets/b.sock").body == b"hello from b"
    assert server.log.find("warning") == []


# Whom an Emperor and its vassals run as.

def users(server, name):
    """Those of all processes of a vassal."""
    master = stats.vassal(server.stats, name)["pid"]
    return {int(proc.status(p, "Uid")[1]) for p in [master, *proc.descendants(master)]}


@pytest.mark.needs_root
def test_each_vassal_becomes_its_own_user(manual):
    """The emperor is normally run as root, setting the UID and GID in each instance's config. The
    vassal instance then drops privileges before serving requests."""
    manual.place("/tmp/sockets").chmod(0o777)
    manual.hello("a", "uid = nobody\ngid = nogroup\n")
    manual.hello("b", "uid = daemon\ngid = daemon\n")
    server = manual.observe("uwsgi --emperor /opt/apps")
    serves(server, "a.ini")
    serves(server, "b.ini")
    assert users(server, "a.ini") == {NOBODY.pw_uid}
    assert users(server, "b.ini") == {pwd.getpwnam("daemon").pw_uid}
    assert proc.status(server.pid, "Uid")[1] == "0"


@pytest.mark.needs_root
def test_an_emperor_that_is_somebody_else(manual):
    """You could run the emperor as an unprivileged user (with ``uid`` and ``gid``), but all of the
    vassals would then run under the same user, as unprivileged users can not switch to others."""
    manual.place("/tmp/sockets").chmod(0o777)
    manual.hello("a")
    manual.hello("b", "uid = daemon\n")
    server = manual.observe("uwsgi --emperor /opt/apps --uid nobody --gid nogroup")
    serves(server, "a.ini")
    assert users(server, "a.ini") == {NOBODY.pw_uid}
    assert "Operation not permitted" in became(server, "b.ini", "backoff")


# Loyalty, throttling, blacklist.

BROKEN = "[uwsgi]\nhttp-socket = /tmp/sockets/%n.http\nmodule = nothing_of_that_name\n"


def test_loyalty_comes_with_the_first_request(manual):
    """As soon as a vassal manages a request it will become "loyal". This status is used by the
    Emperor to identify bad-behaving vassals and punish them."""
    manual.hello("a")
    server = manual.observe("uwsgi --emperor /opt/apps")
    serves(server, "a.ini")
    assert stats.vassal(server.stats, "a.ini")["loyal"] == 0
    assert manual.ask("a").status == 200
    entry = stats.wait(server.stats, "a.ini", lambda v: v["loyal"])
    os.kill(entry["pid"], signal.SIGKILL)
    serves(server, "a.ini", count=2)
    assert server.log.find("backoff") == []


def test_the_throttle(manual):
    """Whenever two or more vassals are spawned in the same second, the Emperor will start a throttling
    subsystem to avoid fork bombing. The system adds a throttle delta (specified in milliseconds via
    the ``emperor-throttle`` option) whenever it happens, and waits for that duration before spawning
    a new vassal. Every time a new vassal spawns without triggering throttling, the current throttling
    duration is halved."""
    for name in "a", "b", "c":
        manual.hello(name)
    server = manual.observe("uwsgi --emperor /opt/apps --emperor-throttle 1200")
    for name in "a", "b", "c":
        serves(server, f"{name}.ini")
        assert manual.ask(name).status == 200
    after = server.log.mark()

    def kill(*names):
        for entry in [stats.wait(server.stats, f"{name}.ini", lambda v: v["loyal"])
                      for name in names]:
            os.kill(entry["pid"], signal.SIGKILL)

    kill("a", "b")
    assert server.wait_line(r"-> waiting, .* in ([\d.]+) s", after=after).group(1) == "1.2"
    serves(server, "a.ini", after=after)
    serves(server, "b.ini", after=after)
    kill("c")
    assert "in 0.6 s" in became(server, "c.ini", "waiting", after=after)
    serves(server, "c.ini", after=after)


def test_the_blacklist(manual):
    """Whenever a non-loyal vassal dies, it is put in a shameful blacklist. When in a blacklist, that
    vassal is throttled up to a maximum value (tunable via ``emperor-max-throttle``), starting from
    the default throttle delta of 3. Whenever a blacklisted vassal dies, its throttling value is
    increased by the delta (``emperor-throttle``)."""
    manual.write("/opt/apps/a.ini", BROKEN)
    server = manual.observe("uwsgi --emperor /opt/apps --emperor-throttle 500 "
                            "--emperor-max-throttle 3400")
    assert "starts again in 3.0 s" in became(server, "a.ini", "backoff")
    [entry] = stats.read(server.stats)["blacklist"]
    assert (entry["id"], entry["throttle_level"]) == ("a.ini", 3000)
    assert "starts again in 3.4 s" in became(server, "a.ini", "backoff", count=2)


def test_sigurg_clears_the_blacklist(manual):
    """You can also clear the blacklist by sending the signal SIGURG to the emperor process. This will
    reset the throttling values. Sending ``SIGURG`` to the Emperor will clear all the vassals from the
    blacklist."""
    manual.write("/opt/apps/a.ini", BROKEN)
    server = manual.observe("uwsgi --emperor /opt/apps")
    became(server, "a.ini", "backoff")
    server.kill(signal.SIGURG)
    became(server, "a.ini", "starting", count=2)
    assert "starts again in 3.0 s" in became(server, "a.ini", "backoff", count=2)


# Heartbeat.

@pytest.fixture
def stuck(manual):
    """stuck(settings): an Emperor with a vassal whose only worker is in a request. -> (server,
    connection, visitor)"""
    with Meeting(manual.folder) as meeting:
        def run(settings):
            manual.write("/opt/apps/a.ini", f"""\
                [uwsgi]
                http-socket = /tmp/sockets/%n.http
                wsgi-file = /opt/web.py
                {settings}
                """)
            server = manual.run("uwsgi --emperor /opt/apps --emperor-required-heartbeat 1")
            serves(server, "a.ini")
            connection = Connection(manual.place("/tmp/sockets/a.http"))
            connection.send(request_bytes(meeting.target))
            return server, connection, meeting.arrive()
        yield run


def test_a_vassal_that_hangs_is_reloaded_gracefully(stuck):
    """Vassals can voluntarily ask the Emperor to monitor their status. Workers of heartbeat-enabled
    vassals will send "heartbeat" messages to the Emperor. If the Emperor does not receive heartbeats
    from an instance for more than N (default 30, ``emperor-required-heartbeat``) seconds, that
    instance will be considered hung and thus reloaded. To enable sending of heartbeat packets in a
    vassal, add the ``heartbeat`` option. [...] The reload triggered is a graceful one."""
    server, connection, visitor = stuck("heartbeat = 0.2")
    with connection:
        assert "no heartbeat" in became(server, "a.ini", "reloading")
        serves(server, "a.ini", count=2)
        visitor.release()
        assert connection.response().body == b"released"


def test_heartbeats_are_voluntary(stuck, manual):
    """Vassals can voluntarily ask the Emperor to monitor their status. -- Who does not is left alone:
    another one that asks, and hangs as well, is reloaded meanwhile."""
    server, connection, visitor = stuck("")
    with connection:
        manual.hello("b", "heartbeat = 0.2\n")
        serves(server, "b.ini")
        os.kill(int(manual.ask("b").get("X-Pid")), signal.SIGSTOP)
        assert "no heartbeat" in became(server, "b.ini", "reloading")
        visitor.release()
        assert connection.response().body == b"released"
    assert server.log.find(r"a\.ini: .*heartbeat") == []


def test_a_slow_upload_is_no_hanging_worker(manual):
    """If all of your workers are stuck handling perfectly legal requests such as slow, large file
    uploads, the Emperor will trigger a reload as if the workers are hung. -- Here it need not: a body
    is read before the application is called."""
    manual.hello("a", "heartbeat = 0.2\n")
    server = manual.observe("uwsgi --emperor /opt/apps --emperor-required-heartbeat 0.5")
    serves(server, "a.ini")

    with Connection(manual.place("/tmp/sockets/a.http")) as c:
        c.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234")
        began = stats.vassal(server.stats, "a.ini")["last_heartbeat"]
        stats.wait(server.stats, "a.ini", lambda v: v["last_heartbeat"] >= began + 2)
        c.send(b"56789")
        assert c.response().body == b"hello from a"
    assert server.log.find("no heartbeat") == []


# The bureau of statistics.

def test_statistics_on_a_tcp_address(manual, free_address):
    """You can enable a statistics/status service for the Emperor by adding the ``emperor-stats``
    option with a TCP address as its value. By connecting to that address, you'll get a JSON-format
    blob of statistics."""
    manual.hello("a")
    at = free_address()
    server = manual.run(f"uwsgi --emperor /opt/apps --emperor-stats {at}")
    serves(server, "a.ini")
    document = stats.read(at)
    assert document["pid"] == server.pid
    assert [(v["id"], v["ready"]) for v in document["vassals"]] == [("a.ini", 1)]

    def seconds():
        began = time.monotonic()
        stats.read(at)
        return time.monotonic() - began

    assert min(seconds() for _ in range(3)) < 0.5  # connecting is enough: nothing need be sent


def test_other_programs_speak_the_emperors_protocol(manual):
    """Your custom vassal apps can also speak with the emperor using the emperor protocol."""
    manual.write("/opt/apps/a.ini", "loyal\n")
    server = manual.observe("uwsgi --emperor /opt/apps --binary-path /opt/foreign")
    started = said(server, "a.ini", "started")
    assert int(started["environ"]["UWSGI_EMPEROR_FD"]) in started["descriptors"]
    serves(server, "a.ini")
    entry = stats.vassal(server.stats, "a.ini")
    assert (entry["ready"], entry["accepting"], entry["loyal"]) == (1, 1, 1)
    manual.write("/opt/apps/a.ini", "loyal\nnew yes\n")
    assert said(server, "a.ini", "reloaded")["words"]["new"] == "yes"
    manual.place("/opt/apps/a.ini").unlink()
    assert said(server, "a.ini", "stop")["byte"] == 0


# Notes.

def test_vassals_start_in_the_directory(manual):
    """At startup, the emperor ``chdir()`` to the vassal dir. All vassal instances will start from
    here."""
    manual.write("/opt/apps/hello.py", HELLO)
    manual.write("/opt/apps/a.ini", """\
        [uwsgi]
        http-socket = a.http
        wsgi-file = hello.py
        env = NAME=%n
        """)
    server = manual.run("uwsgi --emperor /opt/apps")
    serves(server, "a.ini")
    answer = client.get(manual.place("/opt/apps/a.http"))
    assert answer.body == b"hello from a"
    assert answer.get("X-Cwd") == str(manual.place("/opt/apps"))


@pytest.mark.parametrize("path", ["/opt/uwsgi/uwsgi", "opt/uwsgi/uwsgi"])
def test_the_program_of_the_vassals(manual, path):
    """If the uwsgi binary is not in your system path you can force its path with ``binary-path``:
    ``./uwsgi --emperor /opt/apps --binary-path /opt/uwsgi/uwsgi``."""
    for place in "/uwsgi", "/opt/uwsgi/uwsgi":
        manual.place(place).symlink_to(programs.LIEGE)
    manual.hello("a")
    server = manual.observe(f"uwsgi --emperor /opt/apps --binary-path {path}", program="./uwsgi")
    server.wait_line(r"vassals run .*/opt/uwsgi/uwsgi")
    serves(server, "a.ini")
    assert manual.ask("a").body == b"hello from a"
    manual.shell("touch /opt/apps/a.ini")
    serves(server, "a.ini", count=2)


def test_sigusr1_prints_the_vassals(manual):
    """Sending ``SIGUSR1`` to the emperor will print vassal status in its log."""
    manual.hello("a")
    manual.write("/opt/apps/b.ini", BROKEN)
    server = manual.run("uwsgi --emperor /opt/apps")
    serves(server, "a.ini")
    became(server, "b.ini", "backoff")
    server.kill(signal.SIGUSR1)
    server.wait_line(r"vassal a\.ini: ready for \d+ s, it serves after .*, pid \d+")
    server.wait_line(r"vassal b\.ini: backoff for \d+ s, .*nothing_of_that_name")


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT])
def test_stopping_it_stops_all(manual, sig):
    """Stopping (``SIGINT``/``SIGTERM``/``SIGQUIT``) the Emperor will invoke Ragnarok and kill all the
    vassals."""
    manual.hello("a", "processes = 2\n")
    manual.hello("b")
    server = manual.run("uwsgi --emperor /opt/apps")
    serves(server, "a.ini")
    serves(server, "b.ini")
    below = server.descendants()
    assert server.stop(sig) == 0
    assert [p for p in below if proc.alive(p)] == []
    assert len(server.log.find(r"stopping -> gone")) == 2


def test_sighup_reloads_all(manual):
    """Sending ``SIGHUP`` to the Emperor will reload all vassals."""
    for name in "a", "b":
        manual.hello(name)
    server = manual.run("uwsgi --emperor /opt/apps")
    before = {}
    for name in "a", "b":
        serves(server, f"{name}.ini")
        before[name] = manual.ask(name).get("X-Pid")
    server.kill(signal.SIGHUP)
    for name in "a", "b":
        serves(server, f"{name}.ini", count=2)
        assert manual.ask(name).get("X-Pid") != before[name]
    assert server.running()


@pytest.mark.parametrize("master", ["", "--master"])
def test_it_needs_no_master(manual, master):
    """The emperor should generally not be run with ``--master``, unless master features like advanced
    logging are specifically needed. -- It is accepted, and changes nothing."""
    manual.hello("a")
    server = manual.run(f"uwsgi --emperor /opt/apps {master}")
    serves(server, "a.ini")
    assert len(server.children()) == 1  # the vassal: no master of the Emperor's own
    assert server.log.find("warning") == []


def test_vassals_are_reloaded_one_by_one(manual):
    """The emperor should generally be started at server boot and left alone, not reloaded/restarted
    except for uWSGI upgrades; emperor reloads are a bit drastic, reloading all vassals at once.
    Instead vassals should be reloaded individually when needed, in the manner of the imperial
    monitor in use."""
    for name in "a", "b":
        manual.hello(name)
    server = manual.run("uwsgi --emperor /opt/apps")
    before = {}
    for name in "a", "b":
        serves(server, f"{name}.ini")
        before[name] = manual.ask(name).get("X-Pid")
    manual.shell("touch /opt/apps/a.ini")
    serves(server, "a.ini", count=2)
    assert manual.ask("a").get("X-Pid") != before["a"]
    assert manual.ask("b").get("X-Pid") == before["b"]


# What the manual has yet to do.

@pytest.mark.parametrize("file, text", [
    ("all.ini", "[uwsgi]\nhttp-socket = {at}\nwsgi-file = {app}\n"
                "[vassal:a]\nenv = NAME=%x\n[vassal:b]\nenv = NAME=%x\n"),
    ("all.yaml", "uwsgi:\n  http-socket: {at}\n  wsgi-file: {app}\n---\n"
                 "vassal:a:\n  env: NAME=%x\n---\nvassal:b:\n  env: NAME=%x\n"),
    ("all.xml", "<configurations><uwsgi><http-socket>{at}</http-socket>"
                "<wsgi-file>{app}</wsgi-file></uwsgi>"
                '<uwsgi id="vassal:a"><env>NAME=%x</env></uwsgi>'
                '<uwsgi id="vassal:b"><env>NAME=%x</env></uwsgi></configurations>\n'),
])
def test_several_vassals_in_a_file(manual, file, text):
    """Things to do: support multipart XML/INI/YAML files (this will allow to use a single config file for
    multiple instances). Export more magic vars."""
    manual.write(f"/opt/apps/{file}", text.format(at="/tmp/sockets/%x.http", app="/opt/hello.py"))
    server = manual.run("uwsgi --emperor /opt/apps")
    for name in "a", "b":
        serves(server, f"{file}:{name}")
        assert manual.ask(name).body == b"hello from %s" % name.encode()


@pytest.mark.parametrize("option", ["emperor-tyrant = true", "emperor-use-clone = fs,net,ipc,pid,uts",
                                    "cap = setgid,setuid"])
def test_what_it_does_not_have_it_does_not_pretend(manual, start, option):
    """An Emperor that is told to separate its vassals, and cannot, does not run them unseparated."""
    config = manual.write("/etc/uwsgi/emperor.ini", f"[uwsgi]\nemperor = /opt/apps\n{option}\n")
    server = start("--ini", config)
    assert server.wait() == 1
    server.wait_line(rf"emperor\.ini:3: '{option.split()[0]}' is an option of uWSGI")
