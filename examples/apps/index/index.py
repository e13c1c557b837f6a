# SPDX-License-Identifier: MIT
"""Lists the vassals of the examples, as the Emperor's statistics show them. Plain WSGI."""
import html
import json
import os
import socket

PORTS = {
    "django.ini": ("DJANGO_PORT", "8001", "a guest book, and Django's admin site at /admin/"),
    "flask.ini": ("FLASK_PORT", "8002", "a shop with a basket in the session, and a stream"),
    "plack.ini": ("PLACK_PORT", "8003", "PSGI: the request as the application sees it, a stream"),
}
PAGE = """<!DOCTYPE html>
<html lang="en">
<title>liege: examples</title>
<style>
body {{ font: 16px/1.5 sans-serif; max-width: 46em; margin: 3em auto; padding: 0 1em }}
td, th {{ padding: .3em 1em .3em 0; text-align: left; border-bottom: 1px solid #ccc }}
</style>
<h1>liege: examples</h1>
<table><tr><th>vassal<th>what it is<th>process<th>state</tr>
{rows}
</table>
<p>Touch a file in <code>examples/vassals</code> and its vassal reloads; remove it and the vassal
stops; put it back and it starts.</p>
"""


def read_statistics(path):
    """The Emperor's statistics as a dictionary: a connection gives one JSON document."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(2)
        s.connect(path)
        return json.loads(b"".join(iter(lambda: s.recv(65536), b"")))


def find_vassals():
    try:
        vassals = read_statistics(os.environ["EXAMPLES_STATS"])["vassals"]
    except (KeyError, OSError):
        return {}
    return {os.path.basename(v["id"]): v for v in vassals}


def row(name, vassal):
    variable, port, text = PORTS[name]
    address = f"127.0.0.1:{os.environ.get(variable, port)}"
    pid, state = (vassal["pid"], f"{vassal['state']}, {vassal['reason']}") if vassal else ("-", "-")
    return (f'<tr><td><a href="http://{address}/">{name}</a><td>{html.escape(text)}<td>{pid}'
            f"<td>{html.escape(state)}</tr>")


def application(environ, start_response):
    if environ["PATH_INFO"] != "/":
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"not found\n"]
    vassals = find_vassals()
    page = PAGE.format(rows="\n".join(row(n, vassals.get(n)) for n in PORTS)).encode()
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"),
                              ("Content-Length", str(len(page)))])
    return [page]
