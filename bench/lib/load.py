# SPDX-License-Identifier: MIT
"""The load generators: our own (bench/load), which accounts for each request, and wrk."""
import collections
import json
import os
import re
import signal
import statistics
import subprocess
import tempfile

from . import BenchError

# A line of the trace; times are microseconds of CLOCK_MONOTONIC.
Request = collections.namedtuple(
    "Request", "id kind client scheduled sent done outcome status body began ended pid")
NUMBERS = {"id", "kind", "scheduled", "sent", "done", "status", "body", "began", "ended", "pid"}


class Load:
    """A running load generator. @requests are its --request arguments, @phases [(rate, seconds)] of
    an open loop; without them it is a closed loop of @seconds."""

    def __init__(self, build, at, keep_alive=0, per_request=0, requests=("1 GET /",), phases=(),
                 seconds=5, seed=1, timeout=30, trace=False, only_failed=False, cpu=None):
        self._trace = tempfile.NamedTemporaryFile(prefix="liege-trace-") if trace else None
        command = [build / "bench" / "load" / "load", "--keep-alive", keep_alive,
                   "--per-request", per_request, "--seconds", seconds, "--seed", seed,
                   "--timeout", timeout]
        for kind in requests:
            command += ["--request", kind]
        for rate, length in phases:
            command += ["--open", f"{rate:.3f}:{length}"]
        if trace:
            command += ["--trace", self._trace.name, *(["--failed-only"] if only_failed else [])]
        self.process = subprocess.Popen(
            [*map(str, command), at], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
            preexec_fn=(lambda: os.sched_setaffinity(0, {cpu})) if cpu is not None else None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        """Tells it to begin no further requests."""
        self.process.send_signal(signal.SIGINT)
        return self

    def finish(self):
        """Waits for its end. -> Result"""
        output, _ = self.process.communicate()
        if self.process.returncode != 0:
            raise BenchError("the load generator failed")
        return Result(json.loads(output), self._rows())

    def _rows(self):
        if not self._trace:
            return []
        with self._trace:
            lines = self._trace.read().decode().splitlines()[1:]
        number = [f in NUMBERS for f in Request._fields]
        return [Request(*(int(v) if n else v for v, n in zip(line.split(","), number)))
                for line in lines]


class Result:
    def __init__(self, summary, rows):
        self.summary, self.rows = summary, rows
        self.statuses = collections.Counter({int(k): v for k, v in summary["statuses"].items()})
        self.outcomes = collections.Counter(
            {k: v for k, v in summary["outcomes"].items() if v})
        self.seconds = (summary["ended_us"] - summary["began_us"]) / 1e6
        self.good = sum(n for s, n in self.statuses.items() if 200 <= s < 300)
        self.rate = self.good / self.seconds

    @property
    def failures(self):
        """{what: how often} of requests that were not answered 2xx."""
        failed = collections.Counter({str(s): n for s, n in self.statuses.items()
                                      if not 200 <= s < 300})
        failed.update({k: n for k, n in self.outcomes.items()
                       if k not in ("answered", "idle-end")})
        return failed


def run(*args, **kw):
    with Load(*args, **kw) as load:
        return load.finish()


def wrk(at, connections, seconds, cpu):
    """-> (requests a second, requests, errors of connections)"""
    output = subprocess.run(
        ["taskset", "-c", str(cpu), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s",
         f"http://{at}/"], check=True, capture_output=True, text=True).stdout
    requests = int(re.search(r"(\d+) requests in", output).group(1))
    rate = float(re.search(r"Requests/sec:\s*([\d.]+)", output).group(1))
    if requests == 0 or "Non-2xx" in output:
        raise BenchError(output)
    errors = re.search(r"Socket errors: .*", output)
    return rate, requests, sum(map(int, re.findall(r"\d+", errors[0]))) if errors else 0


def quantile(values, q):
    ordered = sorted(values)
    return ordered[int(q * (len(ordered) - 1))] if ordered else float("nan")


def mean(values):
    return statistics.fmean(values) if values else float("nan")
