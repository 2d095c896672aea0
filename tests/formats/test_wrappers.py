"""Lines that syslog, containers or the journal carry are read without what is written around."""

import json
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from lake_fixtures import Site, assert_accounted, make_line

from pipeline.formats import unwrapping
from pipeline.formats.file_reader import FileReader
from pipeline.formats.layouts import list_layouts
from pipeline.ingest.raw_logs import RawLogs
from pipeline.lake.database import connect
from pipeline.lake.lake import Lake
from pipeline.raw import blocks
from pipeline.raw.files import find_files
from pipeline.raw.opening import DEFAULT_LIMITS

CLIENTS = [f"203.0.113.{n}" for n in range(1, 6)]
LINES = [make_line(client=client).decode().rstrip("\n") for client in CLIENTS]
ISO = "2016-11-08T10:00:00.123456-05:00"


def docker(line: str, stream: str = "stdout", end: str = "\n") -> str:
    return json.dumps({"log": line + end, "stream": stream, "time": "2016-11-08T15:00:00.12Z"})


def journal(line: str, program: str = "nginx") -> str:
    return json.dumps({
        "__REALTIME_TIMESTAMP": "1478617200000000", "PRIORITY": "6", "_PID": "7",
        "SYSLOG_IDENTIFIER": program, "MESSAGE": line, "_TRANSPORT": "syslog",
    })  # fmt: skip


WRAP: dict[str, tuple[str, Callable[[str], str]]] = {
    "RFC 3164": ("syslog", lambda line: f"Nov  8 10:00:00 web01 nginx: {line}"),
    "with priority": ("syslog", lambda line: f"<190>Nov  8 10:00:00 web01 nginx[12]: {line}"),
    "without host": ("syslog", lambda line: f"<190>Nov 18 10:00:00 nginx: {line}"),
    "host is an address": ("syslog", lambda line: f"Nov  8 10:00:00 10.0.0.7 nginx: {line}"),
    "with a year": ("syslog", lambda line: f"Nov  8 2016 10:00:00 web01 nginx: {line}"),
    "with milliseconds": ("syslog", lambda line: f"Nov  8 10:00:00.123 web01 nginx: {line}"),
    "template's spaces": ("syslog", lambda line: f"Nov  8 10:00:00 web01 nginx:  {line}"),
    "odd tag": ("syslog", lambda line: f"Nov  8 10:00:00 web01 docker/web-1.x[12]: {line}"),
    "rsyslog": ("syslog", lambda line: f"{ISO} web01 nginx: {line}"),
    "rsyslog, UTC": ("syslog", lambda line: f"2016-11-08T15:00:00Z web01 nginx[7]: {line}"),
    "journalctl short-iso": ("syslog", lambda line: f"2016-11-08T15:00:00+0000 h nginx[7]: {line}"),
    "heroku logs": ("syslog", lambda line: f"{ISO} app[web.1]: {line}"),
    "Logplex drain": ("heroku", lambda line: f"287 <190>1 {ISO} host app web.1 - {line}"),
    "Logplex, no count": ("heroku", lambda line: f"<190>1 {ISO} d.1a-2b app web.12 - {line}"),
    "RFC 5424": ("syslog_rfc5424", lambda line: f"<190>1 {ISO} web01 nginx 7 - - {line}"),
    "RFC 5424, BOM": ("syslog_rfc5424", lambda line: f"<190>1 {ISO} h nginx - - - \ufeff{line}"),
    "RFC 5424, all nil": ("syslog_rfc5424", lambda line: f"<190>1 - - - - - - {line}"),
    "RFC 5424, data": (
        "syslog_rfc5424",
        lambda line: (
            rf'<134>1 {ISO} fw haproxy 7 ID47 [a@1 x="1 \" \] 2"][meta sequenceId="1"] {line}'
        ),
    ),
    "RFC 5424, counted": ("syslog_rfc5424", lambda line: f"321 <190>1 {ISO} h n 7 - - {line}"),
    "CRI": ("kubernetes_cri", lambda line: f"{ISO} stdout F {line}"),
    "CRI, a tag": ("kubernetes_cri", lambda line: f"2016-11-08T15:00:00.1Z stdout F:x {line}"),
    "json-file": ("docker_json", docker),
    "compose": ("docker_compose", lambda line: f"web-1  | {line}"),
    "compose, old": ("docker_compose", lambda line: f"web_1 | {line}"),
    "compose, colours": ("docker_compose", lambda line: f"\x1b[36mweb-1  | \x1b[0m{line}"),
    "compose, times": ("docker_compose", lambda line: f"web-1  | 2016-11-08T15:00:00.1Z {line}"),
    "kubectl --prefix": ("kubectl", lambda line: f"[pod/web-5d4-x/nginx] {line}"),
    "docker logs -t": ("timestamps", lambda line: f"2016-11-08T15:00:00.123456789Z {line}"),
    "a time alone": ("timestamps", lambda line: f"Nov  8 10:00:00 {line}"),
    "journald": ("journald_json", journal),
    "json-file of rsyslog": ("docker_json, syslog", lambda line: docker(f"{ISO} h nginx: {line}")),
    "CRI of syslog": ("kubernetes_cri, syslog", lambda line: f"{ISO} stderr F {ISO} h n: {line}"),
}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def read(site: Site, lines: Iterable[str], *options: str) -> list[dict[str, Any]]:
    """Return what each of some lines is, as `parse` prints it."""
    content = "".join(f"{line}\n" for line in lines).encode()
    out = site.run("parse", site.write("x.log", content), *options).out
    return [json.loads(row) for row in out.splitlines()]


