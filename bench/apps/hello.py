# SPDX-License-Identifier: MIT
"""The smallest WSGI application: twelve bytes."""


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "12")])
    return [b"hello world\n"]
