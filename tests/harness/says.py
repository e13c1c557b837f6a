# SPDX-License-Identifier: MIT
"""What the programs say in their logs, for waiting. Tests take the patterns from here, so that a
change of wording is a change of one line."""
import re

EMPEROR_READY = r"\[emperor\] the Emperor is there"
BOOT_ERROR = 3  # the exit code of an instance whose first workers cannot start
GENERATION_ENDED = r"generation \d+ has ended"
RELOAD_FAILED = r"reload failed, the old generation goes on serving"


def serving(generation=r"\d+"):
    """The workers of a generation accept connections."""
    return rf"generation {generation} serves with"


def ended(generation):
    """The last worker of a generation has ended, whether it ever served or not."""
    return rf"generation {generation} has ended"


def vassal_is(name, state):
    """The Emperor's record of a vassal has entered a state."""
    return rf"\[emperor\] vassal {re.escape(name)}: \w+ -> {state}\b"
