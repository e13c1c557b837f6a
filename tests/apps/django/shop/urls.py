# SPDX-License-Identifier: MIT
from django.contrib import admin
from django.urls import path

from shop import views

urlpatterns = [path("", views.show_articles), path("admin/", admin.site.urls)]
