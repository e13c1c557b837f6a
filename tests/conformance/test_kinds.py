# SPDX-License-Identifier: MIT
"""The suite itself: which kinds of sockets this liege has, the bytes that the clients of the suite
write, and whether what they send in pieces arrives in pieces."""
import pathlib
import re
import select
import socket
import ssl
import threading

import pytest

from harness import client

from . import cgi, delivery, fastcgi, kinds, scgi, tls, uwsgi


@pytest.mark.parametrize("kind_class", kinds.KINDS, ids=lambda k: k.name)
def test_liege_has_it(kind_class, shared):
    assert shared(kind_class).ask("/a")["environ"]["PATH_INFO"] == "/a"
    shared(kind_class).seen()


def test_uwsgi_bytes():
    assert uwsgi.encode({b"A": b"bc", b"D": b""}, b"body") == \
        b"\0\x0c\0\0" b"\1\0A\2\0bc" b"\1\0D\0\0" b"body"


def test_scgi_bytes():
    """The example of the protocol's own description."""
    assert scgi.encode({b"REQUEST_METHOD": b"POST", b"CONTENT_LENGTH": b"27",
                        b"REQUEST_URI": b"/deepthought"}, b"What is the answer to life?") == \
        b"70:CONTENT_LENGTH\00027\0SCGI\0001\0REQUEST_METHOD\0POST\0REQUEST_URI\0/deepthought\0," \
        b"What is the answer to life?"


def test_fastcgi_bytes():
    """As in appendix B of the specification."""
    assert fastcgi.encode({b"A": b"b" * 200}, b"hi") == \
        b"\1\1\0\1\0\x08\0\0" b"\0\1\0\0\0\0\0\0" \
        b"\1\4\0\1\0\xce\0\0" b"\1\x80\0\0\xc8A" + b"b" * 200 + b"\1\4\0\1\0\0\0\0" \
        b"\1\5\0\1\0\2\0\0hi" b"\1\5\0\1\0\0\0\0"


@pytest.mark.parametrize("data, status, body", [
    (b"Status: 404 Not Found\r\nContent-Type: a/b\r\n\r\nbody", 404, b"body"),
    (b"HTTP/1.1 500 Oh\r\nContent-Length: 4\r\n\r\nbody", 500, b"body"),
    (b"Content-Type: a/b\r\n\r\n", 200, b""),
])
def test_answers_of_gateways(data, status, body):
    answer = cgi.response(None, "GET", data)
    assert (answer.status, answer.body) == (status, body)


@pytest.mark.parametrize("data", [
    b"", b"Status: 200 OK\r\n", b"Status: 200 OK\n\n", b"HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbody", b"garbage\r\n\r\n",
])
def test_what_is_no_answer_of_a_gateway(data):
    with pytest.raises(client.ProtocolError):
        cgi.response(None, "GET", data)


@pytest.mark.parametrize("where", ["unix", "tcp"])
def test_unread_bytes_are_counted(where, folder):
    """Until they are read, or nobody can read them any more."""
    address = f"{folder}/s" if where == "unix" else ("127.0.0.1", 0)
    with socket.socket(socket.AF_UNIX if where == "unix" else socket.AF_INET) as listener:
        listener.bind(address)
        listener.listen()
        with socket.socket(listener.family) as sender:
            sender.connect(listener.getsockname())
            receiver, _ = listener.accept()
            with receiver:
                assert delivery.unread(sender) == 0
                sender.sendall(b"hello")
                select.select([receiver], [], [])
                assert delivery.unread(sender) > 0
                receiver.recv(5)
                assert delivery.unread(sender) == 0
                sender.sendall(b"never read")
            assert delivery.unread(sender) == 0


def test_the_ways_are_the_same_bytes():
    data = b"POST / HTTP/1.1\r\nA: b\r\n\r\n5;x\r\nhello\r\n"
    found = dict(delivery.ways(data))
    assert all(b"".join(pieces) == data for pieces in found.values())
    assert found["in one piece"] == [data]
    assert all(len(p) == 1 for p in found["byte by byte"])
    assert [data[:16], data[16:]] in found.values()  # between CR and LF
    assert b"POST" in found["cut at all places"] and b"HTTP" in found["cut at all places"]


def test_a_tls_client_can_end_its_half(folder):
    """It says that no more comes, and still takes what does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*tls.make_certificate(folder))
    heard = []

    def serve(listener):
        raw, _ = listener.accept()
        with context.wrap_socket(raw, server_side=True) as s:
            heard.append(b"".join(iter(lambda: s.recv(100), b"")))
            s.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        with tls.Connection("127.0.0.1:%d" % listener.getsockname()[1]) as c:
            delivery.deliver(c, [b"he", b"llo"])
            c.end_sending()
            assert c.response().status == 204
            assert c.at_end()
        server.join()
    assert heard == [b"hello"]


def test_the_tests_that_the_list_names_are_there():
    """README.md promises a test for each failure."""
    here = pathlib.Path(__file__).parent
    named = re.findall(r"`(?:([\w./]+)::)?(test_\w+)`", (here / "README.md").read_text())
    assert len(named) > 50
    for file, test in named:
        text = (here / (file or "test_regressions.py")).read_text()
        assert f"def {test}(" in text, (file, test)