def wrapped(kind: str, lines: Iterable[str] = LINES) -> list[str]:
    return [WRAP[kind][1](line) for line in lines]


@pytest.mark.large
def test_hits_are_those_of_the_bare_lines(site: Site) -> None:
    """The same fields; the ledger, `doctor` and `parse` name what carried them."""
    bare = read(site, LINES)
    paths = {}
    for number, (kind, (name, _)) in enumerate(WRAP.items()):
        found = read(site, wrapped(kind))
        assert [row.pop("wrapper") for row in found] == [name] * 5, kind
        assert found == bare, kind
        content = "".join(f"{line}\n" for line in wrapped(kind)).encode()
        paths[kind] = site.write(f"source{number}.log", content)
    site.ingest(*paths.values())
    records = {record["name"]: record for record in site.records().values()}
    for kind, path in paths.items():
        record, (name, _) = records[path.name], WRAP[kind]
        assert (record["hits"], record["lines"]) == (5, 5), kind
        assert (record["wrapper"], record["layout"]) == (name, "combined"), kind
        assert f"its lines are carried by {name}" in site.run("doctor", path).out


@pytest.mark.large
def test_every_layout_is_read_in_every_wrapper() -> None:
    """Found by itself behind a prefix or in JSON, and given by its name."""
    connection = connect(threads=1)
    for number, layout in enumerate(list_layouts()):
        lines = [layout.example] * 3
        if "\n" in layout.example or hits_of(connection, lines, layout.name) < 3:
            continue  # no hit without a header before it
        found_in = "json-file" if number % 2 else "RFC 3164"
        for kind in ("RFC 3164", "CRI", "json-file", "journald"):
            given = None if kind == found_in else layout.name
            line = WRAP[kind][1](layout.example)
            assert hits_of(connection, [line] * 3, given) == 3, (layout.name, kind)


def hits_of(connection: Any, lines: list[str], given: str | None) -> int:
    reader = FileReader(given)
    parts = reader.cut(connection, np.arange(1, len(lines) + 1), pa.array(lines, pa.string()))
    return len(reader.read(connection, parts).hits)


