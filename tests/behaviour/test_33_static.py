# SPDX-License-Identifier: MIT
"""Static files: which are served and which never, conditions, parts, compressed files, how long
they may be kept. What is not a file is the application's, which says "hello"."""
import email.utils
import gzip
import os
import re
import socket

import pytest

from harness import client, proc, says
from harness.client import Connection, ProtocolError, request_bytes
from harness.data import pattern
from harness.gateway import FastCgi, Scgi, Uwsgi
from harness.meeting import Meeting

MAP = "static-map = /static={folder}/pub\n"
CHECK = "check-static = {folder}/pub\n"
MIB = 1024 * 1024
MODIFIED = 784111777
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
EARLIER = "Sun, 06 Nov 1994 08:49:36 GMT"
LATER = "Sun, 06 Nov 1994 08:49:38 GMT"


@pytest.fixture
def pub(folder):
    """The directory that is served. pub(name, content) writes a file, long unchanged, into it."""
    root = folder / "pub"
    root.mkdir()

    def write(name, content=b""):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (MODIFIED, MODIFIED))
        return path

    write.root = root
    write("a.txt", b"0123456789")
    return write


@pytest.fixture
def serve(instance, pub):
    """serve(settings, map=) -> a server whose application answers what is no static file."""
    def start(settings="", map=MAP, app="wsgi-file = {apps}/python/web.py\n", **kw):
        return instance(f"{app}{map}{settings}\n", **kw)
    return start


def fetch(server, target, method="GET", **fields):
    """One request; the keyword if_none_match becomes If-None-Match."""
    fields = [(n.replace("_", "-"), v) for n, v in fields.items()]
    return client.get(server.address, target, method=method, fields=fields)


def is_the_applications(answer):
    return answer.status == 200 and answer.body == b"hello\n"


# Which files

@pytest.mark.plain
def test_a_file_is_served_and_the_application_is_not_asked(serve):
    server = serve()
    answer = fetch(server, "/static/a.txt?v=1")
    assert (answer.status, answer.body) == (200, b"0123456789")
    assert answer.get("Content-Type") == "text/plain"
    assert answer.get("Content-Length") == "10"
    assert answer.get("Last-Modified") == DATE
    assert answer.get("Accept-Ranges") == "bytes"
    assert re.fullmatch(r'"[0-9a-f.-]+"', answer.get("ETag"))
    for name in ("Vary", "Content-Encoding", "Cache-Control", "Expires"):
        assert answer.get(name) is None
    assert fetch(server, "/calls").body == b"[]"


def test_what_is_not_there_is_the_applications(serve, pub):
    server = serve()
    pub("dir/b.txt")
    for target in ("/", "/static", "/static/", "/static/b.txt", "/static/a.txt/", "/static/a.txt/b",
                   "/static/dir", "/static/dir/", "/staticx", "/static.txt", "/a.txt",
                   "/static/" + "a" * 300, "/static/" + "a/" * 3000):
        assert is_the_applications(fetch(server, target)), target


def test_a_path_is_decoded_once(serve, pub):
    server = serve()
    pub("b c.txt", b"blank")
    pub("%62.txt", b"percent")
    pub("\u00e4.txt", b"umlaut")
    pub("dir/b.txt", b"in dir")
    for target, body in (("/static/b%20c.txt", b"blank"), ("/st%61tic/b%20c.txt", b"blank"),
                         ("/static/%2562.txt", b"percent"), ("/static/%C3%A4.txt", b"umlaut"),
                         ("/static/dir%2Fb.txt", b"in dir"), ("//static/a.txt", b"hello\n"),
                         ("/static//dir///b.txt", b"in dir")):
        assert fetch(server, target).body == body, target


