"""Parse and doctor: what each line of a raw file is, which layout it has, what fails and where."""

import json
import re
from pathlib import Path

import pytest
from lake_fixtures import GOOD, Site, make_line

STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_parse_prints_one_object_a_line(site: Site) -> None:
    """Hits with their fields, rejects with reason and line, blanks as skipped; exit 0."""
    content = (
        make_line(client="::FFFF:1.2.3.4", request="GET http://H/a?b HTTP/1.1") + b"\n\x1b[2J\r\n"
    )
    path = site.write("web.log", content)
    for done in (site.run("parse", path), site.run("parse", "-", stdin=content)):
        hit, blank, reject = map(json.loads, done.out.splitlines())
        assert hit == {
            "line_no": 1, "ts": "2016-11-08T15:00:00Z", "client": "::FFFF:1.2.3.4", "host": "H",
            "method": "GET", "path": "/a", "query": "b", "protocol": "HTTP/1.1", "status": 200,
            "bytes_sent": 5, "referrer": None, "user_agent": "Firefox/49.0", "duration_ms": None,
            "forwarded": None,
        }  # fmt: skip
        assert blank == {"skipped": "blank"}
        assert reject == {"rejected": "client", "line_no": 3, "line": "\x1b[2J"}
        assert not STEERING.search(done.out + done.err)
    assert not site.lake.exists()


APACHE_ERROR = b"[Tue Nov 08 20:30:00.123456 2016] [core:error] [pid 7] AH00128: x\n"
NGINX_ERROR = (
    b'2016/11/08 20:30:00 [error] 12#12: *1 open() "/x" failed, request: "GET / HTTP/1.1"\n'
)
TLS_SESSION = (
    b"tls 2.0 2018-12-20T02:59:40 net/lb/c6e77e28c25b2234 g3d4b5e8bb8464cd 192.0.2.7:51341"
    b" 192.0.2.9:443 5 2 98 246 - - - ECDHE tlsv12 - lb.example.com - - -\n"
)
TCP_SESSION = (
    b"Feb  6 12:12:56 host haproxy[14387]: 192.0.2.7:33313 [06/Feb/2009:12:12:51.443] fnt"
    b" bck/srv1 0/0/5007 212 -- 0/0/0/0/3 0/0\n"
)


def test_what_is_no_text_is_said_and_not_compared_with_layouts(site: Site) -> None:
    """A database, an archive of a kind that is not known; a log behind a hole of NULs is text."""
    for content in (bytes(range(256)) * 20, b"\0\1\n\0\0\2abc" * 300):
        done = site.run("doctor", site.write("x.mmdb", content), code=1)
        assert done.out.splitlines()[0].endswith("x.mmdb: this is no text of lines")
        assert "nearest" not in done.out
        assert not STEERING.search(done.out + done.err)
    for content in (b"\0" * 5000 + b"what is this\n" * 30, "日本語のログ\n".encode() * 30):
        said = site.run("doctor", site.write("x.log", content), code=1).out
        assert "no text" not in said


def test_one_of_a_kind_is_said_as_one(site: Site) -> None:
    fields = b"#Fields: date time c-ip cs-method cs-uri-stem sc-status cs(User-Agent)\n"
    path = site.write("ex.log", fields + b"2016-11-08 15:00:00 192.0.2.1 GET /a 200 Firefox\n")
    assert "2 lines: 1 hit, 1 directive\n" in site.run("doctor", path).out


@pytest.mark.parametrize("line", [APACHE_ERROR, NGINX_ERROR, TLS_SESSION, TCP_SESSION])
def test_a_file_of_what_is_no_request_is_known_and_no_garbage(site: Site, line: bytes) -> None:
    path = site.write("error.log", line * 30)
    said = site.run("doctor", path).out
    assert "no_requests" in said
    assert "30 lines: 30 directives" in said
    mixed = site.write("mixed.log", GOOD * 200 + line * 30)
    assert "230 lines: 200 hits, 30 directives" in site.run("doctor", mixed).out


@pytest.mark.parametrize(
    ("content", "says", "code"),
    [
        (GOOD * 3, "combined", 0),
        (make_line().replace(b' "-" "Firefox/49.0"', b"") * 3, "common", 0),
        (b"#Version: 1.0\n#Fields: date time\n2016-11-08 10:00:00\n", "of no layout", 1),
        (b'{"a": 1}\n' * 9, "of no layout", 1),
        (GOOD * 9 + b"bad\n", "combined", 0),
        (b"", "empty", 0),
        (b"\n\n", "empty", 0),
        (b"x" * (17 << 20) + b"\n", "of no layout", 1),
    ],
    ids=["combined", "common", "w3c", "json", "one bad", "empty", "blank", "too long"],
)  # fmt: skip
def test_doctor_names_the_layout(content: bytes, says: str, code: int, site: Site) -> None:
    """Common, combined, neither or empty, in the first line; exit 1 when it cannot be read."""
    path = site.write("web.log", content)
    done = site.run("doctor", path, code=code)
    assert done.out.splitlines()[0].removeprefix(f"{path}: ").startswith(says)
    assert (
        site.run("doctor", "-", stdin=content, code=code).out.splitlines()[1:]
        == (done.out.splitlines()[1:])
    )


def test_doctor_shows_the_first_failing_lines_and_the_place(site: Site) -> None:
    """At most five failures, each with line, column, what was expected and a mark under it."""
    bad = GOOD.replace(b"Nov", b"Nox")
    done = site.run("doctor", site.write("web.log", GOOD * 20 + bad * 9))
    assert done.out.count("column 16, time: expected") == 5
    assert "line 21, column 16" in done.out
    shown, mark = done.out.splitlines()[-2:]
    assert shown[len(mark) - 1 :].startswith("08/Nox/2016")


def test_damaged_file_exits_1_from_parse_and_doctor(site: Site) -> None:
    """What could be read is shown; the damage is on stderr with exit 1."""
    path = site.write("web.gz", b"\x1f\x8b\x08" + b"\0" * 9)
    for command in ("parse", "doctor"):
        assert "web.gz: the archive is" in site.run(command, path, code=1).err
        assert "cannot be read" in site.run(command, "gone.log", code=1).err
