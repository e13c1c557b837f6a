# SPDX-License-Identifier: MIT
"""What the behaviour tests are made of: programs started on private folders, a strict HTTP client,
a load generator, and a look at processes from outside. Nothing here sleeps: each wait is for an
event (a line of a log, the end of a process, a readable socket) and has a deadline."""