def test_maps_are_tried_in_order(serve, pub, folder):
    pub("both.txt", b"pub")
    for name, content in (("b/both.txt", b"b"), ("b/only.txt", b"only"), ("c/x/deep.txt", b"deep"),
                          ("check/static/only.txt", b"checked first")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    server = serve("static-map = /static={folder}/b\nstatic-map2 = /x={folder}/c\n"
                   "static-map = /one.txt={folder}/b/only.txt\nstatic-map = /={folder}/b")
    for target, body in (("/static/both.txt", b"pub"), ("/static/only.txt", b"only"),
                         ("/x/deep.txt", b"deep"), ("/one.txt", b"only"), ("/both.txt", b"b")):
        assert fetch(server, target).body == body, target
    for target in ("/one.txt/", "/one.txt/x", "/one.txtx", "/x/x/deep.txt"):
        assert is_the_applications(fetch(server, target)), target


def test_check_static_comes_first_and_takes_nothing_else(serve, pub, folder):
    pub("query", b"a file")
    server = serve(map=CHECK)
    assert fetch(server, "/query?x").body == b"a file"
    assert fetch(server, "/query?x", "POST").body == b"x"
    assert fetch(server, "/query/?x").body == b"hello\n"
    assert is_the_applications(fetch(server, "/"))


def test_without_an_application(serve, pub):
    pub("index.html", b"<p>home")
    server = serve("need-app = no\nstatic-index = index.html", map=CHECK, app="")
    assert fetch(server, "/").body == b"<p>home"
    assert fetch(server, "/missing").status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods_are_refused(serve, method):
    server = serve()
    answer = fetch(server, "/static/a.txt", method)
    assert (answer.status, answer.get("Allow")) == (405, "GET, HEAD")
    assert is_the_applications(fetch(server, "/static/missing", method))


def test_head_is_get_without_the_body(serve):
    server = serve()
    with Connection(server.address) as c:
        get, head = c.request("/static/a.txt"), c.request("/static/a.txt", "HEAD")
        assert head.fields == get.fields and head.status == 200
        assert c.request("/static/a.txt", "HEAD", [("Range", "bytes=0-1")]).status == 200
        assert c.request("/query?next").body == b"next"


def test_an_index_is_served_of_a_directory(serve, pub):
    pub("index.html", b"root")
    pub("dir/second.html", b"second")
    pub("empty/x.txt")
    pub("odd/index.html/x.txt")
    server = serve("static-index = index.html\nstatic-index = second.html")
    assert fetch(server, "/static/").body == b"root"
    answer = fetch(server, "/static/dir/")
    assert (answer.body, answer.get("Content-Type")) == (b"second", "text/html")
    for target in ("/static/empty", "/static/empty/", "/static/odd/", "/static/dir/index.html/"):
        assert is_the_applications(fetch(server, target)), target


def test_a_directory_gets_its_slash(serve, pub):
    pub("dir \u00e4/index.html")
    pub("evil.example/index.html")
    server = serve("static-index = index.html\n" + CHECK)
    for target, location in (("/static/dir%20%C3%A4?a=b&c", "/static/dir%20%C3%A4/?a=b&c"),
                             ("/evil.example", "/evil.example/"),
                             ("//evil.example", "/evil.example/")):
        for method in ("GET", "HEAD"):
            answer = fetch(server, target, method)
            assert (answer.status, answer.get("Location")) == (301, location), target


def test_extensions_are_left_to_the_application(serve, pub):
    pub("a.php")
    pub("dir/index.php")
    server = serve("static-skip-ext = .php\nstatic-index = index.php")
    for target in ("/static/a.php", "/static/dir/"):
        assert is_the_applications(fetch(server, target))
    assert fetch(server, "/static/a.txt").status == 200


# Which never

@pytest.mark.plain
@pytest.mark.parametrize("target", [
    "/static/../secret", "/static/%2e%2e/secret", "/static/.%2E/secret", "/static/..%2fsecret",
    "/static/dir/../../secret", "/static/dir/..%2f..%2fsecret", "/static/./a.txt",
    "/static/dir/../a.txt", "/static/%2e/a.txt", "/static/..", "/static/.", "/static/dir/..",
    "/static//../secret", "/static/%5c..%5csecret", "/static//etc/passwd", "/static/%2fetc/passwd",
    "/static/%252e%252e/secret",
])
def test_no_way_up(serve, pub, folder, target):
    (folder / "secret").write_text("secret")
    pub("dir/b.txt")
    assert is_the_applications(fetch(serve(), target))


@pytest.mark.parametrize("target", ["/static/a.txt%00", "/static/%00/../../secret", "/%00"])
def test_nul_is_refused(serve, target):
    assert fetch(serve(), target).status == 400


def test_links_that_stay_are_followed(serve, pub):
    pub("dir/b.txt", b"in dir")
    (pub.root / "link").symlink_to("dir/b.txt")
    (pub.root / "dir/up").symlink_to("../a.txt")
    (pub.root / "absolute").symlink_to(pub.root / "dir")
    server = serve()
    for target, body in (("link", b"in dir"), ("dir/up", b"0123456789"), ("absolute/b.txt", b"in dir"),
                         ("absolute/up", b"0123456789")):
        assert fetch(server, "/static/" + target).body == body


def test_links_that_lead_out_are_not(serve, pub, folder):
    (folder / "out").mkdir()
    (folder / "out/secret").write_text("secret")
    (pub.root / "relative").symlink_to("../out/secret")
    (pub.root / "absolute").symlink_to(folder / "out/secret")
    (pub.root / "dir").symlink_to("../out")
    (pub.root / "magic").symlink_to("/proc/self/root")
    (pub.root / "cwd").symlink_to("/proc/self/cwd")
    (pub.root / "fd").symlink_to("/dev/stdin")
    server = serve()
    for target in ("relative", "absolute", "dir/secret", f"magic{folder}/out/secret",
                   "cwd/out/secret", "fd"):
        assert is_the_applications(fetch(server, "/static/" + target)), target
    server.wait_line(r"warning: static-map = /static=\S+/pub: 'relative' is not served: it leads out "
                     r"of the directory \(static-safe = DIR allows")


def test_links_into_safe_directories_are(serve, pub, folder):
    for name in ("safe", "out", "safer"):
        (folder / name).mkdir()
        (folder / name / "file").write_text(name)
        (pub.root / name).symlink_to(folder / name)
    (folder / "safe/to-out").symlink_to("../out/file")
    server = serve("static-safe = {folder}/safe")
    assert fetch(server, "/static/safe/file").body == b"safe"
    for target in ("/static/out/file", "/static/safer/file", "/static/safe/to-out"):
        assert is_the_applications(fetch(server, target)), target


def test_only_regular_files(serve, pub):
    os.mkfifo(pub.root / "fifo")
    (pub.root / "null").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(pub.root / "socket"))
        server = serve("static-safe = /dev")
        for target in ("fifo", "null", "socket"):
            assert is_the_applications(fetch(server, "/static/" + target)), target


