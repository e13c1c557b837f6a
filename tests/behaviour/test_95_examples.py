# SPDX-License-Identifier: MIT
"""The examples as a user meets them: started by tools/run-examples, which "make run" calls."""
import http.cookiejar
import json
import re
import signal
import urllib.parse
import urllib.request

import pytest

from harness import client, programs
from harness.programs import ROOT

pytestmark = pytest.mark.plain


class Browser:
    """Keeps cookies and follows redirects."""

    def __init__(self, port):
        self.base = f"http://127.0.0.1:{port}"
        self.opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def open(self, path, form=None):
        data = urllib.parse.urlencode(form).encode() if form else None
        request = urllib.request.Request(self.base + path, data, {"Referer": self.base + path})
        with self.opener.open(request, timeout=programs.PATIENCE) as answer:
            return answer.read().decode()

    def submit(self, path, **form):
        """Fills in the form of a page that Django protects."""
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.open(path)).group(1)
        return self.open(path, {"csrfmiddlewaretoken": token, **form})


@pytest.fixture
def examples(start, folder, kernel_ports):
    base = kernel_ports(4)
    server = start("--build", programs.BUILD, "--port", base, "--state", folder / "state",
                   program=ROOT / "tools" / "run-examples", cwd=ROOT)
    server.port = base
    server.wait_line("Ctrl-C ends them", timeout=2 * programs.PATIENCE)
    return server


def test_all_examples_answer_and_ctrl_c_ends_them(examples):
    password = examples.log.wait("user admin, password (.*)").group(1)

    index = client.get(f"127.0.0.1:{examples.port}")
    assert index.status == 200
    assert index.body.count(b"<td>ready, ") == 3

    django = Browser(examples.port + 1)
    assert "Nobody has written" in django.open("/")
    assert "<h2>Ann</h2>" in django.submit("/", author="Ann", text="a <b>word</b>")
    assert "Site administration" in django.submit(
        "/admin/login/?next=/admin/", username="admin", password=password)
    assert "Ann" in django.open("/admin/guestbook/entry/")
    assert "--primary" in django.open("/static/admin/css/base.css")

    flask = Browser(examples.port + 2)
    flask.open("/basket", {"item": "tea"})
    assert "Tea (2)" in flask.open("/basket", {"item": "tea"})
    body = b"x" * 3_000_000
    answer = client.get(f"127.0.0.1:{examples.port + 2}", "/digest", method="POST", body=body)
    assert json.loads(answer.body)["length"] == len(body)

    plack = f"127.0.0.1:{examples.port + 3}"
    assert b"REQUEST_METHOD" in client.get(plack, "/?x=1").body
    assert client.get(plack, "/echo", method="POST", body=body).body == body
    for port in (examples.port + 2, examples.port + 3):
        with client.Connection(f"127.0.0.1:{port}") as c:
            assert c.request("/stream?lines=1000").body.endswith(b"line 999\nline 1000\n")
            assert c.request("/stream?lines=1").body == b"line 1\n"

    assert examples.stop(signal.SIGINT) == 0


def test_a_second_start_keeps_the_database(examples, start, folder):
    password = examples.log.wait("user admin, password (.*)").group(1)
    Browser(examples.port + 1).submit("/", author="Ann", text="first")
    assert examples.stop() == 0

    again = start("--build", programs.BUILD, "--port", examples.port, "--state", folder / "state",
                  program=ROOT / "tools" / "run-examples", cwd=ROOT)
    again.wait_line("Ctrl-C ends them", timeout=2 * programs.PATIENCE)
    assert again.log.wait("user admin, password (.*)").group(1) == password
    assert "<h2>Ann</h2>" in Browser(examples.port + 1).open("/")
