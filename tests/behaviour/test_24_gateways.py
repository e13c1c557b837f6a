# SPDX-License-Identifier: MIT
"""Behind a web server that speaks uwsgi, FastCGI or SCGI: written here byte by byte, and nginx."""
import contextlib
import hashlib
import json
import shutil
import struct

import pytest

from harness import client, gateway
from harness.data import pattern
from harness.meeting import Meeting

WEB = "wsgi-file = {apps}/python/web.py\n"
protocols = pytest.mark.parametrize("peer", gateway.ALL, ids=lambda p: p.option)


@pytest.fixture
def behind(instance, folder):
    """behind(peer, settings) -> a server whose socket for the class @peer is .front"""
    def start(peer, settings="", app=WEB, **kw):
        server = instance(f"{peer.option} = {{folder}}/front\n{app}{settings}", **kw)
        server.front = str(folder / "front")
        return server
    return start


def ask(server, peer, target="/", method="GET", body=b"", **more):
    with peer(server.front) as c:
        return c.get(target, method, body, **more)


@pytest.mark.plain
@protocols
def test_environ(behind, peer):
    server = behind(peer)
    answer = ask(server, peer, "/environ?a=%20b", "POST", b"123", HTTPS="on",
                 CONTENT_TYPE="text/x", HTTP_ACCEPT_LANGUAGE="de", SSL_CLIENT_VERIFY="SUCCESS",
                 SERVER_SOFTWARE="front/1", HTTP_PROXY="evil", UWSGI_FILE="exec://id",
                 **{"wsgi.multithread": "forged", "wsgi.run_once": "forged"})
    assert answer.status == 200
    environ = json.loads(answer.body)
    for name, value in {
            "REQUEST_METHOD": "POST", "PATH_INFO": "/environ", "QUERY_STRING": "a=%20b",
            "REQUEST_URI": "/environ?a=%20b", "SCRIPT_NAME": "", "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "192.0.2.7", "REMOTE_PORT": "4711", "SERVER_NAME": "front.example",
            "SERVER_PORT": "443", "wsgi.url_scheme": "https", "HTTPS": "on",
            "CONTENT_TYPE": "text/x", "CONTENT_LENGTH": "3", "HTTP_HOST": "front.example",
            "HTTP_ACCEPT_LANGUAGE": "de", "SSL_CLIENT_VERIFY": "SUCCESS"}.items():
        assert environ[name] == value, name
    assert environ["SERVER_SOFTWARE"].startswith("liege/")
    assert environ["wsgi.run_once"] is False
    assert not {"HTTP_PROXY", "UWSGI_FILE", "HTTP_CONTENT_LENGTH"} & environ.keys()


@protocols
def test_perl(behind, peer):
    server = behind(peer, app="psgi = env.psgi\n", files={
        "env.psgi": "sub { my $e = shift; my @k = grep { !/^psgi/ } sort keys %$e;"
                    " [200, [], [map { \"$_=$e->{$_}\\n\" } @k]] }\n"})
    text = ask(server, peer, "/x", FOO="bar", HTTP_X_Y="z", SERVER_SOFTWARE="f").body.decode()
    for line in ("FOO=bar", "HTTP_X_Y=z", "PATH_INFO=/x", "REMOTE_ADDR=192.0.2.7"):
        assert f"{line}\n" in text
    assert "SERVER_SOFTWARE=liege/" in text


@protocols
def test_bodies(behind, peer):
    server = behind(peer)
    for size in (0, 1, 65535, 65536, 3_000_000):
        data = pattern(size)
        assert ask(server, peer, "/echo", "POST", data).body == data
        answer = ask(server, peer, f"/bytes?n={size}")
        assert answer.body == data and answer.get("Content-Length") == str(size)
        assert ask(server, peer, f"/stream?n={size}&size=70001").body == data


@protocols
def test_files(behind, peer, folder):
    server = behind(peer)
    data = pattern(300_000)
    (folder / "file").write_bytes(data)
    answer = ask(server, peer, f"/file?path={folder}/file")
    assert answer.body == data and answer.get("Content-Length") == str(len(data))


@protocols
def test_heads(behind, peer):
    server = behind(peer)
    answer = ask(server, peer, "/headers?X-Own=1&Set-Cookie=a=b&Status=404")
    assert answer.status == 200 and answer.get("X-Own") == "1"
    assert not answer.all("Date") + answer.all("Server")  # the web server's business
    assert ask(server, peer, "/status?is=204%20No%20Content").status == 204
    assert ask(server, peer, "/status?is=404%20Gone%20Fishing").reason == "Gone Fishing"
    answer = ask(server, peer, "/bytes?n=7", "HEAD")
    assert answer.body == b""
    assert ask(server, peer, "/fail").status == 500


