# SPDX-License-Identifier: MIT
"""An installed tree runs from wherever it lies."""
import os
import shutil
import subprocess

import pytest

from harness import client, programs, says

pytestmark = pytest.mark.plain


@pytest.fixture
def installed(folder):
    """A tree that was installed below one folder and then moved to another."""
    subprocess.run(["meson", "install", "-C", programs.BUILD, "--no-rebuild", "--quiet"], check=True,
                   env={**os.environ, "DESTDIR": str(folder / "staged")})
    program = next((folder / "staged").rglob("bin/liege"))
    shutil.move(program.parent.parent, folder / "moved")
    return folder / "moved"


def test_a_moved_tree_runs(installed, start, folder):
    bench = programs.ROOT / "bench" / "apps"
    for option in (["--wsgi-file", bench / "hello.py"], ["--psgi", bench / "hello.psgi"]):
        at = folder / f"{option[0]}.sock"
        server = start("--http-socket", at, *option, program=installed / "bin" / "liege")
        server.wait_line(says.serving())
        assert client.get(at).body == b"hello world\n"
        assert server.stop() == 0


def test_the_manual_page_is_installed(installed):
    assert next(installed.rglob("man1/liege.1*")).read_bytes()
