# SPDX-License-Identifier: MIT
from django.db import models


class Article(models.Model):
    name = models.CharField(max_length=200)
    price = models.DecimalField(max_digits=10, decimal_places=2)
    since = models.DateTimeField(auto_now_add=True)
