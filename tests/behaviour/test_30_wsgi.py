# SPDX-License-Identifier: MIT
"""WSGI applications over the wire: what they are given, what they may do, what is logged when they
fail. The rules are PEP 3333's."""
import json
import os
import re
import signal
import socket
import subprocess
import threading

import pytest

from harness import client, proc, says
from harness.client import Connection, request_bytes
from harness.data import chunked, pattern
from harness.meeting import Meeting
from harness.programs import APPS

WEB = "wsgi-file = {apps}/python/web.py\n"
CASES = "pythonpath = {apps}/python\nmodule = wsgi_cases:"


@pytest.fixture
def web(instance):
    return lambda settings="", **kw: instance(WEB + settings, **kw)


def environ_of(address, target="/environ", **kw):
    answer = client.get(address, target, **kw)
    assert answer.status == 200, answer
    return json.loads(answer.body)


# The environ

@pytest.mark.plain
def test_environ(web, folder):
    environ = environ_of(web("processes = 2").address, "/environ?a=b%20c&d", method="POST",
                         body=b"12345", fields=[("Host", "Example.org:8080"), ("X-One", "1"),
                                                ("Content-Type", "text/x")])
    expected = {
        "REQUEST_METHOD": "POST", "SCRIPT_NAME": "", "PATH_INFO": "/environ",
        "QUERY_STRING": "a=b%20c&d", "REQUEST_URI": "/environ?a=b%20c&d",
        "SERVER_PROTOCOL": "HTTP/1.1", "CONTENT_TYPE": "text/x", "CONTENT_LENGTH": "5",
        "HTTP_HOST": "Example.org:8080", "HTTP_X_ONE": "1", "HTTP_CONNECTION": "close",
        "wsgi.version": [1, 0], "wsgi.url_scheme": "http", "wsgi.multithread": False,
        "wsgi.multiprocess": True, "wsgi.run_once": False, "wsgi.input_terminated": True,
    }
    assert {k: environ.get(k) for k in expected} == expected
    assert environ["SERVER_SOFTWARE"].startswith("liege/")
    assert {"wsgi.input", "wsgi.errors", "wsgi.file_wrapper", "SERVER_NAME", "SERVER_PORT"} <= \
        set(environ)
    assert not {"HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE", "HTTPS"} & set(environ)


def test_environ_of_a_request_without_a_body(web):
    environ = environ_of(web().address)
    assert "CONTENT_TYPE" not in environ and "CONTENT_LENGTH" not in environ
    assert environ["QUERY_STRING"] == ""
    assert environ["wsgi.multiprocess"] is False


@pytest.mark.parametrize("target, path, query", [
    ("/a%20b", "/a b", ""), ("/%C3%A9", "/\u00c3\u00a9", ""), ("/a%2Fb", "/a/b", ""),
    ("/a//b/../c/.", "/a//b/../c/.", ""), ("/a?b%20c?d", "/a", "b%20c?d"), ("/?", "/", ""),
    ("http://test/a?b", "/a", "b"), ("http://test", "/", ""), ("/+", "/+", ""), ("/%25", "/%", ""),
])
def test_paths(instance, target, path, query):
    server = instance(CASES + "show_environ")
    lines = client.get(server.address, target).body.decode().splitlines()
    assert f"PATH_INFO={path!r}" in lines
    assert f"QUERY_STRING={query!r}" in lines


def test_fields_that_come_more_than_once(web):
    environ = environ_of(web().address, fields=[
        ("X-A", "1"), ("Cookie", "a=1"), ("X-A", "2"), ("Cookie", "b=2"), ("x-a", "3")])
    assert environ["HTTP_X_A"].replace(" ", "") == "1,2,3"
    assert environ["HTTP_COOKIE"] == "a=1; b=2"


def test_bytes_of_a_field_are_latin_1(web):
    with Connection(web().address) as c:
        c.send("GET /environ HTTP/1.1\r\nHost: a\r\nX-Name: \u00e9\u00ff\r\n\r\n".encode("latin-1"))
        assert json.loads(c.response().body)["HTTP_X_NAME"] == "\u00e9\u00ff"
        answer = c.request("/headers?X-Back=%C3%A9")
        assert answer.get("X-Back") == "\u00e9"


