# SPDX-License-Identifier: MIT
"""Vassals that are not liege's own (apps/foreign), and what they and their Emperor say of them."""
import json
import re

from . import proc, programs

VASSAL = programs.APPS / "foreign" / "vassal"


def said(server, name, event, **kw):
    """Waits for what the vassal @name says of @event; -> the rest of it."""
    pattern = rf'^{{"vassal": "{re.escape(name)}", "event": "{event}".*$'
    return json.loads(server.wait_line(pattern, **kw).group())


def became(server, name, state, **kw):
    """Waits until the Emperor's record of it enters a state; -> the reason."""
    return server.wait_line(rf"vassal {re.escape(name)}: [a-z]+ -> {state}, (.*)", **kw).group(1)


def has_only(server, pids):
    """Whether its children are @pids. Others end by themselves, as the one does that measures memory."""
    children = set(server.children())
    return set(pids) <= children and not proc.wait_gone(children - set(pids))


def start_one(server, vassals, name="a.ini", text="loyal\n"):
    """Adds a vassal and waits until it serves; -> what it says of its start."""
    after = server.log.mark()
    vassals.write(name, text)
    started = said(server, name, "started", after=after)
    became(server, name, "ready", after=after)
    return started
