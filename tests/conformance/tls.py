# SPDX-License-Identifier: MIT
"""A client of TLS that can end its half of a connection and still read, which the socket of Python's
ssl module cannot: it takes whatever comes behind its own goodbye for an error."""
import ssl
import subprocess

from harness import client


def make_certificate(folder):
    """-> the files of a certificate and its key"""
    certificate, key = folder / "tls.crt", folder / "tls.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=test",
                    "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


class Socket:
    """The socket @raw with TLS in it, any certificate allowed. What is not here is the raw one's."""

    def __init__(self, raw):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["http/1.1"])
        self._raw = raw
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing)
        self._read = b""  # before it was asked for
        self._run(self._tls.do_handshake)

    def __getattr__(self, name):
        return getattr(self._raw, name)

    def _flush(self):
        if self._outgoing.pending:
            self._raw.sendall(self._outgoing.read())

    def _run(self, function, *args):
        while True:
            try:
                result = function(*args)
                self._flush()
                return result
            except ssl.SSLWantReadError:
                self._flush()
                data = self._raw.recv(65536)
                if data:
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()

    def sendall(self, data):
        self._run(self._tls.write, data)

    def recv(self, size):
        if self._read:
            data, self._read = self._read[:size], self._read[size:]
            return data
        try:
            return self._run(self._tls.read, size)
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    def shutdown(self, how):
        """TLS's own goodbye, after what has come so far, and without waiting for the other side's."""
        try:
            while data := self._tls.read(65536):
                self._read += data
        except ssl.SSLError:
            pass  # nothing more for now
        try:
            self._tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        self._flush()


class Connection(client.Connection):
    def __init__(self, where):
        super().__init__(where)
        try:
            self.socket = Socket(self.socket)
        except OSError:
            self.socket.close()
            raise