def test_nothing_of_a_request_is_left_in_the_next(web):
    with Connection(web().address) as c:
        c.request("/environ?q", "POST", [("X-Secret", "1"), ("Content-Type", "a/b")], b"body")
        environ = json.loads(c.request("/environ").body)
        assert not {"HTTP_X_SECRET", "CONTENT_TYPE", "CONTENT_LENGTH"} & set(environ)
        assert environ["QUERY_STRING"] == "" and environ["REQUEST_METHOD"] == "GET"


# The protocol

@pytest.mark.plain
def test_under_the_eyes_of_wsgiref(instance):
    server = instance(CASES + "validated")
    with Connection(server.address) as c:
        for _ in range(2):
            answer = c.request("/", "POST", body=b"1234\nline\nmore\nrest")
            assert answer.status == 200, server.log.text()
            assert answer.body.startswith(b"1234") and answer.body.endswith(b"#end")
    server.wait_line("three", count=2)


@pytest.mark.parametrize("name, status, body", [
    ("writes", 200, b"abc"), ("generator", 200, b"one two"), ("late_start", 202, b"late"),
    ("empty", 204, b""), ("tuple_of_pieces", 200, b"abc"), ("closing", 200, b"ab"),
    ("replaced_head", 503, b"replaced"), ("keeps_first_head", 200, b"first"),
    ("returns_too_much", 200, b"abc"),
    ("writes_too_much", 200, b"abc"), ("hello", 200, b"Hello, world\n"),
])
def test_answers(instance, name, status, body):
    server = instance(CASES + name)
    with Connection(server.address) as c:
        for _ in range(3):
            answer = c.request()
            assert (answer.status, answer.body) == (status, body)
            assert not answer.close


@pytest.mark.parametrize("name, complaint", [
    ("raises", "ValueError: caf"), ("exits", "SystemExit: 3"), ("interrupts", "KeyboardInterrupt"),
    ("no_start", "start_response"), ("no_start_empty", "start_response"),
    ("no_start_iterable", "start_response"), ("returns_bytes", "TypeError: "),
    ("returns_list_of_str", "TypeError: "), ("returns_none", "TypeError: "),
    ("second_start", "start_response"),
])
def test_failures_are_500_with_a_traceback(instance, name, complaint):
    server = instance(CASES + name)
    with Connection(server.address) as c:
        c.send(request_bytes("/this?one") + request_bytes("/that"))
        answer = c.response()
        assert (answer.status, answer.body) == (500, b"Internal Server Error\n")
    server.wait_line(r"\[app\.ini worker 1\] error: GET /this\?one: the application failed")
    server.wait_line(rf"\[app\.ini worker 1\] error: .*{complaint}")
    assert client.get(server.address).status == 500
    assert len(server.children()) == 2 and not server.log.find("worker 1 (exited|killed)")


@pytest.mark.parametrize("name", [
    "closing_after_error", "closing_other_type", "closing_fails", "replaced_too_late"])
def test_failures_in_the_middle_cut_the_answer(instance, name):
    """The client must see that it is not whole."""
    server = instance(CASES + name)
    with Connection(server.address) as c, pytest.raises(client.ProtocolError):
        c.request()
    server.wait_line("the application failed")


def test_failures_in_the_middle_reset_an_old_client(instance, free_address):
    """To which the end of the connection is the end of the answer."""
    at = free_address()
    instance(f"http-socket = {at}\n{CASES}closing_after_error")
    with Connection(at) as c, pytest.raises(ConnectionResetError):
        c.request(version="1.0")


def test_a_traceback_names_file_and_line_in_whole_lines(web):
    server = web()
    assert client.get(server.address, "/fail").status == 500
    server.wait_line(r"\[app\.ini worker 1\] error: ValueError: this one fails")
    start = next(i for i, line in enumerate(server.log.lines) if "Traceback" in line)
    for line in server.log.lines[start:start + 5]:
        assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \[app\.ini worker 1\] error: ",
                        line)
    assert server.log.find(rf'File "{APPS}/python/web\.py", line \d+, in fail')


