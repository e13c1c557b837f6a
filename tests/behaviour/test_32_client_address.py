# SPDX-License-Identifier: MIT
"""Who the client is behind a proxy: what a trusted proxy says of it in headers or with the PROXY
protocol, and that nobody else can say it."""
import json
import signal
import socket
import struct

import pytest

from harness import proc, says
from harness.client import Connection, request_bytes

WEB = "wsgi-file = {apps}/python/web.py\n"
PROXY, STRANGER = "127.0.0.9", "127.0.0.8"
ABOUT_CLIENTS = [
    ("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil"),
    ("X-Forwarded-Port", "1"), ("X-Forwarded-Prefix", "/p"), ("X-Forwarded-Ssl", "on"),
    ("Forwarded", "for=192.0.2.1;proto=https"), ("X-Real-IP", "192.0.2.1"),
    ("X-Client-IP", "192.0.2.1"),
]


@pytest.fixture
def served(instance, free_address):
    """served(settings) -> the address of a server on TCP."""
    def start(settings, **kw):
        at = free_address()
        instance(f"http-socket = {at}\n{WEB}{settings}", **kw)
        return at
    return start


@pytest.fixture
def served_on(instance, folder, free_address):
    """served_on("tcp4", settings) -> a server and its address; also "tcp6" and "unix"."""
    def start(where, settings):
        at = {"tcp4": free_address(), "tcp6": "[::1]:0", "unix": f"{folder}/s"}[where]
        server = instance(f"http-socket = {at}\n{WEB}{settings}")
        if where == "tcp6":  # the kernel found a port
            [(host, port)] = proc.listening(server.pid)
            at = f"[{host}]:{port}"
        return server, at
    return start


def environ_over(connection, fields=(), target="/environ"):
    answer = connection.request(target, fields=fields)
    assert answer.status == 200, answer
    return json.loads(answer.body)


def environ_from(source, address, *fields):
    with Connection(address, source=source) as c:
        return environ_over(c, fields)


def client_of(environ):
    return environ["REMOTE_ADDR"], environ["REMOTE_PORT"], environ["wsgi.url_scheme"]


# Headers

@pytest.mark.plain
@pytest.mark.parametrize("where", ["tcp4", "tcp6", "unix"])
def test_a_trusted_proxy_says_who_the_client_is(served_on, where):
    server, at = served_on(where, "trusted-proxy = 127.0.0.0/8, ::1, unix")
    environ = environ_from(None, at, ("X-Forwarded-For", "2001:DB8::7"),
                           ("X-Forwarded-Proto", "https"))
    assert client_of(environ) == ("2001:db8::7", "", "https")
    assert environ["HTTPS"] == "on"
    assert environ["HTTP_X_FORWARDED_FOR"] == "2001:DB8::7"
    server.wait_line(r"2001:db8::7\b.*/environ")


def test_psgi_sees_the_same(instance):
    server = instance("psgi = {apps}/perl/kinds.psgi\ntrusted-proxy = unix")
    with Connection(server.address) as c:
        answer = c.request("/env", fields=[("X-Forwarded-For", "192.0.2.1:99"),
                                           ("X-Forwarded-Proto", "https")])
    env = dict(line.split("=", 1) for line in answer.body.decode().splitlines())
    assert (env["REMOTE_ADDR"], env["REMOTE_PORT"]) == ("192.0.2.1", "99")
    assert env["psgi.url_scheme"] == "https"


@pytest.mark.plain
def test_nobody_else_is_believed(served):
    """Nor does the application see what others say, in whatever spelling."""
    at = served(f"trusted-proxy = {PROXY}\ntrusted-proxy-headers = x-forwarded-for, forwarded, "
                "x-forwarded-host, x-forwarded-port, x-real-ip")
    environ = environ_from(STRANGER, at, *ABOUT_CLIENTS, ("X_Forwarded_For", "192.0.2.1"),
                           ("x-forwarded-FOR", "192.0.2.1"))
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == (STRANGER, "http")
    assert (environ["HTTP_HOST"], environ["SERVER_PORT"]) == ("test", at.split(":")[1])
    assert not [k for k in environ if "FORWARDED" in k or k.endswith("_IP")]
    assert environ_from(PROXY, at, ABOUT_CLIENTS[0])["REMOTE_ADDR"] == "192.0.2.1"