@pytest.mark.parametrize("kind", ["RFC 3164", "CRI", "json-file", "compose"])
def test_format_string_may_be_the_message_s(kind: str, site: Site) -> None:
    """As the server's configuration has it; whatever carries the line is not in there."""
    given = '$remote_addr [$time_local] "$request" $status $body_bytes_sent "$http_user_agent"'
    lines = [f'{c} [08/Nov/2016:10:00:00 -0500] "GET /a HTTP/1.1" 200 5 "F/1"' for c in CLIENTS]
    found = read(site, wrapped(kind, lines), "--log-format", given)
    assert [row["client"] for row in found] == CLIENTS


def test_format_string_may_be_the_whole_line_s(site: Site) -> None:
    """A string with syslog's prefix reads the lines as they stand."""
    given = '%^:%^:%^: %h %^[%d:%t %^] "%r" %s %b "%R" "%u"'
    found = read(site, wrapped("RFC 3164"), "--log-format", given)
    assert [row["client"] for row in found] == CLIENTS
    assert "wrapper" not in found[0]


def test_combined_that_is_given_takes_no_month_for_a_client(site: Site) -> None:
    found = read(site, wrapped("RFC 3164"), "--log-format", "combined")
    assert [row["client"] for row in found] == CLIENTS


OTHERS = [
    "Nov  8 10:00:00 web01 sshd[9]: Failed password for root from 198.51.100.7 port 22 ssh2",
    "Nov  8 10:00:00 web01 kernel: [ 12.3] eth0: link up",
    "Nov  8 10:00:00 web01 CRON[9]: (root) CMD (true)",
    (
        "Nov  8 10:00:00 web01 sshd[9]: Invalid user x - - [08/Nov/2016:10:00:00 -0500]"
        ' "GET / HTTP/1.1" 200 5 "-" "x" from 198.51.100.7'
    ),
]


def test_messages_of_other_programs_are_directives_in_a_file_of_requests(site: Site) -> None:
    """Also where they are nearly all of it, and one is made up as a request."""
    lines = OTHERS * 60 + wrapped("RFC 3164") + OTHERS * 60
    content = "".join(f"{line}\n" for line in lines).encode()
    path = site.write("syslog", content)
    site.ingest(path)
    assert_accounted(site, content, hits=5, directives=480)
    said = site.run("doctor", path).out
    assert "requests by nginx; 480 lines of others (sshd, kernel, CRON) are no requests" in said


def test_file_of_other_programs_alone_has_no_hits(site: Site) -> None:
    """Nothing is silent: no line could be read."""
    content = "".join(f"{line}\n" for line in OTHERS * 3).encode()
    done = site.ingest(site.write("auth.log", content))
    assert_accounted(site, content, rejected=12)
    assert "none of its 12 lines could be read" in done.err


def test_broken_line_of_the_server_is_rejected_not_taken_for_another_program_s(site: Site) -> None:
    lines = [*wrapped("RFC 3164"), "Nov  8 10:00:00 web01 nginx: 203.0.113.9 - - [garbage"]
    found = read(site, lines)
    assert [row.get("rejected") for row in found] == [None] * 5 + ["time"]


def test_line_without_the_wrapper_is_rejected_openly(site: Site) -> None:
    """A cut-off line, or one of another writer; a blank one stays blank."""
    lines = [*wrapped("RFC 3164"), LINES[0][-40:], "", "Nov  8 10:00:00 web01 last message rep"]
    found = read(site, lines)
    assert [row.get("rejected") or row.get("skipped") for row in found[5:]] == [
        "wrapper", "blank", "wrapper",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["RFC 3164", "rsyslog", "CRI", "json-file", "compose", "journald"])
def test_file_may_be_wrapped_from_its_middle_on(kind: str, site: Site) -> None:
    """And the other way round: a change of the server's settings within a day."""
    for lines in (LINES * 8 + wrapped(kind) * 8, wrapped(kind) * 8 + LINES * 8):
        found = read(site, lines)
        assert [row.get("client") for row in found] == CLIENTS * 16


