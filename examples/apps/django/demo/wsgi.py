# SPDX-License-Identifier: MIT
"""The WSGI application. It serves the style sheets of the admin site too, so that the example needs
no other server; a real site gives its static files to a web server."""
import os

from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "demo.settings")
application = StaticFilesHandler(get_wsgi_application())
