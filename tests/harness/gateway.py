# SPDX-License-Identifier: MIT
"""A web server in front, at the level of bytes: requests in uwsgi, FastCGI and SCGI, and their
answers. As client.py it takes nothing but what the protocol allows."""
import re
import struct

from . import client

STDOUT, END_REQUEST, GET_VALUES_RESULT, UNKNOWN_TYPE = 6, 3, 10, 11
STATUS_FIELD = re.compile(r"([1-5][0-9][0-9])(?: (.*))?")


def variables(target="/", method="GET", body=b"", **more):
    """What a web server sends at least."""
    path, _, query = target.partition("?")
    return {"CONTENT_LENGTH": str(len(body)) if body else "", "REQUEST_METHOD": method,
            "REQUEST_URI": target, "PATH_INFO": path, "QUERY_STRING": query,
            "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "192.0.2.7", "REMOTE_PORT": "4711",
            "SERVER_NAME": "front.example", "SERVER_PORT": "443", "HTTP_HOST": "front.example",
            **more}


class Gateway(client.Connection):
    """A connection to the server."""

    def get(self, target="/", method="GET", body=b"", **more):
        """Sends a request and returns the response; for uwsgi and SCGI the connection is over."""
        self.ask(variables(target, method, body, **more), body)
        return self.answer(method)

    def _cgi_response(self, head_and_body, method):
        """A response that a CGI program writes (RFC 3875 section 6)."""
        head, end, body = head_and_body.partition(b"\r\n\r\n")
        assert end, f"no end of the head: {head[:200]!r}"
        fields = []
        for line in head.split(b"\r\n"):
            m = client.FIELD_LINE.fullmatch(line)
            if not m:
                raise client.ProtocolError(f"field line: {line[:200]!r}")
            fields.append((m.group(1).decode("ascii"), m.group(2).decode("latin-1")))
        assert [n for n, _ in fields].count("Status") == 1, fields
        m = STATUS_FIELD.fullmatch(dict(fields)["Status"])
        response = client.Response(int(m.group(1)), m.group(2), fields)
        response.body = body
        length = response.get("Content-Length")
        if length is not None and method != "HEAD" and len(body) != int(length):
            raise client.ProtocolError(f"{len(body)} bytes of a Content-Length of {length}")
        return response


class Uwsgi(Gateway):
    option = "uwsgi-socket"

    @staticmethod
    def request(values, body=b"", modifier1=0, modifier2=0):
        pairs = b"".join(struct.pack("<H", len(s)) + s for pair in values.items()
                         for s in (x.encode("latin-1") for x in pair))
        return struct.pack("<BHB", modifier1, len(pairs), modifier2) + pairs + body

    def ask(self, values, body=b"", **kw):
        self.send(self.request(values, body, **kw))

    def answer(self, method="GET"):
        response = self.response(method)
        assert not response.all("Transfer-Encoding") + response.all("Connection")
        assert self.at_end()
        return response


class Scgi(Gateway):
    option = "scgi-socket"

    @staticmethod
    def request(values, body=b""):
        values = {"CONTENT_LENGTH": values.get("CONTENT_LENGTH") or "0", "SCGI": "1",
                  **{k: v for k, v in values.items() if k != "CONTENT_LENGTH"}}
        pairs = b"".join(x.encode("latin-1") + b"\0" for pair in values.items() for x in pair)
        return b"%d:%b," % (len(pairs), pairs) + body

    def ask(self, values, body=b""):
        self.send(self.request(values, body))

    def answer(self, method="GET"):
        return self._cgi_response(self.to_end(), method)


def record(kind, request_id, content=b"", padding=0):
    return struct.pack(">BBHHBB", 1, kind, request_id, len(content), padding, 0) + content + \
        b"\0" * padding


def begin(request_id=1, role=1, keep=True):
    return record(1, request_id, struct.pack(">HB5x", role, keep))


class FastCgi(Gateway):
    option = "fastcgi-socket"

    @staticmethod
    def pairs(values):
        def length(s):
            return struct.pack(">B", len(s)) if len(s) < 128 else struct.pack(">I", len(s) | 1 << 31)
        encoded = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in values.items()]
        return b"".join(length(k) + length(v) + k + v for k, v in encoded)

    @classmethod
    def request(cls, values, body=b"", request_id=1, keep=True):
        params = cls.pairs(values)
        return begin(request_id, keep=keep) + \
            b"".join(record(4, request_id, params[i:i + 1000], 4)
                     for i in range(0, len(params), 1000)) + record(4, request_id) + \
            b"".join(record(5, request_id, body[i:i + 60000], 7)
                     for i in range(0, len(body), 60000)) + record(5, request_id)

    def ask(self, values, body=b"", **kw):
        self.send(self.request(values, body, **kw))

    def record(self):
        """-> (type, id, content) of the next one."""
        version, kind, request_id, length, padding, _ = struct.unpack(">BBHHBB", self.exactly(8))
        assert version == 1
        content = self.exactly(length)
        self.exactly(padding)
        return kind, request_id, content

    def answer(self, method="GET", request_id=1):
        out, ended = b"", False
        while True:
            kind, its_id, content = self.record()
            assert its_id == request_id
            if kind == END_REQUEST:
                assert ended and content == bytes(8)
                return self._cgi_response(out, method)
            assert kind == STDOUT and not ended
            ended = not content
            out += content


ALL = (Uwsgi, FastCgi, Scgi)