def test_hidden_files_stay_hidden(serve, pub):
    for name in (".git/config", ".htpasswd", "dir/.env", "..txt", ".well-known/acme", "a..txt"):
        pub(name, b"found")
    server = serve()
    for name in (".git/config", ".htpasswd", "dir/.env", "..txt"):
        assert is_the_applications(fetch(server, "/static/" + name)), name
    for name in (".well-known/acme", "a..txt"):
        assert fetch(server, "/static/" + name).body == b"found", name


def test_hidden_files_are_served_on_request(serve, pub):
    pub("dir/.env", b"found")
    server = serve("static-dotfiles = yes")
    assert fetch(server, "/static/dir/.env").body == b"found"
    for target in ("/static/dir/../a.txt", "/static/.."):
        assert is_the_applications(fetch(server, target))


@pytest.mark.needs_root
def test_a_file_is_read_as_the_workers_user(serve, pub, free_address):
    (pub.root / "a.txt").chmod(0o600)
    at = free_address()
    server = serve(f"http-socket = {at}\nuid = nobody\ngid = nogroup")
    server.address = at
    assert is_the_applications(fetch(server, "/static/a.txt"))
    server.wait_line(r"warning: static-map = \S+: 'a.txt' is not served: Permission denied")


# Conditions

@pytest.fixture
def tag(serve):
    """A server and the entity tag of /static/a.txt."""
    server = serve()
    return server, fetch(server, "/static/a.txt").get("ETag")


@pytest.mark.parametrize("fields, status", [
    ({"if_none_match": "{tag}"}, 304),
    ({"if_none_match": "W/{tag}"}, 304),
    ({"if_none_match": '"a,b", {tag}'}, 304),
    ({"if_none_match": "*"}, 304),
    ({"if_none_match": '"other"'}, 200),
    ({"if_none_match": '"other"', "if_modified_since": DATE}, 200),
    ({"if_modified_since": DATE}, 304),
    ({"if_modified_since": "Sunday, 06-Nov-94 08:49:37 GMT"}, 304),
    ({"if_modified_since": "Sun Nov  6 08:49:37 1994"}, 304),
    ({"if_modified_since": LATER}, 304),
    ({"if_modified_since": EARLIER}, 200),
    ({"if_modified_since": "yesterday"}, 200),
    ({"if_match": "{tag}"}, 200),
    ({"if_match": "*"}, 200),
    ({"if_match": '"other"'}, 412),
    ({"if_match": "W/{tag}"}, 412),
    ({"if_unmodified_since": DATE}, 200),
    ({"if_unmodified_since": EARLIER}, 412),
    ({"if_match": '"other"', "if_none_match": "{tag}"}, 412),
    ({"if_none_match": "{tag}", "range": "bytes=0-1"}, 304),
    ({"if_match": '"other"', "range": "bytes=99-"}, 412),
])
def test_conditions(tag, fields, status):
    server, etag = tag
    fields = {n: v.replace("{tag}", etag) for n, v in fields.items()}
    for method in ("GET", "HEAD"):
        answer = fetch(server, "/static/a.txt", method, **fields)
        assert answer.status == status
        if status == 304:
            assert answer.get("ETag") == etag and answer.get("Last-Modified") == DATE
            assert answer.get("Content-Type") is None


