# SPDX-License-Identifier: MIT
"""What a strict server must do with bytes, against the real programs over real sockets: README.md
says how the suite is built and what it covers."""