def test_wsgi_errors_goes_to_the_log(instance):
    app = """
def application(environ, start_response):
    environ["wsgi.errors"].write("first\\nsec")
    print("ond", file=environ["wsgi.errors"])
    print("on standard output", flush=True)
    start_response("200 OK", [])
    return [b"done"]
"""
    server = instance("wsgi-file = {folder}/app.py", {"app.py": app})
    assert client.get(server.address).body == b"done"
    server.wait_line(r"\[app\.ini worker 1\] .*first$")
    server.wait_line(r"\[app\.ini worker 1\] .*second$")
    server.wait_line(r"on standard output$")


def test_an_exception_is_in_the_log_when_no_file_can_be_opened(instance):
    server = instance("module = app", {"app.py": """\
import resource
def application(environ, start_response):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, most))
    raise KeyError("key")
"""})
    assert client.get(server.address, "/").status == 500
    server.wait_line(r"error: Traceback")
    server.wait_line(r'error:   File ".*/app\.py", line 5, in application')
    server.wait_line(r"error: KeyError: 'key'")


COUNTING = """
import json
opened = closed = 0

class Body:
    def __init__(self, items):
        global opened
        opened += 1
        self.items = iter(items)
    def __iter__(self):
        return self
    def __next__(self):
        return next(self.items)
    def close(self):
        global closed
        closed += 1

def failing():
    yield b"x" * 100
    raise ValueError("in the middle")

def application(environ, start_response):
    kind = environ["PATH_INFO"][1:]
    if kind == "counts":
        start_response("200 OK", [])
        return [json.dumps([opened, closed]).encode()]
    if kind == "no-start":
        return Body([b"x"])
    start_response("304 Not Modified" if kind == "304" else "200 OK",
                   [("Content-Length", "3")] if kind == "short" else [])
    return Body({"large": (b"x" * 100000 for _ in range(100)), "fails": failing(),
                 "short": [b"ab", b"cd"], "text": ["text"], "none": []}.get(kind, [b"a", b"b"]))
"""


WRITING_THREAD = """
import threading


def application(environ, start_response):
    write = start_response("200 OK", [])
    thread = threading.Thread(target=lambda: [write(b"x" * 100_000) for _ in range(30)])
    thread.start()
    thread.join()
    return [b"end"]
"""


@pytest.mark.plain
@pytest.mark.parametrize("threads", [1, 4])
def test_a_thread_of_the_application_writes_the_answer(instance, threads):
    """More of it than the kernel takes for a client that does not read yet."""
    server = instance(f"module = app\nthreads = {threads}", {"app.py": WRITING_THREAD})
    with Connection(server.address) as c, Connection(server.address) as other:
        c.send(request_bytes("/"))
        c.wait_input()  # its turn has come: the other one's is after it
        other.send(request_bytes("/"))
        assert c.response().body == b"x" * 3_000_000 + b"end"
        assert other.response().body == b"x" * 3_000_000 + b"end"


FORGOTTEN_THREAD = """
import os, threading


def application(environ, start_response):
    write = start_response("200 OK", [])
    if environ["PATH_INFO"] == "/pid":
        return [str(os.getpid()).encode()]
    thread = threading.Thread(target=lambda: [write(b"x" * 100_000) for _ in range(1000)])
    thread.start()
    thread.join(0.2)
    return []
"""


@pytest.mark.plain
@pytest.mark.parametrize("threads", [1, 4])
def test_a_thread_that_still_writes_when_the_call_returns_costs_that_answer(instance, threads):
    server = instance(f"module = app\nthreads = {threads}", {"app.py": FORGOTTEN_THREAD})
    pid = client.get(server.address, "/pid").body
    with Connection(server.address) as c:
        c.send(request_bytes("/"))
        server.wait_line("returned while a thread of its own was writing the answer")
        with pytest.raises((client.ProtocolError, ConnectionError)):
            c.response()
    assert client.get(server.address, "/pid").body == pid


