# SPDX-License-Identifier: MIT
"""A directory that an Emperor watches."""
import itertools
import os


class Vassals:
    def __init__(self, directory):
        self.directory = directory
        self._outside = directory.parent / (directory.name + ".new")
        self._outside.mkdir(exist_ok=True)
        self._serial = itertools.count()

    def path(self, name):
        return self.directory / name

    def write(self, name, text, mode=0o644, owner=None):
        """Puts a configuration there at once: a rename, as an administrator's editor does it."""
        new = self._outside / f"{next(self._serial)}"
        new.write_text(text)
        new.chmod(mode)
        if owner:
            os.chown(new, *owner)
        new.rename(self.path(name))
        return self.path(name)

    def touch(self, name, nofollow=False):
        """A new modification time, always later than the one before."""
        path = self.path(name)
        before = os.stat(path, follow_symlinks=not nofollow).st_mtime_ns
        os.utime(path, follow_symlinks=not nofollow)
        if os.stat(path, follow_symlinks=not nofollow).st_mtime_ns <= before:
            os.utime(path, ns=(before + 1, before + 1), follow_symlinks=not nofollow)

    def remove(self, name):
        self.path(name).unlink()