@protocols
def test_mounts(behind, peer):
    """SCRIPT_NAME finds the application, whether or not it is taken off the path."""
    def paths(**more):
        environ = json.loads(ask(server, peer, "/ma/environ", **more).body)
        return environ["SCRIPT_NAME"], environ["PATH_INFO"]

    server = behind(peer, "mount = /ma={apps}/python/web.py\n")
    assert paths() == ("/ma", "/environ")
    assert paths(SCRIPT_NAME="/ma") == ("/ma", "/environ")
    assert paths(SCRIPT_NAME="/ma", PATH_INFO="/environ") == ("/ma", "/environ")
    assert paths(SCRIPT_NAME="/site") == ("/site/ma", "/environ")
    assert paths(SCRIPT_NAME="/site", PATH_INFO="/environ") == ("/site", "/environ")


@protocols
def test_refusals_are_answered(behind, peer):
    server = behind(peer, "limit-post = 10\n")
    for more, status in (({"REQUEST_METHOD": "G T"}, 400), ({"PATH_INFO": "x"}, 400),
                         ({"CONTENT_LENGTH": "11"}, 413), ({"HTTP_HOST": "a b"}, 400),
                         ({"QUERY_STRING": "a" * 16385}, 414), ({"FOO": "a" * 16385}, 431)):
        assert ask(server, peer, **more).status == status
    assert ask(server, peer).status == 200


@protocols
def test_another_protocol_on_the_socket(behind, peer):
    """Nothing of it reaches the application, and the server goes on."""
    server = behind(peer)
    others = [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"] + [
        p.request(gateway.variables()) for p in gateway.ALL if p != peer]
    for data in others:
        with peer(server.front) as c:
            c.send(data)
            c.end_sending()
            assert b"hello" not in c.to_end()
    assert ask(server, peer).body == b"hello\n"