@pytest.mark.parametrize("kind", WRAP)
def test_what_a_visitor_writes_is_never_unwrapped(kind: str, site: Site) -> None:
    """A fake wrapper in path, agent and user, in bare lines and in wrapped ones."""
    fake = WRAP[kind][1](make_line(client="6.6.6.6").decode().rstrip())
    fake = fake.replace("\\", "\\\\").replace('"', '\\"')
    evil = [
        make_line(client="203.0.113.9", request=f"GET /{fake} HTTP/1.1").decode().rstrip(),
        make_line(client="203.0.113.9", agent=fake, referrer=fake).decode().rstrip(),
    ]
    for lines in (LINES + evil * 30, wrapped(kind, LINES + evil * 30)):
        clients = {row.get("client") for row in read(site, lines)}
        assert clients <= {*CLIENTS, "203.0.113.9"}
        assert "203.0.113.9" in clients


def test_header_first_line_is_not_unwrapped_by_its_first_field(site: Site) -> None:
    """A field before the client that a visitor writes, such as a forwarded one, wraps nothing."""
    given = '%{X-Forwarded-For}i %h %l %u %t "%r" %>s %b'
    tail = '203.0.113.9 - - [08/Nov/2016:10:00:00 -0500] "GET /a HTTP/1.1" 200 5'
    fake = "Nov  8 10:00:00 web01 nginx: 6.6.6.6"
    lines = [f"198.51.100.{n} {tail}" for n in range(40)] + [f"{fake} {tail}"]
    found = read(site, lines, "--log-format", given)
    assert {row["client"] for row in found if "client" in row} == {"203.0.113.9"}


def test_a_prefix_is_taken_off_once(site: Site) -> None:
    """The message may itself begin like a tag: host and tag are the outer ones."""
    lines = [f"Nov  8 10:00:00 nginx: evil: {line}" for line in LINES]
    found = read(site, wrapped("RFC 3164") * 4 + lines)
    assert [row.get("rejected") for row in found[20:]] == [None] * 5 or all(
        row.get("client") in (None, "evil:") for row in found[20:]
    )
    assert "Nov" not in {row.get("client") for row in found}


REPEATED = "message repeated 3 times: [ " + LINES[0] + "]"


@pytest.mark.parametrize("kind", ["bare", "RFC 3164", "rsyslog", "json-file of rsyslog"])
def test_message_repeated_is_rejected_as_such(kind: str, site: Site) -> None:
    """Its requests are unknown in number of times; many of them are no other layout's lines."""
    lines = LINES + [REPEATED] * 40
    found = read(site, lines if kind == "bare" else wrapped(kind, lines))
    assert [row.get("rejected") for row in found] == [None] * 5 + ["repeated"] * 40
    assert {row.get("client") for row in found[:5]} == set(CLIENTS)


def test_no_address_stays_in_rejected_lines(site: Site) -> None:
    """Of repeated, wrapped, joined and unreadable lines; the sender's address is left out, too."""
    lines = [
        *wrapped("RFC 3164"),
        f"Nov  8 10:00:00 198.51.100.7 nginx: {REPEATED}",
        "Nov  8 10:00:00 198.51.100.7 nginx: 203.0.113.77 - broken",
        "2016 198.51.100.7 nothing that is known",
    ]
    site.ingest(site.write("web.log", "".join(f"{line}\n" for line in lines).encode()))
    escaped = docker("203.0.113.88 - broken").replace("203.0.113.88", r"203\u002e0\u002e113.88")
    json_lines = [*wrapped("json-file"), escaped, '{"log":"203.0.113.99 - x\\n","stream":"stdout"']
    site.ingest(site.write("box.log", "".join(f"{line}\n" for line in json_lines).encode()))
    kept = " ".join(row["line"] for row in site.rows("rejects"))
    assert len(site.rows("rejects")) == 5
    assert not [part for part in ("203.0.", "198.51.", "113.", "u002e") if part in kept]


