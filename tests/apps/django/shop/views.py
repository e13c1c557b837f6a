# SPDX-License-Identifier: MIT
import os

from django.shortcuts import render

from shop.models import Article

ARTICLES = [Article(name=f"article {n}", price=n) for n in range(20)]


def show_articles(request):
    page = render(request, "articles.html", {"articles": ARTICLES})
    page["X-Pid"] = os.getpid()
    return page
