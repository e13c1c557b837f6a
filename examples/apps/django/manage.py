#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Django's command line for this project: manage.py migrate, manage.py createsuperuser ..."""
import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "demo.settings")
execute_from_command_line(sys.argv)
