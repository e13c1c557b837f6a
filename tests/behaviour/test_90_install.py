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
    assert next(installed.rglob("man1/liegectl.1*")).read_bytes()


def packages_of(group):
    return {line.split()[1] for line in
            (programs.ROOT / "packaging" / "debian-packages.txt").read_text().splitlines()
            if line.startswith(group + " ")}


@pytest.mark.only_plain  # a build with sanitizers needs their libraries
def test_what_is_installed_runs_with_the_packages_that_are_named_for_it(installed):
    """Each library that a program or plugin names is in one of them, or in the C library."""
    needed = set()
    for path in installed.rglob("*"):
        if path.is_file() and path.read_bytes()[:4] == b"\x7fELF":
            text = subprocess.run(["objdump", "-p", path], check=True, capture_output=True, text=True).stdout
            needed |= {line.split()[1] for line in text.splitlines() if "NEEDED" in line}
    owners = set()
    for library in needed:
        found = subprocess.run(["dpkg", "-S", f"*/{library}"], check=True, capture_output=True, text=True).stdout
        owners.add(found.split(":")[0])
    assert len(needed) > 5
    assert owners <= packages_of("serve") | {"libc6"}


def test_the_container_file():
    folder = programs.ROOT / "packaging" / "container"
    text = (folder / "Containerfile").read_text()
    assert "STOPSIGNAL SIGQUIT" in text
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["COPY"] and not words[1].startswith("--from"):
            assert (programs.ROOT / words[1]).exists(), line
        if "tools/install-packages" in line and words[0] == "RUN":
            group = words[words.index(next(w for w in words if w.endswith("install-packages"))) + 1]
            assert packages_of(group), line
