# SPDX-License-Identifier: MIT
"""The same application, configured in INI, YAML, JSON and XML: alone and under an Emperor, checked,
shown, and with mistakes whose place is named; blocks that repeat or choose settings."""
import json
import signal

import pytest

from harness import client, says

HELLO = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"""

TEXTS = {
    "ini": """[uwsgi]
http-socket = {folder}/%n.sock
wsgi-file = {folder}/app.py
processes = 2
master
env = A=1
env = B=2
""",
    "yaml": """uwsgi:
  http-socket: "{folder}/%n.sock"
  wsgi-file: {folder}/app.py
  processes: 2
  master: true
  env:
  - A=1
  - B=2
""",
    "json": """{"uwsgi": {
  "http-socket": "{folder}/%n.sock",
  "wsgi-file": "{folder}/app.py",
  "processes": 2,
  "master": true,
  "env": ["A=1", "B=2"]
}}
""",
    "xml": """<uwsgi>
  <http-socket>{folder}/%n.sock</http-socket>
  <wsgi-file>{folder}/app.py</wsgi-file>
  <processes>2</processes>
  <master/>
  <env>A=1</env>
  <env>B=2</env>
</uwsgi>
""",
}
ENDINGS = {"ini": "ini", "yaml": "yaml", "yml": "yaml", "json": "json", "js": "json", "xml": "xml"}


@pytest.fixture
def write(configure):
    """write(ending) -> the path of site.ENDING, which serves on site.sock"""
    def write_one(ending, text=None):
        return configure(f"site.{ending}", text or TEXTS[ENDINGS[ending]], {"app.py": HELLO})
    return write_one


def serves(folder):
    answer = client.get(str(folder / "site.sock"), "/")
    return (answer.status, answer.body) == (200, b"hello")


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_application_is_configured_in_each_format(start, folder, write, ending):
    server = start(write(ending))
    server.wait_line(says.serving())
    assert serves(folder)


@pytest.mark.parametrize("option, ending",
                         [("--yaml", "yaml"), ("--yml", "yml"), ("--json", "json"),
                          ("--js", "js"), ("--xml", "xml"), ("--config", "yml")])
def test_an_option_reads_each_format(start, folder, write, option, ending):
    server = start(option, write(ending))
    server.wait_line(says.serving())
    assert serves(folder)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_vassal_is_configured_in_each_format(folder, vassals, emperor, write, ending):
    server = emperor()
    write("ini")  # the application
    text = TEXTS[ENDINGS[ending]].replace("{folder}", str(folder))
    vassals.write(f"site.{ending}", text)
    server.wait_line(says.vassal_is(f"site.{ending}", "ready"))
    assert serves(folder)


@pytest.mark.parametrize("ending", ENDINGS)
def test_each_format_is_checked_and_shown(start, folder, write, ending):
    path = write(ending)
    check = start("--check", path)
    assert check.wait() == 0
    assert check.log.find(rf"site\.{ending}: the configuration is valid")
    show = start("--show-config", path)
    assert show.wait() == 0
    assert show.log.find(r"^processes = 2$") and show.log.find(r"^env = B=2$")
    assert show.log.find(rf"^http-socket = {folder}/site\.sock$")


@pytest.mark.parametrize("ending, text, complaint", [
    ("yml", "uwsgi:\n  processes: many\n", r"site\.yml:2: processes: 'many' .*from 1"),
    ("yml", "uwsgi:\n  env: {A: 1}\n", r"site\.yml:2: this is nested too deep"),
    ("yml", "uwsgi:\n  a: 'b\n", r"site\.yml:\d: this is not YAML: "),
    ("yml", "uwsgi:\n  a: &x b\n  c: *x\n", r"site\.yml:3: aliases are not supported"),
    ("yml", "django:\n  a: b\n", r"site\.yml: there is no section \[liege\] or \[uwsgi\]"),
    ("json", '{"uwsgi": {\n"processes": 0}}', r"site\.json:2: processes: '0' .*from 1"),
    ("json", '{"uwsgi": {\n"env": {"A": "1"}}}', r"site\.json:2: this is nested too deep"),
    ("json", '{"uwsgi": {\n"env": ["A=1",]}}', r"site\.json:2: this is not JSON: "),
    ("xml", "<uwsgi>\n<processes>x</processes></uwsgi>", r"site\.xml:2: processes: 'x' .*from 1"),
    ("xml", "<uwsgi>\n<env><A>1</A></env></uwsgi>", r"site\.xml:2: <A>: an element inside"),
    ("xml", "<uwsgi>\n<master>", r"site\.xml:2: this is not XML: "),
    ("xml", '<!DOCTYPE x SYSTEM "/etc/passwd">\n<uwsgi/>', r"site\.xml:1: a document type is not"),
])
def test_a_mistake_is_named_with_its_place(start, folder, write, ending, text, complaint):
    check = start("--check", write(ending, text))
    assert check.wait() == 1
    assert check.log.find(complaint), check.log.text()


SHOWS_ENVIRONMENT = """
import json, os

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [json.dumps(dict(os.environ)).encode()]
"""


def test_loops_and_conditions_make_settings(instance, folder):
    server = instance("""wsgi-file = app.py