def test_a_changed_file_has_another_tag(serve, pub):
    server = serve()
    tags = {fetch(server, "/static/a.txt").get("ETag")}
    pub("a.txt", b"abcdefghij")
    os.utime(pub.root / "a.txt", ns=(0, MODIFIED * 10**9 + 1))
    tags.add(fetch(server, "/static/a.txt").get("ETag"))
    os.rename(pub("new", b"ABCDEFGHIJ"), pub.root / "a.txt")
    os.utime(pub.root / "a.txt", ns=(0, MODIFIED * 10**9 + 1))
    tags.add(fetch(server, "/static/a.txt").get("ETag"))
    assert len(tags) == 3


def test_a_file_from_the_future_is_as_old_as_its_answer(serve, pub):
    os.utime(pub.root / "a.txt", (3 * 10**9, 3 * 10**9))
    answer = fetch(serve(), "/static/a.txt")
    modified, date = (email.utils.parsedate_to_datetime(answer.get(n))
                      for n in ("Last-Modified", "Date"))
    assert modified <= date


# Parts

@pytest.mark.plain
@pytest.mark.parametrize("value, first, last", [
    ("bytes=0-0", 0, 0), ("bytes=2-5", 2, 5), ("bytes=7-", 7, 9), ("bytes=-3", 7, 9),
    ("bytes=0-", 0, 9), ("bytes=5-999", 5, 9), ("bytes=-999", 0, 9), ("bytes=3-4,50-60", 3, 4),
])
def test_one_part(serve, value, first, last):
    with Connection(serve().address) as c:
        answer = c.request("/static/a.txt", fields=[("Range", value)])
        assert answer.status == 206
        assert answer.get("Content-Range") == f"bytes {first}-{last}/10"
        assert answer.body == b"0123456789"[first:last + 1]
        assert c.request("/query?next").body == b"next"


@pytest.mark.parametrize("value", ["bytes=5-4", "bytes=", "lines=0-1", "bytes=a-b", "bytes=0-5,3-9",
                                   "bytes=0-0," * 17, "bytes"])
def test_ranges_that_are_none(serve, value):
    answer = fetch(serve(), "/static/a.txt", range=value)
    assert (answer.status, answer.body) == (200, b"0123456789")


@pytest.mark.parametrize("value", ["bytes=10-", "bytes=10-20,99-", "bytes=-0"])
def test_a_range_outside(serve, value):
    server = serve()
    answer = fetch(server, "/static/a.txt", range=value)
    assert (answer.status, answer.get("Content-Range")) == (416, "bytes */10")


def test_an_empty_file_has_no_parts(serve, pub):
    pub("empty.txt")
    server = serve()
    for fields in ({}, {"range": "bytes=0-"}, {"range": "bytes=-1"}):
        answer = fetch(server, "/static/empty.txt", **fields)
        assert (answer.status, answer.body, answer.get("Content-Length")) == (200, b"", "0")


def test_several_parts(serve):
    answer = fetch(serve(), "/static/a.txt", range="bytes=7-,0-1, 4-4")
    assert answer.status == 206 and answer.get("Content-Range") is None
    m = re.fullmatch("multipart/byteranges; boundary=([0-9a-f]{32})", answer.get("Content-Type"))
    parts = answer.body.split(b"\r\n--" + m.group(1).encode())
    assert parts[0] == b"" and parts[-1] == b"--\r\n"
    assert [p.partition(b"\r\n\r\n")[::2] for p in parts[1:-1]] == [
        (b"\r\nContent-Type: text/plain\r\nContent-Range: bytes %d-%d/10" % (first, last), data)
        for first, last, data in ((7, 9, b"789"), (0, 1, b"01"), (4, 4, b"4"))]


