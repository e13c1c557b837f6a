# SPDX-License-Identifier: MIT
"""Fails to be imported."""


def fail():
    raise ValueError("not\nconfigured")


fail()
