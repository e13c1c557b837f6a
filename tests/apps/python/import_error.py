# SPDX-License-Identifier: MIT
"""Raises an exception, by way of another module, while it is imported."""

import import_error_inner  # noqa: F401