def test_several_parts_of_megabytes_are_the_whole_file(serve, pub):
    pub("big", pattern(3 * MIB))
    answer = fetch(serve(), "/static/big", range=f"bytes=0-{MIB},{2 * MIB}-")
    assert (answer.status, answer.body) == (200, pattern(3 * MIB))


@pytest.mark.parametrize("value, status", [
    ("{tag}", 206), (DATE, 206), ("W/{tag}", 200), ('"other"', 200), (LATER, 200), ("", 200),
])
def test_a_part_of_the_same_file_only(tag, value, status):
    server, etag = tag
    answer = fetch(server, "/static/a.txt", range="bytes=0-1", if_range=value.replace("{tag}", etag))
    assert answer.status == status
    answer = fetch(server, "/static/a.txt", range="bytes=99-", if_range=value.replace("{tag}", etag))
    assert answer.status == (416 if status == 206 else 200)


# Compressed files

@pytest.fixture
def zipped(pub):
    """/static/s.css with compressed files beside it."""
    pub("s.css", b"plain")
    pub("s.css.gz", gzip.compress(b"zipped"))
    pub("s.css.br", b"brotli")


@pytest.mark.parametrize("accept, coding", [
    (None, None), ("", None), ("gzip", "gzip"), ("gzip, deflate, br", "br"), ("br;q=0.5, gzip", "gzip"),
    ("gzip;q=0, br;q=0", None), ("*", "br"), ("identity, gzip;q=0.5", None), ("x-gzip", "gzip"),
    ("identity;q=0", None),
])
def test_a_compressed_file_for_those_who_take_it(serve, zipped, accept, coding):
    server = serve("static-gzip-all = yes")
    fields = {} if accept is None else {"accept_encoding": accept}
    answer = fetch(server, "/static/s.css", **fields)
    body = {None: b"plain", "gzip": gzip.compress(b"zipped"), "br": b"brotli"}[coding]
    assert answer.status == 200 and answer.get("Content-Encoding") == coding
    assert answer.get("Content-Type") == "text/css" and answer.get("Vary") == "Accept-Encoding"
    assert len(answer.body) == len(body) and (coding == "gzip" or answer.body == body)


def test_each_coding_has_its_own_tag_and_its_own_parts(serve, zipped):
    server = serve("static-gzip-all = yes")
    plain = fetch(server, "/static/s.css")
    br = fetch(server, "/static/s.css", accept_encoding="br")
    assert plain.get("ETag") != br.get("ETag")
    assert fetch(server, "/static/s.css", accept_encoding="br",
                 if_none_match=plain.get("ETag")).status == 200
    again = fetch(server, "/static/s.css", accept_encoding="br", if_none_match=br.get("ETag"))
    assert again.status == 304 and again.get("Vary") == "Accept-Encoding"
    part = fetch(server, "/static/s.css", accept_encoding="br", range="bytes=0-1")
    assert (part.status, part.body, part.get("Content-Encoding")) == (206, b"br", "br")


def test_only_what_is_beside_the_file(serve, pub, folder):
    (folder / "out.gz").write_bytes(b"secret")
    pub("only.gz")
    pub("out")
    (pub.root / "out.gz").symlink_to(folder / "out.gz")
    (pub.root / "a.txt.gz").mkdir()
    server = serve("static-gzip-all = yes")
    assert is_the_applications(fetch(server, "/static/only", accept_encoding="gzip"))
    for target in ("/static/a.txt", "/static/out"):
        answer = fetch(server, target, accept_encoding="gzip")
        assert answer.status == 200 and answer.get("Content-Encoding") is None


@pytest.mark.parametrize("settings, compressed", [
    ("", False), ("static-gzip-ext = .css", True), ("static-gzip-suffix = .js", False),
    ("static-gzip-dir = {folder}/pub", True), ("static-gzip-prefix = /srv", False),
    (r"static-gzip = \.(css|js)$", True), (r"static-gzip = \.js$", False),
])
def test_which_files_may_be_compressed(serve, zipped, settings, compressed):
    answer = fetch(serve(settings), "/static/s.css", accept_encoding="gzip")
    assert answer.get("Content-Encoding") == ("gzip" if compressed else None)
    assert answer.get("Vary") == ("Accept-Encoding" if compressed else None)


