# SPDX-License-Identifier: MIT
"""Has its application under the second usual name, and a neighbour to import."""

from wsgi_cases import hello as app  # noqa: F401