def parts_of(line: str, size: int, stream: str = "stdout") -> list[str]:
    """Cut a line as the CRI does."""
    pieces = [line[at : at + size] for at in range(0, len(line), size)]
    return [
        f"{ISO} {stream} {'P' * (n < len(pieces) - 1) or 'F'} {p}" for n, p in enumerate(pieces)
    ]


def docker_parts(line: str, size: int, stream: str = "stdout") -> list[str]:
    """Cut a line as Docker does: only its last record has the line's end."""
    pieces = [line[at : at + size] for at in range(0, len(line), size)]
    ends = [""] * (len(pieces) - 1) + ["\n"]
    return [docker(piece, stream, end) for piece, end in zip(pieces, ends, strict=True)]


LONG = make_line(client="203.0.113.50", request=f"GET /{'x' * 900} HTTP/1.1").decode().rstrip()


@pytest.mark.parametrize("cut", [parts_of, docker_parts])
def test_parts_are_joined_also_interleaved(
    cut: Callable[[str, int, str], list[str]], site: Site
) -> None:
    """The hit is its last part's line; the others are directives; streams do not mix."""
    out, err = cut(LONG, 100, "stdout"), cut("E: " + "y" * 800, 100, "stderr")
    mixed = [line for pair in zip(out, err + [err[-1]] * 9, strict=False) for line in pair]
    whole = wrapped("CRI" if cut is parts_of else "json-file")
    content = "".join(f"{line}\n" for line in [*whole, *mixed, *whole]).encode()
    site.ingest(site.write("web.log", content))
    (record,) = site.records().values()
    assert record["hits"] == 11
    assert record["lines"] == record["hits"] + record["directives"]
    hits = site.rows("hits", columns=["line_no", "path"])
    (joined,) = [row for row in hits if len(row["path"]) > 900]
    assert joined == {"line_no": 5 + 2 * len(out) - 1, "path": "/" + "x" * 900}