@pytest.mark.plain
def test_close_is_called_once_for_each_answer(instance, free_address):
    at = free_address()
    server = instance(f"http-socket = {at}\nwsgi-file = {{folder}}/app.py", {"app.py": COUNTING})
    kinds = ["plain", "304", "fails", "short", "text", "none", "no-start", "large"]
    sent = 0
    for kind in kinds * 3:
        for method in ("GET", "HEAD"):
            with Connection(at) as c:
                try:
                    c.request("/" + kind, method)
                except (client.ProtocolError, ConnectionResetError):
                    assert kind in ("fails", "text")
            sent += 1
    for _ in range(30):  # clients that go in the middle
        with Connection(at) as c:
            c.send(request_bytes("/large"))
            c.wait_input()
        sent += 1
    server.wait_line('"GET /large HTTP/1.1"', count=33)
    assert json.loads(client.get(at, "/counts").body) == [sent, sent]


# Files

@pytest.fixture
def served_file(folder):
    path = folder / "served"
    path.write_bytes(pattern(5_000_000))
    return path


@pytest.mark.plain
def test_file_wrapper(web, served_file):
    with Connection(web().address) as c:
        worker = int(c.request("/pid").body)
        before = len(proc.descriptors(worker))
        for offset in (0, 1, 4_999_999, 5_000_000):
            answer = c.request(f"/file?path={served_file}&from={offset}")
            assert answer.body == pattern(5_000_000)[offset:]
        assert c.request(f"/file?path={served_file}", "HEAD").body == b""
        assert c.request("/query?next").body == b"next"
        assert len(proc.descriptors(worker)) <= before


def test_file_wrapper_for_an_old_client(web, served_file):
    with Connection(web().address) as c:
        assert c.request(f"/file?path={served_file}", version="1.0").body == pattern(5_000_000)


@pytest.mark.plain
def test_a_file_that_nobody_takes_costs_no_worker(web, served_file):
    server = web()
    with Connection(server.address) as slow:
        slow.send(request_bytes(f"/file?path={served_file}"))
        slow.wait_input()
        for _ in range(20):
            assert client.get(server.address).body == b"hello\n"
        assert slow.response().body == pattern(5_000_000)


def test_a_file_that_becomes_shorter_cuts_the_answer(web, served_file):
    server = web()
    with Connection(server.address) as c:
        c.send(request_bytes(f"/file?path={served_file}"))
        c.wait_input()
        os.truncate(served_file, 1000)
        with pytest.raises(client.ProtocolError):
            c.response()
    assert client.get(server.address).status == 200


FILES = """
import io
def application(environ, start_response):
    wrap, kind = environ["wsgi.file_wrapper"], environ["PATH_INFO"]
    start_response("200 OK", [("Content-Length", "10")] if kind == "/limited" else [])
    if kind == "/memory":
        return wrap(io.BytesIO(b"in memory" * 1000))
    if kind == "/iterated":
        return (piece for piece in wrap(open(__file__, "rb"), 7))
    return wrap(open(__file__, "rb"))
"""


def test_other_things_in_a_file_wrapper(instance):
    server = instance("wsgi-file = {folder}/app.py", {"app.py": FILES})
    with Connection(server.address) as c:
        assert c.request("/memory").body == b"in memory" * 1000
        assert c.request("/iterated").body == FILES.encode()
        assert c.request("/limited").body == FILES.encode()[:10]
        assert c.request("/").body == FILES.encode()


# Frameworks

FLASK = """
from flask import Flask, Response, request, session
application = Flask(__name__)
application.secret_key = "test"

@application.route("/form", methods=["POST"])
def form():
    upload = request.files["upload"]
    return {"name": request.form["name"], "file": upload.filename, "size": len(upload.read()),
            "url": request.url, "remote": request.remote_addr}

@application.route("/count")
def count():
    session["n"] = session.get("n", 0) + 1
    return str(session["n"])

@application.route("/stream")
def stream():
    return Response((f"{n}\\n" for n in range(1000)), mimetype="text/plain")

@application.route("/json", methods=["POST"])
def json():
    return {"got": request.get_json()}

@application.route("/fail")
def fail():
    raise RuntimeError("flask fails")
"""

DJANGO = """
from django.conf import settings
settings.configure(SECRET_KEY="test", ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], MIDDLEWARE=[
    "django.middleware.common.CommonMiddleware", "django.middleware.gzip.GZipMiddleware"])
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

@csrf_exempt
def form(request):
    upload = request.FILES["upload"]
    return JsonResponse({"name": request.POST["name"], "file": upload.name, "size": upload.size,
                         "url": request.build_absolute_uri()})

def stream(request):
    return StreamingHttpResponse(f"{n}\\n" for n in range(1000))

def fail(request):
    raise RuntimeError("django fails")

urlpatterns = [path("form", form), path("stream", stream), path("fail", fail),
               path("file", lambda request: FileResponse(open(__file__, "rb"))),
               path("hello/<name>", lambda request, name: HttpResponse("hello " + name))]
application = get_wsgi_application()
"""

