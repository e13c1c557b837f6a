# SPDX-License-Identifier: MIT
"""What becomes of a vassal of apps/foreign, by what an operator is told of it and not by the Emperor's
own table: after each event where it comes to rest, and how often it was started, told to load its
configuration again, and told to stop until then.

  absent      there is no configuration
  up          it runs and serves
  starting    it runs, and never says that it is ready
  asleep      its process ended or never was there; the first connection starts it
  resting     it does not run until its configuration changes
  held        an operator stopped it
  looping     it dies again and again by itself, so it is started again and again"""

RUNS = ("up", "starting")


class Model:
    def __init__(self, name):
        self.name = name
        self.state = "absent"
        self.words = {}       # that its configuration consists of: {word: argument}
        self.place = None     # the socket that starts it, as its configuration says
        self.socket = None    # the one that it has
        self.first = {}       # the words with which the process that runs began
        self.read = {}        # those that it read last
        self.left = 0         # connections that this process still answers
        self.waiting = 0      # connections that nobody has answered
        self.answered = 0
        self.lost = 0         # connections whose socket went away
        self.counts = {"started": 0, "reloaded": 0, "stop": 0}
        self.exact = True     # the counts are known

    def __str__(self):
        return (f"{self.name}: {self.state}, {self.words}, {self.counts if self.exact else '?'}, "
                f"{self.waiting} waiting at {self.socket}")

    # What happens to it

    def write(self, words):
        """Its configuration is there, or is another one, or was touched."""
        self.words = words
        self._renew()

    def remove(self):
        self._stop()
        self.state = "absent"
        self._move(None)

    def reload(self):
        """By SIGHUP, or by an operator. -> whether that is possible; None: it depends on the moment"""
        if self.state in ("absent", "held"):
            return False
        depends = self.state == "looping"
        self._renew()
        return None if depends else True

    def halt(self):
        if self.state in ("absent", "held"):
            return False
        self._stop()
        self.state = "held"
        return True

    def resume(self):
        if self.state == "asleep":
            self._start()
            return True
        if self.state in ("held", "resting"):
            self._appear()
            return True
        return None if self.state == "looping" else False

    def kill(self):
        assert self.state in RUNS
        self._end()

    def call(self):
        """Somebody connects to its socket."""
        self.waiting += 1
        if self.state == "asleep":
            self._start()
        elif self.state == "up":
            self._serve()

    # What follows

    def _move(self, place):
        if place != self.socket:
            self.lost += self.waiting
            self.waiting = 0
        self.socket = place

    def _appear(self):
        """It does not run, and nothing holds it."""
        self._move(self.place)
        if not self.socket:
            self._start()
            return
        self.state = "asleep"
        if self.waiting > 0:
            self._start()

    def _renew(self):
        if self.state == "held":
            self._move(self.place)
        elif self.state == "up" and self.place == self.socket:
            self._load()
        else:
            if self.state == "up":
                self._stop()
            self._appear()

    def _stop(self):
        if self.state in RUNS:
            self.counts["stop"] += 1
        self.exact &= self.state != "looping"

    def _load(self):
        self.counts["reloaded"] += 1
        self.read = self.words
        if self.words.get("quit") == "26":
            self.state = "resting"
        elif "quit" in self.words:
            self._end()

    def _end(self):
        """Its process is gone, and it may have another one."""
        self._appear()

    def _start(self):
        w = self.words
        self.counts["started"] += 1
        self.first = self.read = w
        if w.get("exit") == "26":
            self.state = "resting"
        elif "exit" in w or "hang-up" in w:
            self._loop()
        elif "unready" in w:
            self.state = "starting"
        elif "retire" in w:
            self._retire()
        else:
            self.state = "up"
            self.left = int(w.get("serve", w.get("die", 0))) if self.socket else 0
            self._serve()

    def _loop(self):
        """Without anybody who calls it, one that runs on demand does not go on with that."""
        self.state = "looping" if self.waiting or not self.socket else "asleep"
        self.exact = False

    def _retire(self):
        self.counts["stop"] += 1
        if not self.socket:
            self.state = "resting"
        elif self.waiting:
            self._loop()
        else:
            self.state = "asleep"

    def _serve(self):
        n = min(self.waiting, self.left)
        self.waiting -= n
        self.answered += n
        self.left -= n
        if n > 0 and self.left == 0:
            self.counts["stop"] += "serve" in self.first
            self._end()
