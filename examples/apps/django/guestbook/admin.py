# SPDX-License-Identifier: MIT
from django.contrib import admin

from .models import Entry


@admin.register(Entry)
class EntryAdmin(admin.ModelAdmin):
    list_display = ["author", "text", "written"]
    search_fields = ["author", "text"]