def test_the_list_is_read_from_the_right_over_trusted_proxies(served):
    at = served("trusted-proxy = 127.0.0.0/8\ntrusted-proxy = 10.0.0.0/8")
    for value, client in [("203.0.113.9, 192.0.2.1", "192.0.2.1"),
                          ("203.0.113.9, 192.0.2.1, 10.2.3.4, ::ffff:10.2.3.5", "192.0.2.1"),
                          ("junk, 192.0.2.1:80, 10.2.3.4", "192.0.2.1"),
                          ("10.9.9.9, 10.2.3.4", "10.9.9.9"),
                          ("192.0.2.1, unknown", "")]:
        assert environ_from(None, at, ("X-Forwarded-For", value))["REMOTE_ADDR"] == client
    environ = environ_from(None, at, ("X-Forwarded-For", "203.0.113.9"),
                           ("x-forwarded-for", "192.0.2.1, 10.0.0.1"))
    assert environ["REMOTE_ADDR"] == "192.0.2.1"


def test_all_trusts_every_peer_and_no_hop(served):
    at = served("trusted-proxy = all")
    environ = environ_from(STRANGER, at, ("X-Forwarded-For", "203.0.113.9, 192.0.2.1"))
    assert environ["REMOTE_ADDR"] == "192.0.2.1"


def test_only_the_headers_that_proxies_write_count(served):
    """The others come from clients, through the proxy."""
    at = served(f"trusted-proxy = {PROXY}")
    environ = environ_from(PROXY, at, *ABOUT_CLIENTS)
    assert client_of(environ) == ("192.0.2.1", "", "https")
    assert (environ["HTTP_HOST"], environ["SERVER_PORT"]) == ("test", at.split(":")[1])
    assert {k for k in environ if "FORWARDED" in k or k.endswith("_IP")} == {
        "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO"}


def test_host_and_port(served):
    at = served("trusted-proxy = 127.0.0.0/8\ntrusted-proxy-headers = x-forwarded-host\n"
                "trusted-proxy-headers = x-forwarded-port, x-forwarded-prefix")
    environ = environ_from(None, at, *ABOUT_CLIENTS[:2],
                           ("X-Forwarded-Host", "first, shop.example"),
                           ("X-Forwarded-Port", "8443"), ("X-Forwarded-Prefix", "/p"))
    assert (environ["HTTP_HOST"], environ["SERVER_PORT"]) == ("shop.example", "8443")
    assert environ["HTTP_X_FORWARDED_PREFIX"] == "/p"
    assert "HTTP_X_FORWARDED_FOR" not in environ and environ["REMOTE_ADDR"].startswith("127.")
    with Connection(at) as c:  # without a Host field
        c.send(b"GET /environ HTTP/1.0\r\nX-Forwarded-Host: shop.example\r\n\r\n")
        assert json.loads(c.response().body)["HTTP_HOST"] == "shop.example"


def test_forwarded_of_rfc_7239(served):
    at = served("trusted-proxy = 127.0.0.0/8 10.0.0.0/8\ntrusted-proxy-headers = forwarded")
    environ = environ_from(None, at, ("Forwarded", 'for=203.0.113.9;proto=http'),
                           ("Forwarded", 'for="[2001:db8::1]:4711";proto=https;'
                                         'host="shop.example:444"'),
                           ("Forwarded", "for=10.1.1.1;by=_b;proto=http;host=inner"))
    assert client_of(environ) == ("2001:db8::1", "4711", "https")
    assert environ["HTTP_HOST"] == "shop.example:444"
    for hidden in ("for=unknown", "for=_secret", 'for="_secret:_port"'):
        assert environ_from(None, at, ("Forwarded", hidden))["REMOTE_ADDR"] == ""