for = one two
for-times = 2
env = X_%(_)=%(_)
endfor
http-socket = {folder}/%(_).sock
if-exists = {folder}/%(_).txt
env = HAS=%(_)
else
env = LACKS_IT=yes
endif
endfor
if-env = CHOICE
env = CHOSEN=%(_)
endif""", {"app.py": SHOWS_ENVIRONMENT, "two.txt": ""}, env={"CHOICE": "this"})
    for name in "one", "two":
        seen = json.loads(client.get(str(folder / f"{name}.sock"), "/").body)
        assert (seen["X_1"], seen["X_2"], seen["CHOSEN"]) == ("1", "2", "this")
        assert (seen["HAS"], seen["LACKS_IT"]) == (str(folder / "two.txt"), "yes")
    assert server.running()


def test_a_reload_is_told_from_a_start(instance):
    server = instance("wsgi-file = app.py\nif-reload\nenv = BY=reload\nelse\nenv = BY=start\nendif",
                      {"app.py": SHOWS_ENVIRONMENT})
    assert json.loads(client.get(server.address, "/").body)["BY"] == "start"
    server.kill(signal.SIGHUP)
    server.wait_line(says.ended(1))
    assert json.loads(client.get(server.address, "/").body)["BY"] == "reload"


def test_if_plugin_knows_the_languages(start, write):
    shown = start("--show-config", write("ini", """[liege]
if-plugin = python
env = A=1
endif
if-plugin = psgi
env = B=1
endif
if-not-plugin = rack
env = C=1
endif
"""))
    assert shown.wait() == 0
    assert len(shown.log.find(r"^env = [ABC]=1$")) == 3


@pytest.mark.parametrize("ending, text, complaint", [
    ("ini", "[uwsgi]\nif-env = HOME\nmaster\n", r"site\.ini:2: 'if-env' has no 'endif'"),
    ("yml", "uwsgi:\n  for: a\n  endif:\n", r"site\.yml:3: 'endif' does not belong to 'for' at .*:2"),
    ("json", '{"uwsgi": {\n"else": true}}', r"site\.json:2: there is no block"),
    ("xml", "<uwsgi>\n<whitelist>master</whitelist>\n<processes>2</processes></uwsgi>",
     r"site\.xml:3: 'processes' is forbidden by the whitelist at .*:2"),
])
def test_a_mistake_in_a_block_is_named_with_its_place(start, write, ending, text, complaint):
    check = start("--check", write(ending, text))
    assert check.wait() == 1
    assert check.log.find(complaint), check.log.text()


def test_declared_options_and_folders_of_variables(instance, folder):
    server = instance("""declare-option = site=env=SITE=$1;wsgi-file=$2.py
