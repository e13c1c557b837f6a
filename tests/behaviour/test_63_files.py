# SPDX-License-Identifier: MIT
"""Which vassals a file holds, and which change of it is a change for whom."""
import os
import shutil
import time

import pytest

from harness import stats
from harness.client import Connection
from harness.foreign import became, said, start_one

COMMON = {"ini": "[uwsgi]\nworkers = {workers}\n", "yaml": "uwsgi:\n  workers: {workers}\n",
          "json": '[{{"uwsgi": {{"workers": "{workers}"}}}}',
          "xml": "<uwsgi><workers>{workers}</workers></uwsgi>\n"}
PART = {"ini": "[vassal:{name}]\ntext = {text}\n",
        "yaml": "---\nvassal:{name}:\n  text: {text}\n",
        "json": ',\n{{"vassal:{name}": {{"text": "{text}"}}}}',
        "xml": '<uwsgi id="vassal:{name}"><text>{text}</text></uwsgi>\n'}


def several(form, workers=1, **texts):
    """A file with a vassal for each of @texts, whose settings are its text."""
    return (COMMON[form].format(workers=workers) +
            "".join(PART[form].format(name=name, text=text) for name, text in texts.items()) +
            ("]" if form == "json" else ""))


def names(server):
    return sorted(v["id"] for v in stats.read(server.stats)["vassals"])


@pytest.mark.parametrize("form", PART)
def test_one_file_holds_several_vassals(govern, vassals, form):
    server = govern()
    file = f"all.{form}"
    shop, blog = f"{file}:shop", f"{file}:blog"
    vassals.write(file, several(form, shop="1", blog="1"))
    option = "--" + form
    assert said(server, shop, "started")["arguments"] == [option, shop]
    became(server, shop, "ready")
    became(server, blog, "ready")

    vassals.write(file, several(form, shop="2", blog="1"))
    said(server, shop, "reloaded")
    became(server, shop, "ready", count=2)
    vassals.write(file, several(form, shop="2", blog="1", wiki="1"))
    became(server, f"{file}:wiki", "ready")
    assert server.log.find(f'{blog}", "event": "reloaded"') == []
    vassals.write(file, several(form, workers=2, shop="2", blog="1", wiki="1"))
    said(server, blog, "reloaded")
    said(server, shop, "reloaded", count=2)
    became(server, blog, "ready", count=2)
    vassals.write(file, several(form, workers=2, blog="1", wiki="1"))
    became(server, shop, "gone")
    assert names(server) == [blog, f"{file}:wiki"]
    vassals.touch(file)
    said(server, blog, "reloaded", count=2)
    vassals.remove(file)
    became(server, blog, "gone")
    became(server, f"{file}:wiki", "gone")


def test_a_mistake_in_a_file_of_several_ends_none_of_them(govern, vassals):
    server = govern()
    vassals.write("all.yaml", several("yaml", shop="1", blog="1"))
    became(server, "all.yaml:shop", "ready")
    became(server, "all.yaml:blog", "ready")
    vassals.write("all.yaml", "uwsgi: [\n")
    server.wait_line(r"all\.yaml:\d: .*; its vassals stay")
    vassals.write("all.yaml", several("yaml", shop="1", blog="2"))
    said(server, "all.yaml:blog", "reloaded")
    assert names(server) == ["all.yaml:blog", "all.yaml:shop"]


def test_a_file_of_too_many_is_left_out(govern, vassals):
    server = govern()
    many = several("ini", **{f"v{i}": "1" for i in range(1001)})
    vassals.write("new.ini", many)
    server.wait_line(r"new\.ini has more than 1000 sections of vassals; it is left out")
    start_one(server, vassals, "all.ini")
    vassals.write("all.ini", many)
    server.wait_line(r"all\.ini has more than 1000 sections of vassals; its vassals stay")
    assert names(server) == ["all.ini"]
    vassals.write("new.ini", several("ini", shop="1"))
    became(server, "new.ini:shop", "ready")


def test_who_opens_and_closes_a_file_does_not_have_it_read_each_time(govern, vassals):
    """How often it is read shows in how often it is complained of."""
    server = govern()
    vassals.write("all.yaml", several("yaml", shop="1"))
    became(server, "all.yaml:shop", "ready")
    path = vassals.write("all.yaml", "uwsgi: [\n")
    server.wait_line("its vassals stay")
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        os.close(os.open(path, os.O_WRONLY))
    vassals.write("all.yaml", several("yaml", shop="2"))
    said(server, "all.yaml:shop", "reloaded")
    assert len(server.log.find("its vassals stay")) <= 8  # each 100 ms


def test_a_file_may_become_several_and_one_again(govern, vassals):
    server = govern()
    start_one(server, vassals, "all.ini", "loyal\n")
    vassals.write("all.ini", several("ini", shop="1"))
    became(server, "all.ini", "gone")
    became(server, "all.ini:shop", "ready")
    vassals.write("all.ini", "loyal\n")
    became(server, "all.ini:shop", "gone")
    became(server, "all.ini", "ready", count=2)


def test_applications_of_one_file_serve(emperor, vassals, folder):
    (folder / "app.py").write_text(
        "import os\ndef application(environ, start_response):\n"
        "    start_response('200 OK', [])\n    return [os.environ['WHO'].encode()]\n")
    vassals.write("all.ini", f"""[liege]
http-socket = {folder}/%x.sock
chdir = {folder}
module = app
[vassal:shop]
env = WHO=%x
[vassal:blog]
env = WHO=the other
""")
    server = emperor()
    for name, answer in ("shop", b"shop"), ("blog", b"the other"):
        became(server, f"all.ini:{name}", "ready")
        with Connection(folder / f"{name}.sock") as c:
            assert c.request().body == answer


