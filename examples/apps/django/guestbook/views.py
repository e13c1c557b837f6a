# SPDX-License-Identifier: MIT
from django.forms import modelform_factory
from django.shortcuts import redirect, render

from .models import Entry

EntryForm = modelform_factory(Entry, fields=["author", "text"])


def show_book(request):
    """The newest entries and a form for another one."""
    form = EntryForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        form.save()
        return redirect("book")
    return render(request, "guestbook/book.html", {"form": form, "entries": Entry.objects.all()[:50]})
