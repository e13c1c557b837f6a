# SPDX-License-Identifier: MIT
"""A server under test, reached through one kind of socket."""
import json

from harness import says
from harness.programs import APPS
from harness.server import Server

SETTINGS = f"""[liege]
pythonpath = {APPS}/python
module = witness
limit-post = 10m
"""


class Site:
    """Runs tests/apps/python/witness.py in one worker. @settings: more lines of its configuration."""

    def __init__(self, kind_class, folder, settings="", env=None):
        self.kind = kind_class(folder)
        self.folder = folder
        reports = folder / "reports"
        reports.mkdir()
        reports.chmod(0o1777)
        config = folder / "site.ini"
        config.write_text(SETTINGS + self.kind.settings() + settings)
        self.server = Server([config], reports, cwd=folder, env=env)

    def wait(self):
        """Until it serves."""
        self.server.wait_line(says.serving())
        self.workers = self.server.children()
        self._log_checked = 0
        return self

    def _witness(self):
        return json.loads(self.kind.request("/seen").body)

    def seen(self):
        """What the application was given since it was asked last: [[method, path, body]]."""
        return self._witness()["seen"]

    def closed(self):
        """How many answers of /iterate have been closed."""
        return self._witness()["closed"]

    def worker(self):
        """The worker's pid."""
        return self._witness()["pid"]

    def ask(self, *args, **kw):
        """What the application saw of this request: {"environ", "body", "number"}."""
        answer = self.kind.request(*args, **kw)
        assert answer.status == 200, answer
        return json.loads(answer.body)

    def problems(self):
        """What must not have happened since the last look, as sentences."""
        found = self.server.reports()
        if self.server.children() != self.workers:
            found.append(f"processes were {self.workers} and are {self.server.children()}")
        found += self.server.log.find("Traceback|has died|killed by|out of memory",
                                      self._log_checked)
        self._log_checked = self.server.log.mark()
        return found