def test_a_file_that_is_mapped_alone_has_its_compressed_one(serve, zipped):
    server = serve("static-map = /s={folder}/pub/s.css\nstatic-gzip-all = yes")
    answer = fetch(server, "/s", accept_encoding="br")
    assert (answer.body, answer.get("Content-Type")) == (b"brotli", "text/css")


# How long, and what it is

def seconds_between(answer):
    date, expires = (email.utils.parsedate_to_datetime(answer.get(n)) for n in ("Date", "Expires"))
    return (expires - date).total_seconds()


@pytest.mark.parametrize("rule, target", [
    (r"static-expires = /pub/a\.txt$ 3600", "/static/a.txt"),
    (r"static-expires-path-info = ^/static/a 3600", "/static/%61.txt"),
    (r"static-expires-uri = %%61.*\?v 3600", "/static/%61.txt?v"),
    (r"static-expires-type = text/plain=3600", "/static/a.txt"),
])
def test_how_long_a_file_may_be_kept(serve, rule, target):
    server = serve(rule)
    for fields in ({}, {"range": "bytes=0-1"}, {"if_modified_since": DATE}):
        answer = fetch(server, target, **fields)
        assert answer.get("Cache-Control") == "max-age=3600"
        assert abs(seconds_between(answer) - 3600) <= 1
    assert fetch(server, "/static/other").get("Cache-Control") is None


def test_how_long_from_the_last_change(serve, pub):
    server = serve("static-expires-mtime = txt 60")
    answer = fetch(server, "/static/a.txt")
    assert answer.get("Cache-Control") == "max-age=0"
    assert answer.get("Expires") == "Sun, 06 Nov 1994 08:50:37 GMT"
    assert fetch(serve("static-expires-type-mtime = text/plain=3000000000", name="b.ini"),
                 "/static/a.txt").get("Cache-Control").startswith("max-age=")


def test_media_types(serve, pub):
    for name in ("a.js", "a.JSON", "a.unknown", "README", "a.tar.gz"):
        pub(name)
    server = serve()
    for name, type_ in (("a.js", "text/javascript"), ("a.JSON", "application/json"),
                        ("a.unknown", "application/octet-stream"),
                        ("README", "application/octet-stream"), ("a.tar.gz", "application/gzip")):
        assert fetch(server, "/static/" + name).get("Content-Type") == type_


def test_a_list_of_media_types(serve, pub, folder):
    (folder / "types").write_text("# own\ntext/x-own own txt\n")
    pub("a.own")
    server = serve("mimefile = {folder}/types")
    for name in ("a.own", "a.txt"):
        assert fetch(server, "/static/" + name).get("Content-Type") == "text/x-own"


# Sending

@pytest.mark.plain
def test_a_large_file_arrives_whole(serve, pub):
    pub("big", pattern(20 * MIB))
    server = serve()
    with Connection(server.address) as c:
        assert c.request("/static/big").body == pattern(20 * MIB)
        part = c.request("/static/big", fields=[("Range", f"bytes={5 * MIB}-{15 * MIB}")])
        assert part.body == pattern(20 * MIB)[5 * MIB:15 * MIB + 1]
        c.send(request_bytes("/static/big") + request_bytes("/query?after"))
        assert c.response().body == pattern(20 * MIB)
        assert c.response().body == b"after"


def test_a_client_that_reads_slowly_holds_up_nobody(serve, pub):
    pub("big", pattern(20 * MIB))
    server = serve()
    with Connection(server.address) as slow:
        slow.send(request_bytes("/static/big"))
        slow.wait_input()
        for _ in range(3):
            assert fetch(server, "/static/a.txt").body == b"0123456789"
            assert fetch(server, "/query?x").body == b"x"
        assert slow.response().body == pattern(20 * MIB)


@pytest.mark.plain
def test_files_do_not_wait_for_the_application(serve, folder):
    server = serve()
    with Meeting(folder) as meeting, Connection(server.address) as busy:
        busy.send(request_bytes(meeting.target))
        visitor = meeting.arrive()
        with Connection(server.address) as c:
            for _ in range(3):
                assert c.request("/static/a.txt").body == b"0123456789"
            assert c.request("/static/a.txt", "HEAD", [("Connection", "close")]).status == 200
            assert c.at_end()
        visitor.release()
        assert busy.response().body == b"released"