@pytest.mark.parametrize("fields", [
    [("X-Forwarded-For", "192.0.2.1, nonsense")],
    [("X-Forwarded-Proto", "ftp")],
    [("X-Forwarded-Host", "a b")],
    [("X-Forwarded-Port", "99999")],
    [("Forwarded", 'for="192.0.2.1')],
    [("Forwarded", "for=192.0.2.1;for=192.0.2.2")],
    [("Forwarded", "for=192.0.2.1"), ("X-Forwarded-For", "192.0.2.2")],
    [("Forwarded", "for=192.0.2.1"), ("X-Forwarded-Proto", "https")],
], ids=lambda fields: fields[0][0] + str(len(fields)))
def test_what_cannot_be_is_answered_400(served, fields):
    """One client's request: those of others on the same connection go on."""
    at = served("trusted-proxy = 127.0.0.0/8\ntrusted-proxy-headers = x-forwarded-for "
                "x-forwarded-proto x-forwarded-host x-forwarded-port forwarded")
    with Connection(at) as c:
        for body in (None, b"body"):
            answer = c.request("/pid", "POST" if body else "GET", fields, body)
            assert (answer.status, answer.close) == (400, False)
        good = environ_over(c, [("X-Forwarded-For", "192.0.2.5")])
        assert good["REMOTE_ADDR"] == "192.0.2.5"
        assert json.loads(c.request("/calls").body) == ["/environ"]


def test_each_request_of_a_connection_has_its_own_client(served):
    at = served("trusted-proxy = 127.0.0.0/8")
    with Connection(at) as c:
        c.send(b"".join(request_bytes("/environ", fields=f) for f in (
            [("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-Proto", "https")], [],
            [("X-Forwarded-For", "192.0.2.2")])))
        got = [json.loads(c.response().body) for _ in range(3)]
    assert [(e["REMOTE_ADDR"], e["wsgi.url_scheme"]) for e in got] == [
        ("192.0.2.1", "https"), (got[1]["REMOTE_ADDR"], "http"), ("192.0.2.2", "http")]
    assert got[1]["REMOTE_ADDR"].startswith("127.") and "HTTPS" not in got[1]


def test_without_trusted_proxy_headers_are_passed_on_and_mean_nothing(served):
    environ = environ_from(STRANGER, served(""), *ABOUT_CLIENTS)
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == (STRANGER, "http")
    for name, value in ABOUT_CLIENTS:
        assert environ["HTTP_" + name.upper().replace("-", "_")] == value


def test_with_nobody_trusted_none_reaches_the_application(served):
    environ = environ_from(STRANGER, served("trusted-proxy = none"), *ABOUT_CLIENTS)
    assert environ["REMOTE_ADDR"] == STRANGER
    assert not [k for k in environ if "FORWARDED" in k or k.endswith("_IP")]


@pytest.mark.parametrize("line, message", [
    ("trusted-proxy = 10.0.0.0/33", r"trusted-proxy: '10\.0\.0\.0/33' is no network; accepted are"),
    ("trusted-proxy = *", r"trusted-proxy: '\*' is no network; .* all \(every peer\)"),
    ("trusted-proxy = 10.0.0.1/8", r"trusted-proxy: .* network 10\.0\.0\.0/8: write that"),
    ("proxy-protocol = proxy.example", r"proxy-protocol: 'proxy\.example' is no network"),
    ("trusted-proxy-headers = x-real", r"trusted-proxy-headers: 'x-real' is no header"),
])
def test_a_value_that_is_none_is_an_error_with_its_place(instance, line, message):
    server = instance(f"{WEB}{line}", wait=False)
    assert server.wait() == 1
    assert server.log.find(rf"app\.ini:4: {message}")


# The PROXY protocol

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V1 = b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"


def v2(command=1, family=0x11, source="192.0.2.1", port=56324, tlvs=b""):
    """A header of version 2; the destination is the source."""
    kind = {1: socket.AF_INET, 2: socket.AF_INET6}.get(family >> 4)
    block = b""
    if kind:
        block = 2 * socket.inet_pton(kind, source) + struct.pack("!HH", port, 443)
    block += tlvs
    return SIGNATURE + struct.pack("!BBH", 0x20 | command, family, len(block)) + block


def tls(client):
    return struct.pack("!BHBI", 0x20, 5, client, 0)