BOUNDARY = [("Content-Type", "multipart/form-data; boundary=XXXXXX"), ("Host", "shop.test")]


def multipart(content):
    return (b'--XXXXXX\r\nContent-Disposition: form-data; name="name"\r\n\r\nAnn\r\n'
            b'--XXXXXX\r\nContent-Disposition: form-data; name="upload"; filename="a.bin"\r\n\r\n'
            + content + b"\r\n--XXXXXX--\r\n")


@pytest.mark.plain
@pytest.mark.parametrize("name, source", [
    pytest.param("flask", FLASK, id="flask"), pytest.param("django", DJANGO, id="django")])
def test_frameworks(instance, name, source):
    server = instance("wsgi-file = {folder}/site.py\npost-buffering = 64k\nprocesses = 2",
                      {"site.py": source})
    with Connection(server.address) as c:
        for size in (10, 3_000_000):
            body = multipart(pattern(size))
            for framing in ("length", "chunked"):
                if framing == "length":
                    answer = c.request("/form", "POST", BOUNDARY, body)
                else:
                    c.send(request_bytes("/form", "POST",
                                         BOUNDARY + [("Transfer-Encoding", "chunked")])
                           + chunked(body))
                    answer = c.response()
                seen = json.loads(answer.body)
                assert (seen["name"], seen["file"], seen["size"]) == ("Ann", "a.bin", size)
                assert seen["url"] == "http://shop.test/form"
        assert c.request("/stream").body == "".join(f"{n}\n" for n in range(1000)).encode()
        assert c.request("/nowhere").status == 404
        assert c.request("/fail").status == 500
        assert c.request("/stream", "HEAD").body == b""
    if name == "flask":  # Django keeps it to itself
        server.wait_line("RuntimeError: flask fails")


def test_flask_sessions_and_json(instance):
    server = instance("wsgi-file = {folder}/site.py", {"site.py": FLASK})
    cookie = []
    with Connection(server.address) as c:
        for n in range(1, 4):
            answer = c.request("/count", fields=cookie)
            assert answer.body == b"%d" % n
            cookie = [("Cookie", answer.get("Set-Cookie").split(";")[0])]
        answer = c.request("/json", "POST", [("Content-Type", "application/json")], b'{"a": [1]}')
        assert json.loads(answer.body) == {"got": {"a": [1]}}


def test_django_files_and_compression(instance):
    server = instance("wsgi-file = {folder}/site.py", {"site.py": DJANGO})
    with Connection(server.address) as c:
        assert c.request("/file").body == DJANGO.encode()
        assert c.request("/hello/Ann").body == b"hello Ann"
        assert c.request("/stream", fields=[("Accept-Encoding", "gzip")]).get(
            "Content-Encoding") == "gzip"


# Mounts

MOUNTED = """
def application(environ, start_response):
    start_response("200 OK", [])
    return [f"{environ['SCRIPT_NAME']} {environ['PATH_INFO']} {NAME}".encode()]
"""


def test_mounts(instance):
    server = instance("""
mount = /shop={folder}/shop.py
mount = /shop/admin=admin:application
mount = /blog/={folder}/blog.py
""", {f"{n}.py": f"NAME = '{n}'\n" + MOUNTED for n in ("shop", "admin", "blog")})
    with Connection(server.address) as c:
        for target, answer in {
            "/shop": "/shop  shop", "/shop/": "/shop / shop", "/shop/a?b": "/shop /a shop",
            "/shop/admin": "/shop/admin  admin", "/shop/admin/x": "/shop/admin /x admin",
            "/shop/administrator": "/shop /administrator shop", "/blog/1": "/blog /1 blog",
        }.items():
            assert c.request(target).body.decode() == answer, target
        for target in ("/", "/shopping", "/sho", "/x"):
            answer = c.request(target)
            assert (answer.status, answer.close) == (404, False)
        assert c.request("/", "POST", body=b"x" * 100_000).status == 404
        assert c.request("/shop").status == 200


