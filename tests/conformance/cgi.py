# SPDX-License-Identifier: MIT
"""Reads the answers of applications behind a web server: a head that begins with the line of HTTP's
status or with a Status field (RFC 3875 section 6), and a body up to a length or the end."""
from harness import client


def response(connection, method, data=None):
    """The answer on @connection, or the one in @data. -> client.Response"""
    reader = connection if data is None else Memory(data)
    line = reader.line()
    if m := client.STATUS_LINE.fullmatch(line):
        answer = client.Response(int(m.group(1)), m.group(2).decode("latin-1"), [])
        line = reader.line()
    else:
        answer = client.Response(200, "OK", [])
    while line:
        m = client.FIELD_LINE.fullmatch(line)
        if not m:
            raise client.ProtocolError(f"field line: {line[:200]!r}")
        answer.fields.append((m.group(1).decode("ascii"), m.group(2).decode("latin-1")))
        line = reader.line()
    if status := answer.get("Status"):
        answer.status, answer.reason = int(status[:3]), status[4:]
    if answer.get("Transfer-Encoding"):
        raise client.ProtocolError("Transfer-Encoding, which belongs to HTTP alone")
    if len(answer.all("Content-Length")) > 1:
        raise client.ProtocolError(f"ambiguous length: {answer.fields}")
    answer.body = reader.to_end()
    length = answer.get("Content-Length")
    if method != "HEAD" and length is not None and int(length) != len(answer.body):
        raise client.ProtocolError(f"{len(answer.body)} of {length} bytes")
    answer.close = True
    return answer


class Memory(client.Connection):
    """An answer that has been read."""

    def __init__(self, data):
        self.buffer = data

    def _more(self):
        return False
