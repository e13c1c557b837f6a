# SPDX-License-Identifier: MIT
"""Certificates that are made when they are needed and never kept, and clients that trust them."""
import ssl
import subprocess


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Authority:
    """Signs certificates: NAME.pem with NAME.key beside it, for "localhost" or for a client."""

    def __init__(self, folder, name="ca"):
        self.folder = folder
        self.name = name
        self.pem = folder / f"{name}.pem"
        self.key = folder / f"{name}.key"
        openssl("req", "-x509", *self._new_key(name), "-days", "2", "-subj", f"/CN={name}",
                "-out", self.pem)

    def _new_key(self, name):
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                self.folder / f"{name}.key")

    def issue(self, name, subject="/CN=localhost"):
        """-> (path of the certificate, path of its key)"""
        request, pem = self.folder / f"{name}.csr", self.folder / f"{name}.pem"
        names = self.folder / f"{name}.cnf"
        names.write_text("subjectAltName = DNS:localhost\n")
        openssl("req", "-new", *self._new_key(name), "-subj", subject, "-utf8", "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.pem, "-CAkey", self.key,
                "-CAcreateserial", "-days", "2", "-extfile", names, "-out", pem)
        return pem, self.folder / f"{name}.key"

    def client(self, certificate=None, version=None):
        """A context for clients that trust this authority."""
        context = ssl.create_default_context(cafile=self.pem)
        context.set_alpn_protocols(["http/1.1"])
        if certificate:
            context.load_cert_chain(*certificate)
        if version:
            context.minimum_version = context.maximum_version = version
        return context
