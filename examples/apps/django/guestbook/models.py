# SPDX-License-Identifier: MIT
from django.db import models


class Entry(models.Model):
    author = models.CharField(max_length=80)
    text = models.TextField(max_length=2000)
    written = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-written"]
        verbose_name_plural = "entries"

    def __str__(self):
        return f"{self.author}, {self.written:%Y-%m-%d %H:%M}"
