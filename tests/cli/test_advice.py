"""What doctor advises, pasted as it stands: the file reads."""

import json
import re
import tomllib
from itertools import product
from pathlib import Path

import pytest
from lake_fixtures import Site
from structured_layouts import LINE

from pipeline.formats.layouts import list_layouts

FIELD_CASES = Path(__file__).parents[3] / "shared/corpus/field"
FILES = [
    path for path in sorted(FIELD_CASES.glob("*/*"))
    if path.suffix in (".log", ".json") and path.stat().st_size < 1 << 20
]  # fmt: skip
_SETTING = re.compile(r'\b(?:log_format = "[^"]*"|trusted_proxies = \[[^\]]*\])')
PARTS = {"time": "2016-11-08T23:04:05Z", "ip": "203.0.113.7", "request": "GET /a?b=c HTTP/1.1"}
JSON_LOGS: dict[str, dict[str, object]] = {
    "a request": PARTS | {"status": 200, "size": 512, "ua": "Mozilla/5.0"},
    "nested, with other addresses": {
        "@timestamp": "2016-11-08T23:04:05.123Z", "server": {"ip": "192.0.2.1"},
        "source.ip": "2001:db8::7", "upstream_addr": "10.0.0.1:80", "url": {"path": "/a"},
        "http": {"request": {"method": "GET"}, "response": {"status_code": 200}},
    },
    "numbers for times": {
        "ts": 1478646245.123, "remote_addr": "203.0.113.7:4444", "method": "GET", "uri": "/a",
    },
    "nanoseconds": {"timestamp": 1478646245123456789, "clientIP": "203.0.113.7", "path": "/a"},
    "Apache's time": PARTS | {"time": "08/Nov/2016:23:04:05 +0000", "host": "www.example.com"},
    "day and time of day": {
        "day": "2016-11-08", "clock": "23:04:05", "client_ip": "203.0.113.7", "url": "http://a/b",
    },
    "odd keys": {
        "at/time": PARTS["time"], 'client".~ip.': PARTS["ip"], "the\nrequest": PARTS["request"],
    },
}  # fmt: skip


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def settings_in(said: str) -> list[str]:
    """The settings that a text advises: each a text of tidegauge.toml.

    Where it has a block of TOML, that; else one for each choice of what stands in its sentences.
    """
    if "\n[formats." in said:
        block = said[said.index('\nlog_format = "') :]
        return [block[: re.search(r"\n\n(?!\[)|\Z", block.strip()).end() + 1]]
    by_key: dict[str, list[str]] = {}
    for setting in dict.fromkeys(_SETTING.findall(said)):
        by_key.setdefault(setting.partition(" ")[0], []).append(setting)
    return ["\n".join(chosen) for chosen in product(*by_key.values())] if by_key else []


def assert_followed(site: Site, path: Path, said: str) -> list[Path]:
    """Paste each of the settings: doctor is content, and most lines are hits or known."""
    pasted = []
    for number, setting in enumerate(settings_in(said)):
        config = site.write(f"{number}.toml", f"{setting.strip()}\n".encode())
        tomllib.loads(setting)
        site.run("doctor", path, "--config", config, code=0)
        read = site.run("parse", path, "--config", config).out.splitlines()
        known = sum('"ts":' in row or '"skipped":' in row for row in read)
        assert 2 * known > len(read), setting
        pasted.append(config)
    return pasted


@pytest.mark.rest_large
@pytest.mark.parametrize("name", [one.name for one in list_layouts() if one.name != "no_requests"])
def test_the_layout_that_doctor_names_reads_the_file_when_it_is_set(site: Site, name: str) -> None:
    """Also where a proxy has to be trusted, or where the lines may be of two layouts."""
    layout = next(one for one in list_layouts() if one.name == name)
    *head, line = layout.example.split("\n")
    path = site.write("web.log", "\n".join([*head, *[line] * 5, ""]).encode())
    said = site.run("doctor", path, code=None).out
    assert assert_followed(site, path, said)


@pytest.mark.rest_large
@pytest.mark.parametrize("name", JSON_LOGS)
def test_a_map_that_doctor_writes_reads_the_lines(site: Site, name: str) -> None:
    """JSON of no known layout is read by where its fields stand, found by names and values."""
    path = site.write("web.log", (json.dumps(JSON_LOGS[name]) + "\n").encode() * 5)
    said = site.run("doctor", path, code=1).out
    (config,) = assert_followed(site, path, said)
    hit = json.loads(site.run("parse", path, "--config", config).out.splitlines()[0])
    assert hit["client"] in ("203.0.113.7", "2001:db8::7", "203.0.113.7:4444")
    assert hit["ts"].startswith("2016-11-08T23:04:05")
    assert hit["path"] in ("/a", "/b")


def test_a_map_is_written_for_nginxs_json_with_its_own_escapes_too(site: Site) -> None:
    path = site.write("web.log", (LINE % (r"\x22", "-", "-", r"\xC3") + "\n").encode() * 5)
    assert assert_followed(site, path, site.run("doctor", path, code=1).out)


@pytest.mark.parametrize(
    "record",
    [
        {"time": "yesterday", "ip": "203.0.113.7", "path": "/a"},
        {"time": PARTS["time"], "path": "/a"}, PARTS | {"request": "x"}, {"a": 1},
    ],
)  # fmt: skip
def test_no_map_is_written_where_something_is_lacking(site: Site, record: dict) -> None:
    path = site.write("web.log", (json.dumps(record) + "\n").encode() * 5)
    said = site.run("doctor", path, code=1).out
    assert settings_in(said) == []
    assert "[formats.NAME]" in said or "nearest is" in said or "of no layout" in said


@pytest.mark.parametrize("content", ["[\n {\n", "{\n", '[{"a":1},\n{"a":2}]\n'])
def test_json_of_many_lines_is_told_to_be_one_object_a_line(site: Site, content: str) -> None:
    path = site.write("my web.log", (content + '  "ip": "203.0.113.9"\n}\n').encode())
    said = site.run("doctor", path, code=1).out
    assert "one object a line is needed" in said
    assert f"jq -c '.[]' '{path}' > FILE" in said


@pytest.mark.large
@pytest.mark.skipif(not FILES, reason="the field cases are not in ../shared/corpus/field")
@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_doctor_advises_of_others_files_reads_them(site: Site, path: Path) -> None:
    assert_followed(site, path, site.run("doctor", path, code=None).out)