@protocols
def test_truncated_requests_reach_nobody(behind, peer):
    server = behind(peer)
    whole = peer.request(gateway.variables("/echo", "POST", b"12345"), b"12345")
    for n in (1, 3, 9, 40, len(whole) // 2, len(whole) - 1):
        with peer(server.front) as c:
            c.send(whole[:n])
            c.end_sending()
            assert c.to_end() == b""
    assert client.get(server.address, "/calls").body == b"[]"


@protocols
def test_slow_web_server(behind, peer):
    """A request that comes in pieces holds up nobody."""
    server = behind(peer)
    whole = peer.request(gateway.variables("/echo", "POST", b"12345"), b"12345")
    with peer(server.front) as c:
        for i in range(len(whole)):
            c.send(whole[i:i + 1])
            if i % 100 == 0:
                assert ask(server, peer).body == b"hello\n"
        assert c.answer("POST").body == b"12345"


@protocols
def test_requests_wait_for_whoever_is_free(behind, peer, folder):
    """All workers are busy: what comes meanwhile is passed on whole, with what the peer needs."""
    server = behind(peer, "processes = 2\n")
    with Meeting(folder) as meeting, contextlib.ExitStack() as stack:
        def send(*args):
            c = stack.enter_context(peer(server.front))
            c.ask(gateway.variables(*args), args[2] if len(args) > 2 else b"")
            return c

        waiting = [(send(meeting.target), meeting.arrive()) for _ in range(2)]
        later = [(send("/echo", "POST", data), data)
                 for data in (b"", b"123", pattern(20_000), pattern(2_000_000))]
        for connection, visitor in waiting:
            visitor.release("good bye")
            assert connection.answer().body == b"good bye"
        for connection, data in later:
            assert connection.answer("POST").body == data


@protocols
def test_answer_cut_short_is_no_whole_answer(behind, peer):
    server = behind(peer, app="wsgi-file = short.py\n", files={
        "short.py": "def application(environ, start_response):\n"
                    "    start_response('200 OK', [('Content-Length', '10')])\n"
                    "    yield b'123'\n"})
    with peer(server.front) as c:
        with pytest.raises((client.ProtocolError, ConnectionError)):
            c.get()
    server.wait_line("wrote 3 bytes of a Content-Length of 10")


def test_uwsgi_packets_that_are_no_requests(behind):
    """None of them runs code, reloads or pings anything."""
    server = behind(gateway.Uwsgi)
    for modifier1 in (1, 10, 17, 22, 97, 98, 99, 100, 110, 111, 173, 224, 255):
        with gateway.Uwsgi(server.front) as c:
            c.ask(gateway.variables(), modifier1=modifier1)
            assert c.answer().status == 501
    with gateway.Uwsgi(server.front) as c:
        c.ask(gateway.variables(), modifier1=5)
        assert c.answer().body == b"hello\n"


def test_fastcgi_connection_is_kept(behind):
    server = behind(gateway.FastCgi)
    with gateway.FastCgi(server.front) as c:
        for request_id in (1, 1, 2, 65535):
            c.ask(gateway.variables("/query?a"), request_id=request_id)
            assert c.answer(request_id=request_id).body == b"a"
        c.send(b"".join(c.request(gateway.variables(f"/query?{i}"), request_id=i)
                        for i in range(1, 40)))  # pipelined
        for i in range(1, 40):
            assert c.answer(request_id=i).body == str(i).encode()
        c.ask(gateway.variables("/query?b"), keep=False)
        assert c.answer().body == b"b"
        assert c.at_end()


def test_fastcgi_records_beside_the_request(behind):
    server = behind(gateway.FastCgi)
    with gateway.FastCgi(server.front) as c:
        c.send(gateway.record(9, 0, c.pairs({"FCGI_MPXS_CONNS": ""})))
        assert c.record() == (gateway.GET_VALUES_RESULT, 0, c.pairs({"FCGI_MPXS_CONNS": "0"}))
        c.send(gateway.record(77, 0))
        assert c.record() == (gateway.UNKNOWN_TYPE, 0, b"\x4d" + bytes(7))
        whole = c.request(gateway.variables("/query?a"))
        c.send(whole[:-8] + gateway.begin(2))
        assert c.record() == (gateway.END_REQUEST, 2, struct.pack(">IB3x", 0, 1))
        c.send(whole[-8:])
        assert c.answer().body == b"a"
        c.send(whole[:-8] + gateway.record(2, 1))  # aborted
        assert c.record() == (gateway.END_REQUEST, 1, bytes(8))
        assert c.at_end()
    with gateway.FastCgi(server.front) as c:
        c.send(gateway.begin(1, role=2))
        assert c.record() == (gateway.END_REQUEST, 1, struct.pack(">IB3x", 0, 3))
        assert c.at_end()


def test_address_of_two_protocols(instance):
    server = instance("socket = {folder}/s\nfastcgi-socket = {folder}/s\n" + WEB, wait=False)
    assert server.wait() == 1
    assert server.log.find(r"cannot start: fastcgi-socket: .*another protocol too \(socket\)")


NGINX = """
daemon off; pid {folder}/nginx.pid; error_log stderr notice; worker_processes 1;
events {}
http {
    access_log off; client_max_body_size 10m;
    client_body_temp_path {folder}/n1; proxy_temp_path {folder}/n2; fastcgi_temp_path {folder}/n3;
    uwsgi_temp_path {folder}/n4; scgi_temp_path {folder}/n5;
    upstream kept { server unix:{folder}/f; keepalive 4; }
    server {
        listen unix:{folder}/nginx.sock;
        location /uwsgi/ { include /etc/nginx/uwsgi_params; uwsgi_pass unix:{folder}/u;
                           uwsgi_param SCRIPT_NAME /uwsgi; }
        location /scgi/ { include /etc/nginx/scgi_params; scgi_pass unix:{folder}/s; }
        location /fastcgi/ { include /etc/nginx/fastcgi_params; fastcgi_pass kept;
                             fastcgi_keep_conn on; }
        location /unbuffered/ { include /etc/nginx/fastcgi_params; fastcgi_pass kept;
                                fastcgi_keep_conn on; fastcgi_request_buffering off;
                                fastcgi_buffering off; }
    }
}
"""


@pytest.fixture
def nginx(instance, start, configure, folder):
    """nginx in front of one instance by all three protocols; its address."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    instance("uwsgi-socket = {folder}/u\nscgi-socket = {folder}/s\nfastcgi-socket = {folder}/f\n"
             "mount = /uwsgi={apps}/python/web.py\nmount = /scgi={apps}/python/web.py\n"
             "mount = /fastcgi={apps}/python/web.py\nmount = /unbuffered={apps}/python/web.py\n")
    config = configure("nginx.conf", NGINX)
    server = start("-e", "stderr", "-p", folder, "-c", config, program=program)
    server.wait_line("start worker process ")
    return str(folder / "nginx.sock")


@pytest.mark.parametrize("way", ["uwsgi", "scgi", "fastcgi", "unbuffered"])
def test_nginx(nginx, way):
    with client.Connection(nginx) as c:
        environ = json.loads(c.request(f"/{way}/environ?a=b").body)
        assert environ["SCRIPT_NAME"] == f"/{way}" and environ["PATH_INFO"] == "/environ"
        assert environ["REQUEST_URI"] == f"/{way}/environ?a=b"
        assert environ["HTTP_HOST"] == "test" and environ["wsgi.url_scheme"] == "http"
        assert environ["REMOTE_ADDR"] == "unix:"
        for size in (0, 10, 1_000_000):
            data = pattern(size)
            assert c.request(f"/{way}/echo", "POST", body=data).body == data
            assert c.request(f"/{way}/stream?n={size}&size=9999").body == data
            assert c.request(f"/{way}/bytes?n={size}").body == data
        answer = c.request(f"/{way}/digest", "POST", fields=[("Transfer-Encoding", "chunked")],
                           body=b"3\r\nabc\r\n0\r\n\r\n")
        assert json.loads(answer.body)["sha256"] == hashlib.sha256(b"abc").hexdigest()
        assert c.request(f"/{way}/bytes?n=5", "HEAD").body == b""
        assert c.request(f"/{way}/status?is=304%20Not%20Modified").status == 304
        assert c.request(f"/{way}/fail").status == 500
