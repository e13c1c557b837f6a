# SPDX-License-Identifier: MIT
"""HTTPS as its clients see it (curl, openssl, Python), and what an operator sees of certificates:
those that are missing, wrong, renewed, or may not be read any more."""
import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess

import pytest

from harness import says
from harness.certificates import Authority, openssl
from harness.client import Connection, get, request_bytes
from harness.data import pattern
from harness.load import Load
from harness.meeting import Meeting
from harness.programs import PATIENCE

WEB = "wsgi-file = {apps}/python/web.py\n"
MIB = 1024 * 1024


@pytest.fixture
def authority(folder):
    return Authority(folder)


@pytest.fixture
def certificate(authority):
    return authority.issue("server")


@pytest.fixture
def https(instance, certificate, free_address):
    """https(settings, more=",CIPHERS,CA") -> a server of tests/apps/python/web.py."""
    def start(settings="", more="", app=WEB, **kw):
        at = free_address()
        server = instance(f"https-socket = {at},{certificate[0]},{certificate[1]}{more}\n"
                          f"{app}{settings}", **kw)
        server.address = at
        return server
    return start


@pytest.fixture
def tls(authority):
    return authority.client()


def reload_to(server, generation):
    server.kill(signal.SIGHUP)
    server.wait_line(says.serving(generation))


def environ(server, tls):
    return json.loads(get(server.address, "/environ", tls=tls).body)


# Clients