@pytest.mark.plain
@pytest.mark.parametrize("where", ["tcp4", "tcp6", "unix"])
@pytest.mark.parametrize("header, client", [
    (V1, ("192.0.2.1", "56324", "http")),
    (b"PROXY TCP6 2001:DB8::1 ::1 4711 80\r\n", ("2001:db8::1", "4711", "http")),
    (b"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 4711 80\r\n", ("192.0.2.1", "4711", "http")),
    (v2(), ("192.0.2.1", "56324", "http")),
    (v2(family=0x21, source="2001:db8::1"), ("2001:db8::1", "56324", "http")),
    (v2(tlvs=b"\4\0\3abc" + tls(1)), ("192.0.2.1", "56324", "https")),
    (v2(tlvs=tls(0)), ("192.0.2.1", "56324", "http")),
    (v2(tlvs=b"\4" + struct.pack("!H", 3000) + b"x" * 3000), ("192.0.2.1", "56324", "http")),
    (v2(family=0x31, tlvs=bytes(216)), ("", "", "http")),
], ids=lambda v: "" if isinstance(v, tuple) else f"v{1 + (v[:5] != b'PROXY')}")
def test_a_proxy_header_says_who_the_client_is(served_on, where, header, client):
    server, at = served_on(where, "proxy-protocol = 127.0.0.0/8, ::1, unix")
    with Connection(at) as c:
        c.send(header + request_bytes("/environ") + request_bytes("/environ"))
        for _ in range(2):
            assert client_of(json.loads(c.response().body)) == client
        assert client_of(environ_over(c)) == client
    if client[0]:
        server.wait_line(rf"{client[0]}\b.*/environ")


@pytest.mark.parametrize("header", [V1, v2(tlvs=tls(1)), b"PROXY UNKNOWN x\r\n"],
                         ids=["v1", "v2", "unknown"])
def test_a_proxy_header_may_come_in_pieces(served, header):
    at = served("proxy-protocol = 127.0.0.0/8")
    whole = header + request_bytes("/environ")
    with Connection(at, source=PROXY) as c:
        c.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(len(whole)):
            c.send(whole[i:i + 1])
        expected = PROXY if b"UNKNOWN" in header else "192.0.2.1"
        assert json.loads(c.response().body)["REMOTE_ADDR"] == expected
        assert environ_over(c)["REMOTE_ADDR"] == expected


@pytest.mark.parametrize("header", [
    v2(command=0, family=0), v2(command=0), v2(family=0), b"PROXY UNKNOWN\r\n",
], ids=["local", "local-with-addresses", "unspec", "unknown"])
def test_a_proxy_may_speak_for_itself(served, header):
    at = served("proxy-protocol = 127.0.0.0/8")
    with Connection(at, source=PROXY) as c:
        c.send(header)
        assert environ_over(c)["REMOTE_ADDR"] == PROXY


@pytest.mark.parametrize("data", [
    request_bytes("/pid"), b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\n" + request_bytes("/pid"),
    b"PROXY TCP4 192.0.2.300 198.51.100.2 56324 443\r\n" + request_bytes("/pid"),
    b"PROXY UNKNOWN " + b"x" * 100, SIGNATURE + b"\x31\x11\0\0" + request_bytes("/pid"),
    v2(tlvs=b"\3\0\4abcd") + request_bytes("/pid"), SIGNATURE + b"\x21\x11\xff\xff",
    b"\x16\x03\x01\x02\x00",
], ids=["none", "lf", "address", "long", "version", "crc", "huge", "tls"])
def test_who_must_send_a_proxy_header_and_does_not_is_closed(instance, free_address, data):
    at = free_address()
    server = instance(f"http-socket = {at}\n{WEB}proxy-protocol = {PROXY}")
    with Connection(at, source=PROXY) as c:
        c.send(data)
        try:
            assert c.to_end() == b""
        except ConnectionResetError:
            pass  # it had not read all of it
    server.wait_line(rf"{PROXY}: closed: .*PROXY")
    with Connection(at, source=STRANGER) as c:
        assert json.loads(c.request("/calls").body) == []


def test_others_are_served_as_ever_and_may_not_send_one(served):
    at = served(f"proxy-protocol = {PROXY}")
    with Connection(at, source=STRANGER) as c:
        assert environ_over(c)["REMOTE_ADDR"] == STRANGER
    for header in (V1, v2()):
        with Connection(at, source=STRANGER) as c:
            c.send(header + request_bytes("/pid"))
            answer = c.response()
            assert (answer.status, answer.close) == (400, True)
            assert c.at_end()