def test_a_mount_beside_the_application_of_everything_else(instance):
    server = instance(WEB + "mount = /shop={folder}/shop.py",
                      {"shop.py": "NAME = 'shop'\n" + MOUNTED})
    assert client.get(server.address, "/shop/a").body == b"/shop /a shop"
    assert client.get(server.address, "/a").body == b"hello\n"


def test_two_files_of_one_name(instance):
    server = instance("mount = /a={folder}/a/wsgi.py\nmount = /b={folder}/b/wsgi.py",
                      {f"{n}/wsgi.py": f"NAME = '{n}'\n" + MOUNTED for n in "ab"})
    assert client.get(server.address, "/a").body == b"/a  a"
    assert client.get(server.address, "/b").body == b"/b  b"


@pytest.mark.parametrize("mounts, complaint", [
    ("mount = /a=missing.py", "missing.py"),
    ("mount = a=app.py", "mount: 'a=app.py' is not /PREFIX=SOURCE"),
    ("mount = /a=", "mount: '/a=' is not /PREFIX=SOURCE"),
    ("mount = /a=app.py\nmount = /a/=app.py", "two applications are set for /a"),
])
def test_mounts_that_cannot_be(instance, mounts, complaint):
    server = instance(mounts, {"app.py": MOUNTED}, wait=False)
    assert server.wait() == says.BOOT_ERROR
    assert server.log.find("error: cannot start: .*" + re.escape(complaint)), server.log.text()


# What surrounds an application

def test_the_module_liege_which_is_uwsgi_too(instance):
    app = """
import json, liege, os, uwsgi

def hook():
    global forked
    forked = (os.getpid(), liege.worker_id())
uwsgi.post_fork_hook = hook
loaded = liege.worker_id()

def application(environ, start_response):
    if environ["PATH_INFO"] == "/reload":
        liege.reload()
    uwsgi.log("a line of the application")
    start_response("200 OK", [])
    return [json.dumps({
        "same": liege is uwsgi, "worker": liege.worker_id(), "master": uwsgi.masterpid(),
        "numproc": uwsgi.numproc, "opt": {k: repr(v) for k, v in uwsgi.opt.items()},
        "pid": os.getpid(), "forked": forked, "loaded": loaded, "version": uwsgi.version}).encode()]
"""
    server = instance("module = app\nprocesses = 2\nmy-own = %(where)\nwhere = here",
                      {"app.py": app})
    with Connection(server.address) as c:
        said = json.loads(c.request().body)
    assert said["same"] is True and said["loaded"] == 0
    assert said["master"] == server.pid and said["numproc"] == 2
    assert said["worker"] in (1, 2) and said["forked"] == [said["pid"], said["worker"]]
    assert said["opt"]["processes"] == "b'2'" and said["opt"]["my-own"] == "b'here'"
    assert said["version"]
    server.wait_line(r"\[app\.ini worker [12]\] a line of the application")
    client.get(server.address, "/reload")
    server.wait_line(r"reload: the application asked for it in worker [12]")
    server.wait_line(says.serving(2))


def test_exit_handlers_run(instance):
    app = """
import atexit, liege, os
def say(text):
    os.write(2, (text + "\\n").encode())
atexit.register(say, "atexit of the interpreter")
liege.atexit = lambda: say("atexit of the server")
def application(environ, start_response):
    start_response("200 OK", [])
    return [b"x"]
"""
    for sig in (signal.SIGQUIT, signal.SIGTERM):
        server = instance("module = app", {"app.py": app})
        assert client.get(server.address).status == 200
        assert server.stop(sig) == 0
        assert server.log.find("atexit of the interpreter")
        assert server.log.find("atexit of the server")