@pytest.mark.plain
def test_curl(https, authority):
    """It offers HTTP/2 too, and is told that HTTP/1.1 is spoken."""
    host, port = https().address.split(":")
    done = subprocess.run(["curl", "-sS", "--cacert", authority.pem, "--resolve",
                           f"localhost:{port}:{host}", "-w", "%{http_version} %{ssl_verify_result}",
                           f"https://localhost:{port}/"], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("hello\n1.1 0", "")


@pytest.mark.parametrize("arguments, says_so", [
    (["-tls1_2"], "Protocol  : TLSv1.2"),
    (["-tls1_3"], "Protocol  : TLSv1.3"),
    (["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], "alert protocol version"),
    (["-alpn", "http/1.1"], "ALPN protocol: http/1.1"),
    (["-alpn", "h2"], "alert no application protocol"),
    (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"], "alert handshake failure"),
    (["-tls1_2", "-cipher", "AES128-SHA"], "alert handshake failure"),
])
def test_what_is_agreed_on(https, arguments, says_so):
    done = subprocess.run(["openssl", "s_client", "-connect", https().address, "-ign_eof",
                           *arguments], input="GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                          capture_output=True, text=True, timeout=PATIENCE)
    assert says_so in done.stdout + done.stderr
    assert ("hello" in done.stdout) == ("alert" not in says_so)


def test_the_environ(https, tls):
    server = https()
    env = environ(server, tls)
    host, port = server.address.split(":")
    expected = {"wsgi.url_scheme": "https", "HTTPS": "on", "SERVER_NAME": host, "SERVER_PORT": port,
                "SSL_PROTOCOL": "TLSv1.3", "SSL_CIPHER": "TLS_AES_256_GCM_SHA384"}
    assert {k: env.get(k) for k in expected} == expected
    assert "SSL_CLIENT_VERIFY" not in env


def test_the_environ_of_psgi(https, tls):
    server = https(app="psgi = {folder}/app.psgi\n", files={"app.psgi": """
        sub { [200, [], [join ' ', map { $_[0]{$_} } qw(psgi.url_scheme SSL_PROTOCOL)]] };
    """})
    assert get(server.address, tls=tls).body == b"https TLSv1.3"


def test_plain_http_beside_it(https, tls, folder):
    server = https("http-socket = {folder}/plain")
    env = json.loads(get(folder / "plain", "/environ").body)
    assert env["wsgi.url_scheme"] == "http"
    assert not [k for k in env if k.startswith(("SSL_", "HTTPS"))]
    assert environ(server, tls)["HTTPS"] == "on"
    assert not [k for k in json.loads(get(folder / "plain", "/environ").body) if "SSL" in k]


# Connections

@pytest.mark.plain
def test_a_connection_serves_many_requests(https, tls):
    with Connection(https().address, tls=tls) as c:
        for n in range(20):
            assert c.request(f"/query?{n}").body == b"%d" % n
        c.send(b"".join(request_bytes(f"/query?{n}") for n in range(50)))
        for n in range(50):
            assert c.response().body == b"%d" % n
        assert c.request(fields=[("Connection", "close")]).close
        assert c.at_end()  # announced: else it would be an error


def test_a_request_in_as_many_records_as_bytes(https, tls):
    with Connection(https().address, tls=tls) as c:
        for _ in range(2):
            for byte in request_bytes("/echo", "POST", body=b"body"):
                c.send(bytes([byte]))
            assert c.response().body == b"body"


@pytest.mark.plain
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_large_bodies(https, authority, folder, version):
    data = pattern(5 * MIB)
    (folder / "file").write_bytes(data)
    with Connection(https().address, tls=authority.client(version=version)) as c:
        assert c.request("/echo", "POST", body=data).body == data
        assert c.request(f"/bytes?n={5 * MIB}").body == data
        assert c.request(f"/stream?n={5 * MIB}&size=3000").body == data
        assert c.request(f"/file?path={folder}/file").body == data
        assert c.request(f"/file?path={folder}/file&from=12345").body == data[12345:]
        assert c.request().body == b"hello\n"


@pytest.mark.parametrize("target", ["/bytes?n={n}", "/file?path={folder}/file"])
def test_slow_readers(https, tls, folder, target):
    """They do not keep others waiting, and get all of it."""
    n = 8 * MIB
    (folder / "file").write_bytes(pattern(n))
    server = https()
    readers = [Connection(server.address, tls=tls) for _ in range(3)]
    for c in readers:
        c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        c.send(request_bytes(target.format(n=n, folder=folder)))
        c.wait_input()
    assert get(server.address, tls=tls).body == b"hello\n"
    for c in readers:
        assert c.response().body == pattern(n)
        c.close()


def test_requests_behind_a_slow_one_have_their_turn(https, tls, folder):
    """They stay with their worker, whose loop goes on meanwhile."""
    server = https()
    with Meeting(folder) as meeting, Connection(server.address, tls=tls) as slow:
        slow.send(request_bytes(meeting.target))
        visitor = meeting.arrive()
        others = [Connection(server.address, tls=tls) for _ in range(5)]  # shakes hands
        for n, c in enumerate(others):
            c.send(request_bytes(f"/query?{n}"))
        visitor.release()
        assert slow.response().body == b"released"
        for n, c in enumerate(others):
            assert c.response().body == b"%d" % n
            c.close()


def test_a_body_that_is_cut_looks_cut(https, tls):
    server = https(app="wsgi-file = {folder}/app.py\n", files={"app.py": """
def application(environ, start_response):
    start_response("200 OK", [])
    yield b"x" * 1000
    raise ValueError("in the middle")
"""})
    with Connection(server.address, tls=tls) as c:
        with pytest.raises((ssl.SSLEOFError, ConnectionResetError)):
            c.request(version="1.0")


def test_plain_http_gets_an_answer_that_it_understands(https):
    server = https()
    with Connection(server.address) as c:
        answer = c.request()
        assert answer.status == 400 and answer.close
        assert answer.get("Content-Type") == "text/plain"
        assert c.at_end()
    server.wait_line("answered 400: plain HTTP on an https-socket")


@pytest.mark.parametrize("first", [b"", b"\x16\x03\x01", b"\x00\x01\x02\x03\x04\x05"])
def test_who_does_not_shake_hands_is_in_nobodys_way(https, tls, first):
    server = https("http-timeout = 1")
    with Connection(server.address) as c:
        c.send(first)
        assert get(server.address, tls=tls).body == b"hello\n"
        with contextlib.suppress(ConnectionResetError):
            c.to_end()


def test_a_proxy_that_passes_tls_says_for_whom(https, tls):
    server = https("proxy-protocol = 127.0.0.0/8\nhttp-timeout = 1")
    header = b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"
    with Connection(server.address, tls=tls, first=header) as c:
        for _ in range(2):
            env = json.loads(c.request("/environ").body)
            assert (env["REMOTE_ADDR"], env["REMOTE_PORT"]) == ("192.0.2.1", "56324")
            assert (env["wsgi.url_scheme"], env["HTTPS"]) == ("https", "on")
    with Connection(server.address) as c:  # in pieces: the kernel tells of more, not of what is here
        for byte in header:
            c.send(bytes([byte]))
        c.socket = tls.wrap_socket(c.socket, server_hostname="localhost")
        assert json.loads(c.request("/environ").body)["REMOTE_ADDR"] == "192.0.2.1"
    for first in [b"", header[:20], b"PROXY NONSENSE\r\n", b"\x16\x03\x01"]:
        with Connection(server.address, first=first) as c:
            if len(first) == 20:
                c.end_sending()
            with contextlib.suppress(ConnectionResetError):
                assert c.to_end() == b""


# Certificates of clients

@pytest.fixture
def alice(authority):
    return authority.issue("alice", "/O=Example, Inc./CN=Alíce")


@pytest.fixture
def mallory(folder):
    (folder / "other").mkdir()
    return Authority(folder / "other").issue("mallory")


ALICE = {"SSL_CLIENT_VERIFY": "SUCCESS", "SSL_CLIENT_S_DN": "CN=Al\\C3\\ADce,O=Example\\, Inc."}


def client_facts(server, tls):
    return {k: v for k, v in environ(server, tls).items() if k.startswith("SSL_CLIENT")}


def test_clients_may_show_a_certificate(https, authority, alice, mallory):
    server = https(more=f",,{authority.pem}")
    assert client_facts(server, authority.client()) == {"SSL_CLIENT_VERIFY": "NONE"}
    assert client_facts(server, authority.client(alice)) == ALICE
    with pytest.raises(ssl.SSLError, match="alert unknown ca"):
        environ(server, authority.client(mallory))


def test_clients_must_show_a_certificate(https, authority, alice, mallory):
    server = https(more=f",,!{authority.pem}")
    assert client_facts(server, authority.client(alice)) == ALICE
    with pytest.raises(ssl.SSLError, match="alert certificate required"):
        environ(server, authority.client())
    with pytest.raises(ssl.SSLError, match="alert unknown ca"):
        environ(server, authority.client(mallory))


# Reloads

@pytest.mark.plain
def test_no_request_fails_during_reloads(https, tls):
    server = https("processes = 2\ndisable-logging = yes")
    with Load(server.address, keep_alive=16, per_request=4, tls=tls) as load:
        load.wait_for(100)
        for generation in range(2, 5):
            reload_to(server, generation)
            load.wait_for(100)
    load.assert_clean()


def test_a_renewed_certificate_is_used_after_a_reload(https, authority, certificate, tls):
    server = https()

    def shown():
        with Connection(server.address, tls=tls) as c:
            return ssl.DER_cert_to_PEM_cert(c.socket.getpeercert(binary_form=True))

    before = shown()
    with Connection(server.address, tls=tls) as c:
        assert c.request().body == b"hello\n"
        renewed = authority.issue("renewed")
        for new, old in zip(renewed, certificate):
            os.rename(new, old)
        assert shown() == before  # not by itself
        reload_to(server, 2)
        server.wait_line("generation 1 has ended|generation 2 serves")
        assert c.request().body == b"hello\n"  # of the old generation
    server.wait_line(says.ended(1))
    assert shown() != before and shown() in certificate[0].read_text()


def test_a_bad_certificate_leaves_the_old_generation_serving(https, certificate, authority, tls):
    server = https()
    good = certificate[0].read_text()
    for bad, complaint in [("", "there is no certificate in PEM format in it"),
                           (good.replace("M", "N", 1), "cannot read a certificate"),
                           (authority.pem.read_text(), "does not belong to the certificate in")]:
        certificate[0].write_text(bad)
        mark = server.log.mark()
        server.kill(signal.SIGHUP)
        server.wait_line(f"{says.RELOAD_FAILED}: https-socket: .*server.*{complaint}", after=mark)
        assert get(server.address, tls=tls).body == b"hello\n"
    certificate[0].write_text(good)
    reload_to(server, 2)
    assert get(server.address, tls=tls).body == b"hello\n"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed_by_all_workers_of_all_generations(https, authority, version):
    tls = authority.client(version=version)
    server = https("processes = 3")
    with Connection(server.address, tls=tls) as c:
        assert not c.socket.session_reused
        c.request()  # the tickets of TLS 1.3 have come with the answer
        session = c.socket.session

    def resumed():
        with Connection(server.address, tls=tls, session=session) as c:
            assert c.request().body == b"hello\n"
            return c.socket.session_reused

    assert all(resumed() for _ in range(9))
    reload_to(server, 2)
    server.wait_line(says.ended(1))
    assert all(resumed() for _ in range(9))


@pytest.mark.needs_root
def test_a_key_that_is_roots_alone(https, certificate, tls):
    """It is read before the privileges go. A reload cannot read it again and goes on with it."""
    certificate[1].chmod(0o600)
    server = https("uid = nobody")
    assert get(server.address, tls=tls).body == b"hello\n"
    for generation in (2, 3):
        reload_to(server, generation)
        server.wait_line(r"server\.key: Permission denied: what was read with more privileges stays",
                         count=generation - 1)
        assert get(server.address, tls=tls).body == b"hello\n"


# Mistakes

@pytest.mark.parametrize("value, complaint", [
    (":0", "the certificate's file is missing; accepted is ADDRESS,CERTIFICATE,KEY"),
    (":0,{cert}", "the key's file is missing"),
    (":0,{cert},{key},HIGH,a,b", "has too many fields"),
    (":0,{folder}/none.pem,{key}", "cannot read .*/none.pem: No such file or directory"),
    (":0,{cert},{folder}", "Is a directory"),
    (":0,{cert},{folder}/locked.key", "locked.key: the key is protected by a password"),
    (":0,{cert},{folder}/ca.key", "ca.key does not belong to the certificate in .*server.pem"),
    (":0,{cert},{key},ROT13", "ROT13: cannot use the ciphers"),
    (":0,{cert},{key},,{folder}/none.pem", "none.pem: No such file"),
    ("nonsense:x,{cert},{key}", "'nonsense:x' is not an address"),
    ("{folder}/s,{cert},{key}\nhttp-socket = {folder}/s", "is there for another protocol too .http-socket.$"),
])
def test_mistakes_are_told_at_the_start(instance, authority, certificate, folder, value, complaint):
    openssl("pkey", "-in", certificate[1], "-aes256", "-passout", "pass:secret", "-out",
            folder / "locked.key")
    value = value.format(cert=certificate[0], key=certificate[1], folder=folder)
    server = instance(f"https-socket = {value}\n{WEB}", wait=False)
    assert server.wait() != 0
    assert server.log.find(f"cannot start: https-socket: .*{complaint}"), server.log.text()