def test_only_the_first_header_of_a_connection_counts(served):
    at = served("proxy-protocol = 127.0.0.0/8")
    second = V1.replace(b"192.0.2.1", b"192.0.2.9")
    for middle in (b"", request_bytes("/environ")):
        with Connection(at) as c:
            c.send(V1 + middle + second + request_bytes("/environ"))
            if middle:
                assert json.loads(c.response().body)["REMOTE_ADDR"] == "192.0.2.1"
            assert c.response().status == 400
            assert c.at_end()


def test_a_proxy_that_sends_half_a_header_is_not_waited_for_for_ever(served):
    at = served("proxy-protocol = 127.0.0.0/8\nhttp-timeout = 200ms")
    with Connection(at) as c:
        c.send(V1[:20])
        assert c.to_end() == b""


def test_connections_that_end_before_the_header_does_harm_nobody(served):
    at = served("proxy-protocol = 127.0.0.0/8")
    for part in (b"", V1[:-1], v2()[:14], v2()[:-1], V1):
        with Connection(at) as c:
            c.send(part)
            c.end_sending()
            assert c.to_end() == b""
    with Connection(at) as c:
        c.send(V1)
        assert environ_over(c)["REMOTE_ADDR"] == "192.0.2.1"


def test_headers_count_if_the_proxy_header_names_a_trusted_proxy(served):
    """A load balancer passes bytes of a proxy that writes headers."""
    at = served(f"proxy-protocol = {PROXY}\ntrusted-proxy = 10.0.0.0/8")
    for middle, client in (("10.0.0.5", "192.0.2.7"), ("203.0.113.5", "203.0.113.5")):
        with Connection(at, source=PROXY) as c:
            c.send(v2(source=middle, tlvs=tls(1)))
            environ = environ_over(c, [("X-Forwarded-For", "192.0.2.7")])
            assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == (client, "https")
    with Connection(at, source=PROXY) as c:  # it is no trusted proxy itself
        c.send(v2(command=0))
        assert environ_over(c, [("X-Forwarded-For", "192.0.2.7")])["REMOTE_ADDR"] == PROXY


def test_a_reload_takes_a_new_list(instance, free_address):
    at = free_address()
    server = instance(f"http-socket = {at}\n{WEB}trusted-proxy = {STRANGER}")
    assert environ_from(PROXY, at, ABOUT_CLIENTS[0])["REMOTE_ADDR"] == PROXY
    server.config.write_text(server.config.read_text().replace(STRANGER, PROXY))
    mark = server.log.mark()
    server.kill(signal.SIGHUP)
    server.wait_line(says.ended(1), after=mark)
    assert environ_from(PROXY, at, ABOUT_CLIENTS[0])["REMOTE_ADDR"] == "192.0.2.1"


def test_a_connection_keeps_its_client_over_a_reload(instance, free_address):
    """It goes to the new generation: after a header, before one, and in the middle of one."""
    at = free_address()
    server = instance(f"http-socket = {at}\n{WEB}proxy-protocol = {PROXY}\n"
                      "trusted-proxy = 10.0.0.5")
    with Connection(at, source=PROXY) as after, Connection(at, source=PROXY) as before, \
            Connection(at, source=PROXY) as middle, Connection(at, source=STRANGER) as stranger:
        after.send(v2(source="10.0.0.5", tlvs=tls(1)))
        assert environ_over(after, ABOUT_CLIENTS[:1])["REMOTE_ADDR"] == "192.0.2.1"
        assert environ_over(stranger)["REMOTE_ADDR"] == STRANGER
        middle.send(V1[:20])
        mark = server.log.mark()
        server.kill(signal.SIGHUP)
        server.wait_line(says.serving(2), after=mark)
        middle.send(V1[20:])
        before.send(V1)
        assert client_of(environ_over(after)) == ("10.0.0.5", "56324", "https")
        assert client_of(environ_over(after, ABOUT_CLIENTS[:1])) == ("192.0.2.1", "", "https")
        assert client_of(environ_over(before)) == ("192.0.2.1", "56324", "http")
        assert client_of(environ_over(middle)) == ("192.0.2.1", "56324", "http")
        assert client_of(environ_over(stranger))[0] == STRANGER
    server.wait_line(says.ended(1), after=mark)