def test_threads_of_the_application_run_while_the_worker_waits(instance, folder):
    app = """
import os, socket, threading
def work(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.sendall(b"%d\\n" % os.getpid())
        global word
        word = s.recv(100).decode()
        done.set()
word, done = "nothing", threading.Event()
def application(environ, start_response):
    if environ["QUERY_STRING"]:
        threading.Thread(target=work, args=[environ["QUERY_STRING"]], daemon=True).start()
    else:
        done.wait()
    start_response("200 OK", [])
    return [word.encode()]
"""
    server = instance("module = app", {"app.py": app})
    with Meeting(folder) as meeting:
        assert client.get(server.address, f"/?{meeting.path}").body == b"nothing"
        visitor = meeting.arrive()  # no request runs now
        visitor.release("from the thread")
        assert client.get(server.address).body == b"from the thread"


def test_environment_and_directories(instance, folder):
    app = """
import json, os, sys, beside
def application(environ, start_response):
    start_response("200 OK", [])
    return [json.dumps([os.getcwd(), sys.argv, os.environ.get("GREETING"),
                        os.environ.get("SECRET"), beside.NAME]).encode()]
"""
    server = instance("module = app\nchdir = {folder}/work\npythonpath = {folder}/lib*\n"
                      "pyargv = one two\nenv = GREETING=hello there\nunenv = SECRET",
                      {"work/app.py": app, "lib1/beside.py": "NAME = 'beside'"},
                      env={"SECRET": "x"})
    cwd, argv, greeting, secret, name = json.loads(client.get(server.address).body)
    assert cwd == str(folder / "work")
    assert argv[1:] == ["one", "two"]
    assert (greeting, secret, name) == ("hello there", None, "beside")


@pytest.mark.plain
def test_a_virtual_environment(instance, folder):
    venv = folder / "venv"
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", venv], check=True)
    [site] = venv.glob("lib/python3*/site-packages")
    (site / "only_here.py").write_text("WHERE = __file__\n")
    (site / "linked.pth").write_text(f"{folder}/linked\n")
    app = """
import json, sys, only_here, linked_one
def application(environ, start_response):
    start_response("200 OK", [])
    return [json.dumps([sys.prefix, sys.base_prefix, only_here.WHERE, linked_one.NAME]).encode()]
"""
    server = instance("module = app\nvirtualenv = {folder}/venv",
                      {"app.py": app, "linked/linked_one.py": "NAME = 'linked'"})
    prefix, base, where, name = json.loads(client.get(server.address).body)
    assert (prefix, name) == (str(venv), "linked")
    assert base != prefix and where == str(site / "only_here.py")


def test_a_virtual_environment_that_is_none(instance, folder):
    server = instance(WEB + "virtualenv = {folder}/missing", wait=False)
    assert server.wait() == says.BOOT_ERROR
    assert server.log.find(f"error: cannot start: .*{folder}/missing")


@pytest.mark.parametrize("target, body", [
    ("app:factory()", b"made"), ("app:factory(body='called')", b"called"),
    ("app:inner.app", b"inner"), ("package.site:app", b"package"),
])
def test_ways_to_name_an_application(instance, target, body):
    app = """
class inner:
    @staticmethod
    def app(environ, start_response):
        start_response("200 OK", [])
        return [b"inner"]
def factory(body="made"):
    def application(environ, start_response):
        start_response("200 OK", [])
        return [body.encode()]
    return application
"""
    server = instance(f"module = {target}", {
        "app.py": app, "package/__init__.py": "",
        "package/site.py": "from app import factory\napp = factory('package')\n"})
    assert client.get(server.address).body == body


def test_many_clients_at_once_on_many_workers(web):
    server = web("processes = 4")
    wrong = []

    def talk(n):
        with Connection(server.address) as c:
            for i in range(100):
                if c.request(f"/query?{n}-{i}").body != f"{n}-{i}".encode():
                    wrong.append((n, i))

    threads = [threading.Thread(target=talk, args=[n]) for n in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong
    server.wait_line('"GET /query', count=1600)


def test_a_child_of_the_application_does_not_hold_connections(instance, folder):
    """Descriptors of clients and of the server stay out of programs that an application starts."""
    app = """
import subprocess
def application(environ, start_response):
    out = subprocess.run(["/bin/ls", "-l", "/proc/self/fd"], capture_output=True, close_fds=False)
    start_response("200 OK", [])
    return [out.stdout]
"""
    server = instance("module = app", {"app.py": app})
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(server.address)
        listed = client.get(server.address).body.decode()
    assert "socket:" not in listed and "anon_inode" not in listed