site = shop app
envdir = {folder}/env""", {"app.py": SHOWS_ENVIRONMENT, "env/SECRET": "s3\n", "env/OLD": ""},
                      env={"OLD": "1"})
    seen = json.loads(client.get(server.address, "/").body)
    assert (seen["SITE"], seen["SECRET"]) == ("shop", "s3")
    assert "OLD" not in seen


def test_a_configuration_can_print_and_end(start, write):
    text = "[liege]\nset-ph = where=here\nprint = it is %(where)\nif-env = END\nexit = 42\nendif\n"
    path = write("ini", text)
    check = start("--check", path)
    assert check.wait() == 0
    assert len(check.log.find(r"it is here$")) == 1
    ends = start(path, env={"END": "1"})
    assert ends.wait() == 42
    assert len(ends.log.find(r"site\.ini:5: exit = 42")) == 1


def test_one_value_can_be_asked_for(start, write):
    path = write("ini", "[liege]\nprocesses = 4\nenv = A=1\nhttp-socket = %n.a\nhttp-socket = %n.b\n")
    got = start("--get", "http-socket", path)
    assert got.wait() == 0
    assert got.log.lines == ["site.a", "site.b"]
    assert start("--get", "workers", path).log.wait("^4$")
    none = start("--get", "nothing", path)
    assert none.wait() == 1
    assert none.log.find("nothing is called 'nothing'")


def test_all_options_are_dumped(start):
    dump = start("--dump-options")
    assert dump.wait() == 0
    assert {"--processes", "--workers", "--emperor", "--if-env", "--yaml"} <= set(dump.log.lines)


def test_a_reload_does_not_end_what_serves(instance, folder):
    server = instance("wsgi-file = app.py\nif-exists = {folder}/end\nexit = 1\nendif",
                      {"app.py": HELLO})
    (folder / "end").touch()
    server.kill(signal.SIGHUP)
    server.wait_line(says.RELOAD_FAILED)
    assert client.get(server.address, "/").status == 200


BROKEN = "fallback-config = {folder}/safe.yml\nwsgi-file = app.py\n"
SAFE = "liege:\n  http-socket: {folder}/safe.sock\n  wsgi-file: app.py\n"


@pytest.mark.parametrize("mistake, complaint", [
    ("else", r"app\.ini:\d: there is no block that 'else' belongs to"),
    ("processes = many", r"app\.ini:\d: processes: 'many'"),
    ("static-expires = [ 1", r"static-expires"),
])
def test_a_wrong_configuration_falls_back_to_another(instance, configure, folder, mistake, complaint):
    configure("safe.yml", SAFE)
    server = instance(BROKEN + mistake, {"app.py": HELLO})
    assert server.log.find(complaint), server.log.text()
    assert server.log.find(r"the configuration is wrong: .*/safe\.yml takes its place")
    assert client.get(str(folder / "safe.sock"), "/").body == b"hello"


def test_a_reload_returns_from_the_fallback_and_never_goes_there(instance, configure, folder):
    configure("safe.yml", SAFE)
    server = instance(BROKEN + "else", {"app.py": HELLO})
    good = f"[liege]\nhttp-socket = {folder}/good.sock\nwsgi-file = app.py\n"
    server.config.write_text(good)
    server.kill(signal.SIGHUP)
    server.wait_line(says.ended(1))
    assert client.get(str(folder / "good.sock"), "/").body == b"hello"
    server.config.write_text(good + f"fallback-config = {folder}/safe.yml\nelse\n")
    server.kill(signal.SIGHUP)
    server.wait_line(says.RELOAD_FAILED)
    assert client.get(str(folder / "good.sock"), "/").body == b"hello"


def test_a_check_does_not_fall_back(start, configure):
    configure("safe.yml", SAFE)
    check = start(configure("app.ini", f"[liege]\n{BROKEN}else\n"), "--check")
    assert check.wait() == 1
    assert check.log.find("there is no block") and not check.log.find("takes its place")


def test_a_fallback_that_is_wrong_too_is_an_error(start, configure):
    configure("safe.yml", "liege:\n  processes: none\n")
    server = start(configure("app.ini", f"[liege]\n{BROKEN}else\n"))
    assert server.wait() == 1
    assert server.log.find(r"safe\.yml:2: processes: 'none'")
