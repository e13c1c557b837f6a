# SPDX-License-Identifier: MIT
"""Requests with random bytes wherever a client, or a web server in front, may put some. Four of five
are requests all the same; in the others one part has bytes of any kind, and the server says whether it
takes that for a request. What it takes it must be able to show as it was sent: facts() is that."""
import string

from . import client
from .gateway import FastCgi, Scgi, Uwsgi

TOKEN = (string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~").encode()
TARGET = bytes(c for c in range(0x21, 0x7f) if c not in b"#%")
HOST = (string.ascii_letters + string.digits + "-._~").encode()
VALUE = bytes([9, *range(0x20, 0x7f), *range(0x80, 0x100)])
NO_NUL = bytes(range(1, 0x100))
ANY = bytes(range(0x100))
METHODS = [b"GET", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"HEAD", b"PROPFIND", b"M-SEARCH"]


class Chance:
    """Bytes of the kinds above, from a random.Random."""

    def __init__(self, random):
        self.random = random

    def one_in(self, n):
        return self.random.randrange(n) == 0

    def some(self, kind, least=0):
        """Mostly a few dozen, sometimes thousands."""
        most = 15000 if self.one_in(500) else 1000 if self.one_in(20) else 60
        size = self.random.randint(least, most)
        return bytes(self.random.choices(kind, k=size))

    def spoil(self, parts, kind=ANY):
        """Any bytes for one of @parts."""
        name = self.random.choice(list(parts))
        parts[name] = self.some(kind, least=1)


def trimmed(value):
    return value.strip(b" \t")


class Http:
    """A client; its requests come five at a time on a connection."""
    option = "http-socket"
    BATCH = 5

    def __init__(self, chance):
        self.chance = chance

    def parts(self):
        some = self.chance.some
        return {"method": self.chance.random.choice(METHODS), "uri": b"/" + some(TARGET),
                "host": some(HOST, least=1), "referer": some(VALUE), "uagent": some(VALUE),
                "cookie": some(VALUE), "name": some(TOKEN, least=1)[:64], "value": some(VALUE)}

    @staticmethod
    def request(p):
        return b"%(method)b %(uri)b HTTP/1.1\r\nHost: %(host)b\r\nReferer:%(referer)b\r\n" \
            b"Cookie: %(cookie)b\r\nX-%(name)b: %(value)b\r\nAuthorization: Basic %(value)b\r\n" \
            b"User-Agent: %(uagent)b \r\n\r\n" % {k.encode(): v for k, v in p.items()}

    @staticmethod
    def facts(p):
        return {"method": p["method"], "uri": p["uri"], "proto": b"HTTP/1.1",
                "host": trimmed(p["host"]), "referer": trimmed(p["referer"]),
                "uagent": trimmed(p["uagent"]), "user": b""}

    def ask(self, address, n):
        """Sends @n requests. -> facts() of those that were answered 200, and how many were not"""
        taken = []
        for first in range(0, n, self.BATCH):
            batch = [self.parts() for _ in range(min(self.BATCH, n - first))]
            self.chance.spoil(batch[-1])  # a connection ends with what is refused
            taken += [self.facts(p) for p in self._send(address, batch)]
        return taken, n - len(taken)

    def _send(self, address, batch):
        with client.Connection(address) as c:
            c.send(b"".join(map(self.request, batch)))
            c.end_sending()
            for p in batch[:-1]:
                assert c.response(p["method"].decode()).status == 200, p
                yield p
            try:
                if c.response(batch[-1]["method"].decode("latin-1")).status == 200:
                    yield batch[-1]
            except (OSError, client.ProtocolError):
                pass  # closed without an answer


class InFront:
    """A web server that says what a request is in variables."""
    protocol = option = None

    def __init__(self, chance):
        self.chance = chance

    def parts(self):
        some = self.chance.some
        return {"REQUEST_METHOD": some(TOKEN, least=1)[:64], "REQUEST_URI": b"/" + some(TARGET),
                "SERVER_PROTOCOL": b"HTTP/%d.%d" % (self.chance.random.randint(1, 9),
                                                    self.chance.random.randint(0, 9)),
                "REMOTE_ADDR": some(VALUE), "REMOTE_USER": some(NO_NUL), "HTTP_HOST": some(HOST),
                "HTTP_REFERER": some(VALUE), "HTTP_USER_AGENT": some(VALUE)}

    @staticmethod
    def facts(p):
        return {"method": p["REQUEST_METHOD"], "uri": p["REQUEST_URI"],
                "proto": p["SERVER_PROTOCOL"], "host": trimmed(p["HTTP_HOST"]),
                "referer": trimmed(p["HTTP_REFERER"]), "uagent": trimmed(p["HTTP_USER_AGENT"]),
                "user": p["REMOTE_USER"], "addr": p["REMOTE_ADDR"]}

    def ask(self, address, n):
        taken = []
        for _ in range(n):
            p = self.parts()
            spoiled = self.chance.one_in(5)
            if spoiled:
                self.chance.spoil(p, NO_NUL if self.protocol is Scgi else ANY)
            if self._send(address, p):
                taken.append(self.facts(p))
            else:
                assert spoiled, p
        return taken, n - len(taken)

    def _send(self, address, p):
        with self.protocol(address) as c:
            c.ask({k: v.decode("latin-1") for k, v in p.items()})
            return c.answer(p["REQUEST_METHOD"].decode("latin-1")).status == 200


class InUwsgi(InFront):
    protocol, option = Uwsgi, Uwsgi.option


class InFastCgi(InFront):
    protocol, option = FastCgi, FastCgi.option


class InScgi(InFront):
    protocol, option = Scgi, Scgi.option
