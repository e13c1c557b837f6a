# SPDX-License-Identifier: MIT
from django.contrib import admin

from shop.models import Article

admin.site.register(Article)
