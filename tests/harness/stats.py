# SPDX-License-Identifier: MIT
"""Statistics of an Emperor or an instance: one JSON document for each connection, then the end."""
import json
import os
import socket
import time

from . import address as addresses
from .programs import PATIENCE


def read(address):
    target = addresses.parse(address)
    family = socket.AF_UNIX if isinstance(target, str) else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.settimeout(PATIENCE)
        s.connect(target)
        text = b""
        while data := s.recv(65536):
            text += data
    return json.loads(text)


def vassal(address, name):
    """The entry of one vassal, or None."""
    return next((v for v in read(address)["vassals"] if v["id"] == name), None)


def wait(address, name, condition, timeout=PATIENCE):
    """Asks until condition(entry of the vassal) holds; returns the entry."""
    deadline = time.monotonic() + timeout
    while not (entry := vassal(address, name)) or not condition(entry):
        assert time.monotonic() < deadline, f"the statistics of {name} are {entry}"
        os.sched_yield()
    return entry
