# SPDX-License-Identifier: MIT
"""A file that is no importable module: loaded by its path."""

import os

loads = globals().get("loads", 0) + 1


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return ["{} {} {}".format(__name__, os.path.basename(__file__), loads).encode()]
