# SPDX-License-Identifier: MIT
from django.contrib import admin
from django.urls import path

from guestbook import views

urlpatterns = [
    path("", views.show_book, name="book"),
    path("admin/", admin.site.urls),
]