def test_a_file_that_shrinks_cuts_the_answer(serve, pub):
    path = pub("big", pattern(20 * MIB))
    server = serve()
    with Connection(server.address) as c:
        c.send(request_bytes("/static/big"))
        c.wait_input()
        os.truncate(path, 10)
        with pytest.raises((ProtocolError, ConnectionResetError)):
            c.response()
    assert fetch(server, "/static/big").body == pattern(20 * MIB)[:10]


def test_no_descriptor_is_left_open(serve, pub, zipped):
    pub("dir/index.html")
    server = serve("static-gzip-all = yes\nstatic-index = index.html")
    worker = int(fetch(server, "/pid").body)
    with Connection(server.address) as c:
        counts = []
        for _ in range(5):
            for target in ("s.css", "dir/", "dir", "missing", "a.txt"):
                for fields in ([("Accept-Encoding", "gzip")], [("Range", "bytes=0-0,2-2")],
                               [("If-Modified-Since", DATE)], [("Range", "bytes=99-")]):
                    c.request("/static/" + target, fields=fields)
            c.request("/query?all-before-is-done")
            counts.append(len(proc.descriptors(worker)))
    assert counts[-1] <= counts[0]  # the connection of /pid may be in the first count


@pytest.mark.parametrize("peer", [Uwsgi, Scgi, FastCgi])
def test_files_behind_a_web_server(serve, pub, folder, peer):
    pub("big", pattern(3 * MIB))
    pub("dir/index.html", b"index")
    server = serve(f"{peer.option} = {{folder}}/front\nstatic-index = index.html")
    server.wait_line(r"serves with")

    def ask(target, **kw):
        with peer(str(folder / "front")) as c:
            return c.get(target, **kw)

    assert ask("/static/a.txt").body == b"0123456789"
    assert ask("/static/a.txt", HTTP_RANGE="bytes=2-3").body == b"23"
    assert ask("/static/a.txt", HTTP_IF_MODIFIED_SINCE=DATE).status == 304
    assert ask("/static/big").body == pattern(3 * MIB)
    assert ask("/static/dir").get("Location") == "/static/dir/"
    answer = ask("/app/static/dir", SCRIPT_NAME="/app", PATH_INFO="/static/dir")
    assert answer.get("Location") == "/app/static/dir/"
    assert ask("/static/../pub/a.txt").body == b"hello\n"


# Configuration

def test_a_directory_that_is_not_there(serve, pub, folder):
    server = serve("static-map = /later=later")
    server.wait_line(r"warning: \S*app\.ini:5: static-map = /later=later: nothing is served from there "
                     r"until it exists: No such file or directory")
    assert is_the_applications(fetch(server, "/later/a.txt"))
    os.rename(pub.root, folder / "later")
    assert fetch(server, "/later/a.txt").body == b"0123456789"
    os.rename(folder / "later", pub.root)
    assert is_the_applications(fetch(server, "/later/a.txt"))
    assert fetch(server, "/static/a.txt").body == b"0123456789"


def test_lazy_apps_have_static_files_too(serve):
    server = serve("lazy-apps = yes\nprocesses = 2")
    for _ in range(8):
        assert fetch(server, "/static/a.txt").body == b"0123456789"


@pytest.mark.parametrize("setting, says", [
    ("static-map = /static", r"static-map: '/static' is not /PREFIX=PATH"),
    ("static-expires-uri = ( 60", r"static-expires-uri: '\(' is not a regular expression: missing "
                                  r"closing parenthesis, at character 2"),
    ("static-expires-type = text/css=1h", r"static-expires-type: 'text/css=1h' is not TYPE=SECONDS"),
    ("static-index = a/b", r"static-index: 'a/b' is not a file's name"),
    ("check-static-docroot = yes", r"'check-static-docroot' is an option of uWSGI that liege does not"),
    ("honour-range = no", r"honour-range: 'no' is not possible: liege always does this"),
])
@pytest.mark.parametrize("arguments", [(), ("--check",)])
def test_mistakes_are_found_at_the_start(serve, setting, says, arguments):
    server = serve(setting, wait=False, arguments=arguments)
    assert server.wait() != 0
    server.wait_line(r"app\.ini:5: " + says)


def test_media_types_must_be_readable(serve):
    server = serve("mimefile = /nonexistent/types", wait=False)
    assert server.wait() == says.BOOT_ERROR
    server.wait_line(r"mimefile: /nonexistent/types: No such file or directory")
