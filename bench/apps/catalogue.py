# SPDX-License-Identifier: MIT
"""A WSGI application with some 200 MB of Python objects, as a shop's or a newspaper's that holds its
articles in memory: each request makes objects, and answers from 20 articles of the newest hundredth."""
import os
import random

N_ARTICLES = 190_000
NEWEST = N_ARTICLES // 100
LOOKS = 20

articles = [{"id": i, "title": f"article {i}", "tags": (f"tag {i % 97}", f"place {i % 193}"),
             "text": f"{i} " * 40, "votes": [i % 5 + 0.5, i % 7 + 0.5]} for i in range(N_ARTICLES)]


def application(environ, start_response):
    chosen = [articles[-random.randint(1, NEWEST)] for _ in range(LOOKS)]
    lines = [f"{a['title']}: {', '.join(a['tags'])}; {sum(a['votes'])}" for a in chosen]
    body = "\n".join(lines).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body))),
                              ("X-Pid", str(os.getpid()))])
    return [body]
