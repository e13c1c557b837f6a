# SPDX-License-Identifier: MIT
"""The servers that are compared: their command lines, start, CPU time and end."""
import contextlib
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import tempfile
import time

from . import APPS, BenchError
from harness import address, client, proc

START_SECONDS = 20

# {app} is a file of bench/apps without its ending; {folder} is the server's own.
LIEGE = "{build}/liege --http-socket {at} --processes {workers} --need-app --disable-logging --strict"
UWSGI = "uwsgi-core --http-socket {at} --processes {workers} --master --need-app " \
        "--disable-logging --listen 1024"
GUNICORN = "gunicorn --chdir {apps} --bind {at} --workers {workers} --backlog 1024"
WSGI = "--wsgi-file {apps}/{app}.py"
NGINX = "nginx -p {folder} -e stderr -c {folder}/nginx.conf"
COMMANDS = {
    "liege": f"{LIEGE} {WSGI}",
    "uWSGI": f"{UWSGI} --plugin python3 {WSGI}",
    "gunicorn sync": f"{GUNICORN} {{app}}:application",
    "gunicorn gthread": f"{GUNICORN} --worker-class gthread --keep-alive 75 {{app}}:application",
    "gunicorn gevent": f"{GUNICORN} --worker-class gevent --keep-alive 75 {{app}}:application",
    "waitress": "waitress-serve --listen {at} --threads 4 --connection-limit 4000 {app}:application",
    "nginx": NGINX,
    "nginx + uWSGI": f"{NGINX}\n"
                     f"uwsgi-core --plugin python3 --socket {{folder}}/uwsgi.sock {WSGI} "
                     "--processes {workers} --master --need-app --disable-logging --listen 1024",
    "liege PSGI": f"{LIEGE} --psgi {{apps}}/{{app}}.psgi",
    "uWSGI PSGI": f"{UWSGI} --plugin psgi --psgi {{apps}}/{{app}}.psgi",
    "Starman": "starman --listen {at} --workers {workers} --env deployment {apps}/{app}.psgi",
}
# These end the connection after each answer, most without saying so.
ALWAYS_CLOSE = {"uWSGI", "uWSGI PSGI", "gunicorn sync"}

NGINX_CONF = """
daemon off;
user root;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 0;
    server {{
        listen {at} backlog=4096;
        location / {{ {location} }}
    }}
}}
"""
LOCATIONS = {
    "nginx": 'return 200 "hello world\\n";',
    "nginx + uWSGI": "include /etc/nginx/uwsgi_params; uwsgi_pass unix:{folder}/uwsgi.sock;",
}


class Server:
    """A running server. @extra are further arguments, @cpus where it may run (default: anywhere),
    @limits what is done in the child before it becomes the server."""

    def __init__(self, name, build, app="work", workers=1, extra=(), cpus=None, env=None,
                 command=None, at=None, limits=None):
        self.name = name
        self.at = at or address.free_address()
        self.closes = name in ALWAYS_CLOSE
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="liege-bench-"))
        self.log = tempfile.TemporaryFile()
        if name in LOCATIONS:
            self._configure_nginx()
        values = {"build": build, "at": self.at, "app": app, "apps": APPS, "workers": workers,
                  "folder": self.folder}
        commands = command and [command] or [[*line.format(**values).split(), *map(str, extra)]
                                             for line in COMMANDS[name].splitlines()]
        self.processes = [self._start(c, cpus, env or {}, limits) for c in commands]

    def _configure_nginx(self):
        location = LOCATIONS[self.name].format(folder=self.folder)
        (self.folder / "nginx.conf").write_text(
            NGINX_CONF.format(folder=self.folder, at=self.at, location=location))

    def _start(self, command, cpus, env, limits):
        program = str(command[0])
        if not shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
            raise BenchError(f"{program} is not there")

        def prepare():
            if cpus:
                os.sched_setaffinity(0, cpus)
            if limits:
                limits()

        return subprocess.Popen(
            list(map(str, command)), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            cwd=APPS, start_new_session=True, preexec_fn=prepare,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1",
                 "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin", **env})

    @property
    def pid(self):
        return self.processes[0].pid

    def wait_ready(self):
        """Foreign servers announce readiness in no common way: ask until they answer."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and all(p.poll() is None for p in self.processes):
            with contextlib.suppress(OSError, client.ProtocolError):
                if client.get(self.at).status == 200:
                    return self
            time.sleep(0.05)
        last = self.tail(1).rpartition("error: ")[2] or "it says nothing"
        raise BenchError(f"{self.name} does not start: {last}")

    def tail(self, lines=3):
        self.log.seek(0)
        return "\n".join(self.log.read().decode(errors="replace").splitlines()[-lines:])

    def pids(self):
        return [pid for p in self.processes for pid in (p.pid, *proc.descendants(p.pid))]

    def cpu_us(self):
        """CPU time of all its processes so far."""
        return proc.run_nanoseconds(self.pids()) / 1000

    def stop(self):
        below = self.pids()
        for p in self.processes:
            with contextlib.suppress(ProcessLookupError):
                p.send_signal(signal.SIGINT)
        proc.wait_gone(below, 5)
        proc.kill_all(below)
        for p in self.processes:
            p.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def label(self):
        return self.name + (" (closes each)" if self.closes else "")

    def clients(self, n):
        """The load generator's arguments for @n clients: each with a connection that it keeps, or
        with one for each request where the server does not keep any."""
        return {"per_request": n} if self.closes else {"keep_alive": n}


@contextlib.contextmanager
def running(*args, **kw):
    """A server that answers, for the time of a "with"."""
    server = Server(*args, **kw)
    try:
        yield server.wait_ready()
    finally:
        server.stop()


def folder():
    """A private folder for the time of a "with"."""
    return tempfile.TemporaryDirectory(prefix="liege-bench-")


def raise_files(most=1 << 20):
    """As many descriptors as are allowed: for this process and what it starts. -> how many"""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for limit in (most, min(hard, most)):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, max(limit, hard)))
            return limit
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def server_cpu():
    return min(os.sched_getaffinity(0))


def load_cpu():
    return max(os.sched_getaffinity(0))