@pytest.mark.parametrize("cut", [parts_of, docker_parts])
def test_parts_are_joined_across_blocks(
    cut: Callable[[str, int], list[str]], site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However blocks fall, every physical line is counted once and the hits are the same."""
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1500)
    lines = [part for _ in range(12) for part in [*cut(LONG, 70), *cut(LINES[0], 10_000)]]
    content = "".join(f"{line}\n" for line in lines).encode()
    site.ingest(site.write("web.log", content))
    (record,) = site.records().values()
    assert (record["hits"], record["rejected"]) == (24, 0)
    assert record["directives"] == len(lines) - 24


@pytest.mark.parametrize("cut", [parts_of, docker_parts])
def test_part_that_never_ends_is_read_as_far_as_it_came(
    cut: Callable[[str, int], list[str]], site: Site
) -> None:
    """The file ends, or was rotated, within a line: it is a line that is cut off."""
    parts = cut(LONG, 70)[:5]
    content = "".join(f"{line}\n" for line in [*cut(LINES[0], 9999), *parts]).encode()
    site.ingest(site.write("web.log", content))
    assert_accounted(site, content, hits=1, rejected=1, directives=len(parts) - 1)
    assert site.rows("rejects")[0]["line_no"] == 1 + len(parts)


def test_message_over_the_longest_line_is_too_long(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what is joined no more is kept than of one line."""
    monkeypatch.setattr(unwrapping, "MAX_LINE_BYTES", 500)
    content = "".join(f"{line}\n" for line in [*wrapped("CRI"), *parts_of(LONG, 70)]).encode()
    site.ingest(site.write("web.log", content))
    record = assert_accounted(
        site, content, hits=5, rejected=1, directives=len(parts_of(LONG, 70)) - 1
    )
    assert record["reasons"] == {"too_long": 1}


def test_journal_s_bytes_are_read_as_text(site: Site) -> None:
    """A message that is no plain text is a list of bytes; one that is left out is rejected."""
    lines = []
    for line in LINES:
        entry = json.loads(journal(line))
        entry["MESSAGE"] = list(line.encode().replace(b"Firefox", b"F\xff\x01"))
        lines.append(json.dumps(entry))
    empty = json.loads(journal("")) | {"MESSAGE": None}
    path = r"GET /\"MESSAGE\":[1] HTTP/1.1"
    fake = journal(f'203.0.113.6 - - [08/Nov/2016:10:00:00 -0500] "{path}" 200 5')
    found = read(site, [*lines, json.dumps(empty), fake])
    assert [row["client"] for row in found[:5]] == CLIENTS
    assert found[0]["user_agent"] == "F\\xff\x01/49.0"
    assert found[5]["rejected"] == "wrapper"
    assert found[6]["client"] == "203.0.113.6"


def test_two_servers_in_one_syslog_are_both_read(site: Site) -> None:
    """Each program in its own layout."""
    haproxy = (
        "203.0.113.60:54522 [08/Nov/2016:15:00:00.274] front~ pool/a 0/0/0/530/530 200 1148 - -"
        ' ---- 72/72/34/34/0 0/0 "GET /b HTTP/1.1"'
    )
    lines = wrapped("RFC 3164") * 8
    lines += [f"Nov  8 10:00:00 web01 haproxy[7]: {haproxy}"] * 30
    found = read(site, lines)
    assert [row.get("client") for row in found] == CLIENTS * 8 + ["203.0.113.60"] * 30


def test_wrapped_file_has_its_day_in_a_night(site: Site) -> None:
    """Its first and last hit are found from the head, whatever carries them."""
    for number, kind in enumerate(WRAP):
        content = "".join(f"{line}\n" for line in wrapped(kind)).encode()
        site.write(f"source{number}.log", content)
    found = find_files([site.folder / "raw"])
    search = RawLogs(Lake(site.lake), found, ZoneInfo("UTC"), DEFAULT_LIMITS)
    logs, *_ = search.list_logs(date(2016, 11, 8))
    assert {str(log.first_day) for log in logs} == {"2016-11-08"}


def test_file_without_a_wrapper_says_nothing_of_one(site: Site) -> None:
    path = site.write("web.log", "".join(f"{line}\n" for line in LINES).encode())
    site.ingest(path)
    assert [record["wrapper"] for record in site.records().values()] == [None]
    assert "carried" not in site.run("doctor", path).out
    assert "wrapper" not in read(site, LINES)[0]


def test_template_without_a_program_is_read(site: Site) -> None:
    """The client is never the month or the sender, in JSON as in combined."""
    caddy = next(layout.example for layout in list_layouts() if layout.name == "caddy")
    for host in ("web01", "198.51.100.7"):
        lines = [f"Nov  8 10:00:00 {host} {line}" for line in LINES]
        assert [row["client"] for row in read(site, lines)] == CLIENTS
        (row,) = read(site, [f"<190>{ISO} {host} {caddy}"])
        assert (row["wrapper"], row["client"]) == ("syslog", "203.0.113.7")


def test_a_few_wrapped_lines_among_many_bare_ones_are_read(site: Site) -> None:
    """One is enough, also where the layout is given; other programs' words are directives."""
    other = "Nov  8 10:00:00 web01 sshd[9]: Failed password for root from 198.51.100.7 port 22"
    for lines in (
        LINES * 3 + wrapped("RFC 3164")[:1], LINES * 3 + [*wrapped("json-file")[:2], other]
    ):  # fmt: skip
        for options in ((), ("--log-format", "combined")):
            clients = [row["client"] for row in read(site, lines, *options) if "client" in row]
            assert clients[:15] == CLIENTS * 3
            assert set(clients) == set(CLIENTS)
