# SPDX-License-Identifier: MIT
"""The application with all that it would otherwise load with its first requests: what its libraries
import late, the patterns of its addresses, and the texts of its languages. The process has some
60 MB then."""
import importlib
import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver
from django.utils import translation

# What a shop makes use of sooner or later: mail, files to read and write, other servers.
LATE = ["asyncio", "calendar", "concurrent.futures", "csv", "ctypes", "curses", "decimal",
        "email.mime.multipart", "gzip", "http.client", "imaplib", "logging.handlers", "lzma",
        "multiprocessing.pool", "pickle", "sqlite3", "smtplib", "statistics", "tarfile",
        "unicodedata", "uuid", "xml.dom.minidom", "xml.etree.ElementTree", "xmlrpc.client",
        "zipfile", "django.contrib.admin.options", "django.contrib.admin.views.main",
        "django.contrib.auth.views", "django.core.mail",
        "django.core.paginator", "django.core.serializers.json", "django.db.backends.sqlite3.base",
        "django.db.migrations.executor", "django.forms", "django.test", "django.views.generic"]
N_LANGUAGES = 40

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
application = get_wsgi_application()

for module in LATE:
    importlib.import_module(module)
for pattern in get_resolver().url_patterns:
    getattr(pattern, "url_patterns", None)
for language, _ in settings.LANGUAGES[:N_LANGUAGES]:
    with translation.override(language):
        translation.gettext("Home")
