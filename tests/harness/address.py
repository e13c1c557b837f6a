# SPDX-License-Identifier: MIT
"""Addresses for servers under test. Each test process has a loopback address of its own (all of
127.0.0.0/8 is the machine itself), so no port on it is ever taken by somebody else."""
import itertools
import os
import socket

_ports = itertools.count(8000)


def own_host():
    pid = os.getpid()
    return f"127.{64 + (pid >> 16 & 63)}.{pid >> 8 & 255}.{pid & 255}"


def free_port():
    """A port of own_host() that nothing uses or has used."""
    return next(_ports)


def free_address():
    """The same as text: "127.64.3.5:8000"."""
    return f"{own_host()}:{free_port()}"


def parse(address):
    """What the socket module takes: "127.0.0.1:80" or "[::1]:80" -> (host, port); "@NAME", which is
    abstract, and a path -> text."""
    address = str(address)
    if address.startswith("@"):
        return "\0" + address[1:]
    if address.startswith("/"):
        return address
    host, _, port = address.rpartition(":")
    return host.strip("[]") or "127.0.0.1", int(port)


def family(target):
    """The family of what parse() returns."""
    if isinstance(target, str):
        return socket.AF_UNIX
    return socket.AF_INET6 if ":" in target[0] else socket.AF_INET
