# SPDX-License-Identifier: MIT
"""Ends the process, if it is allowed to, while it is imported."""

raise SystemExit(7)
