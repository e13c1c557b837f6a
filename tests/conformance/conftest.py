# SPDX-License-Identifier: MIT
"""Fixtures of the conformance tests. `http` and `site` are a server for each kind of socket that
speaks HTTP, and for each kind at all; it is shared by the tests that do not harm it, and after each
module it must be the same processes and have logged no crash. `serve` starts one with settings of
its own."""
import os
import pathlib
import shutil
import tempfile

import pytest

from harness import proc, programs
from harness.server import Registry

from . import kinds
from .site import Site


def pytest_configure(config):
    if not programs.LIEGE.exists():
        raise pytest.UsageError(f"{programs.LIEGE} does not exist: build first, or set LIEGE_BUILD")
    proc.adopt_orphans()


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("needs_root") and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root"))


def new_folder():
    path = pathlib.Path(tempfile.mkdtemp(prefix="liege-"))
    path.chmod(0o755)
    return path


@pytest.fixture
def folder():
    path = new_folder()
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def shared():
    """shared(kind class) -> the Site of all tests"""
    sites = {}

    def of(kind_class):
        if kind_class not in sites:
            site = Site(kind_class, new_folder())
            Registry.share(site.server)
            sites[kind_class] = site.wait()
        return sites[kind_class]

    yield of
    problems = [p for site in sites.values() for p in Registry.end(site.server)]
    for site in sites.values():
        shutil.rmtree(site.folder, ignore_errors=True)
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


def checked(site):
    yield site
    problems = site.problems()
    if problems:
        pytest.fail(f"{site.kind.name}:\n" + "\n".join(problems) +
                    f"\nits log:\n{site.server.log.text()}", pytrace=False)


def one_of(kind_classes):
    """A fixture of each of them in turn."""
    @pytest.fixture(scope="module", params=kind_classes, ids=lambda k: k.name)
    def kind(request):
        return request.param
    return kind


http_kind = one_of(kinds.HTTP_KINDS)
any_kind = one_of(kinds.KINDS)
gateway_kind = one_of(kinds.GATEWAY_KINDS)


@pytest.fixture(scope="module")
def http(http_kind, shared):
    yield from checked(shared(http_kind))


@pytest.fixture(scope="module")
def site(any_kind, shared):
    yield from checked(shared(any_kind))


@pytest.fixture(scope="module")
def gateway(gateway_kind, shared):
    yield from checked(shared(gateway_kind))


@pytest.fixture(scope="module")
def uwsgi_site(shared):
    yield from checked(shared(kinds.Uwsgi))


@pytest.fixture(scope="module")
def fastcgi_site(shared):
    yield from checked(shared(kinds.FastCgi))


@pytest.fixture(scope="module")
def scgi_site(shared):
    yield from checked(shared(kinds.Scgi))


@pytest.fixture
def serve(folder):
    """serve(kind class, settings) -> a Site of this test alone, which serves"""
    sites = []

    def start(kind_class, settings="", **kw):
        own = folder / str(len(sites))
        own.mkdir()
        sites.append(Site(kind_class, own, settings, **kw))
        Registry.share(sites[-1].server)
        return sites[-1].wait()

    yield start
    problems = [p for site in sites for p in site.problems() + Registry.end(site.server)]
    if problems:
        pytest.fail("\n".join(problems) + "\n" + "\n".join(s.server.log.text() for s in sites),
                    pytrace=False)