def test_a_file_of_several_is_not_one_configuration(start, configure):
    config = configure("all.ini", several("ini", shop="1"))
    server = start("--check", config)
    assert server.wait() == 1
    server.wait_line("holds several vassals, in sections called vassal:NAME: name one as .*all.ini:NAME")
    assert start("--check", f"{config}:wiki").wait() == 1


def test_the_same_file_again_is_no_change(govern, vassals, folder):
    """Restored with its time, as rsync and tar do it; a touch is an order all the same."""
    server = govern()
    start_one(server, vassals)
    copy = folder / "copy"
    shutil.copy2(vassals.path("a.ini"), copy)
    copy.rename(vassals.path("a.ini"))
    vassals.write("b.ini", "loyal\n")
    became(server, "b.ini", "ready")
    vassals.touch("a.ini")
    said(server, "a.ini", "reloaded")
    became(server, "a.ini", "ready", count=2)
    assert len(server.log.find('"event": "reloaded"')) == 1


def test_an_older_file_is_a_change(govern, vassals):
    server = govern()
    start_one(server, vassals)
    path = vassals.write("a.ini", "loyal\nold yes\n")
    os.utime(path, (1, 1))
    assert said(server, "a.ini", "reloaded")["words"]["old"] == "yes"


def test_includes_need_not_be_watched(govern, vassals, folder):
    common = folder / "common.ini"
    common.write_text("")
    server = govern("--emperor-no-include-watch")
    start_one(server, vassals, text=f"loyal\nfile {common}\n")
    common.write_text("changed\n")
    vassals.write("b.ini", "loyal\n")
    became(server, "b.ini", "ready")
    assert server.log.find('"event": "reloaded"') == []


def test_attributes(govern, vassals, folder):
    """Kept over crashes and changed with the file."""
    (folder / "home").mkdir()
    wrapper = folder / "wrapper"
    wrapper.write_text('#!/bin/sh\nexec env TEST_WRAPPED=1 "$PROGRAM" "$@"\n')
    wrapper.chmod(0o755)
    from harness.foreign import VASSAL
    server = govern("--emperor-collect-attr", "owner", "--emperor-chdir-attr", "home",
                    "--emperor-wrapper-attr", "run", env={"PROGRAM": str(VASSAL)})
    text = "loyal\n[emperor]\nowner = ann\nsecret = x\nrun = {run}\n"
    started = start_one(server, vassals, text=text.format(run=wrapper))
    assert started["environ"]["TEST_WRAPPED"] == "1"
    entry = stats.vassal(server.stats, "a.ini")
    assert entry["attrs"] == {"owner": "ann", "run": str(wrapper)}
    os.kill(started["pid"], 9)
    assert said(server, "a.ini", "started", count=2)["environ"]["TEST_WRAPPED"] == "1"


def test_a_directory_by_attribute(emperor, vassals, folder):
    (folder / "home").mkdir()
    program = folder / "program"
    program.write_text('#!/bin/sh\npwd >&2\nexit 26\n')
    program.chmod(0o755)
    vassals.write("a.ini", f"[emperor]\nhome = {folder}/home\n")
    server = emperor("--binary-path", program, "--emperor-chdir-attr", "home")
    server.wait_line(f"^{folder}/home$")
    became(server, "a.ini", "resting")


@pytest.mark.parametrize("mode, trusted", [(0o755, True), (0o775, False), (0o644, None)])
def test_a_configuration_that_is_a_program(govern, vassals, mode, trusted):
    server = govern("--emperor-magic-exec")
    vassals.write("a.ini", "loyal\n", mode=mode)
    vassals.write("b.ini", "loyal\n")
    if trusted:
        server.wait_line(rf'"--ini", "exec://{vassals.path("a.ini")}"')
    else:
        assert said(server, "a.ini", "started")["arguments"] == ["--ini", "a.ini"]
    if trusted is False:
        server.wait_line("a.ini may be executed, and is not: others than root")


@pytest.mark.needs_root
def test_a_program_of_somebody_else_is_not_run(govern, vassals):
    server = govern("--emperor-magic-exec")
    vassals.write("a.ini", "loyal\n", mode=0o755, owner=(1000, 1000))
    assert said(server, "a.ini", "started")["arguments"] == ["--ini", "a.ini"]


def test_other_programs_before_and_after(emperor, vassals, folder):
    from harness.foreign import VASSAL
    vassals.write("a.ini", "loyal\n")
    server = emperor("--binary-path", "/bin/false", "--emperor-wrapper-override", folder / "none",
                     "--emperor-wrapper-override", VASSAL, "--emperor-wrapper-fallback", "/bin/true")
    became(server, "a.ini", "ready")


def test_what_a_vassal_includes_is_looked_at_for_it_alone(govern, vassals, folder):
    """Paths that lead nowhere, and a directory that goes, comes back and has its mode changed."""
    (folder / "loop").symlink_to("loop")
    common = folder / "common"
    common.mkdir()
    (common / "x.ini").write_text("x\n")
    server = govern()
    start_one(server, vassals, text=f"loyal\nfile {folder}/loop\n")
    start_one(server, vassals, "b.ini", text=f"loyal\nfile {common}/x.ini\n")
    common.chmod(0o700)
    common.rename(folder / "moved")
    common.mkdir()
    (common / "x.ini").write_text("another\n")
    said(server, "b.ini", "reloaded")
    became(server, "b.ini", "ready", count=2)
    (common / "x.ini").write_text("a third\n")
    said(server, "b.ini", "reloaded", count=2)
    assert server.log.find("cannot watch everything|looking at everything") == []
