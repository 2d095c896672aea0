"""A raw file that was only touched is read again where one is asked for; a changed one is not."""

import json
import os
from pathlib import Path

import pytest
from lake_fixtures import Site, make_line

from pipeline.ingest import seen

FULL: dict[str, str | None] = {"TIDEGAUGE_ADDRESSES": "full"}
LINES = [make_line(client=f"192.0.2.{number}") for number in range(40)]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def take(site: Site, content: bytes) -> Path:
    path = site.write("web01.log", content)
    site.ingest("raw")
    site.run("build")
    return path


def clients_of(site: Site) -> set[str | None]:
    return {row["client"] for row in site.rows("hits")}


def explain(site: Site) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = json.loads(
        site.run("build", "--explain", "--format", "json", env=FULL).out
    )
    return rows


@pytest.mark.large
def test_a_file_that_was_only_touched_is_read_again(site: Site) -> None:
    """By the plan that is shown, and by the build that is asked to."""
    path = take(site, b"".join(LINES))
    os.utime(path, (1, 1))
    assert {row["taken by"] for row in explain(site)} == {"build --also settings"}
    done = site.run("build", "--also", "settings", env=FULL)
    assert "kept" not in done.out
    assert clients_of(site) == {f"192.0.2.{number}" for number in range(40)}


@pytest.mark.large
def test_a_file_that_was_moved_and_seen_there_is_read_again(site: Site) -> None:
    path = take(site, b"".join(LINES))
    path.rename(path.with_name("web01.log.1"))
    assert "nothing: raw files are gone" in explain(site)[0]["taken by"]
    assert "already in the lake" in site.ingest("raw").err
    site.run("build", "--also", "settings", env=FULL)
    assert None not in clients_of(site)


@pytest.mark.rest_large
@pytest.mark.parametrize(
    "content",
    [b"".join([*LINES, *LINES]), b"".join(LINES[::-1]), b"".join(LINES[:-1])],
    ids=["grown", "another one of the same size", "cut"],
)
def test_a_file_that_has_changed_is_not_taken_for_what_was_read(site: Site, content: bytes) -> None:
    path = take(site, b"".join(LINES))
    path.write_bytes(content)
    os.utime(path, (1, 1))
    assert {row["taken by"] for row in explain(site)} == {"nothing: raw files are gone (web01.log)"}
    done = site.run("build", "--also", "settings", env=FULL)
    assert "kept 2016-11-08 as it is: its raw files are gone" in done.out
    assert clients_of(site) == {None}


def test_content_is_looked_at_only_where_time_alone_differs(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a file as it was nor one of another size is read to explain a build."""
    path = take(site, b"".join(LINES))

    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(seen, "_digest", refuse)
    assert explain(site)
    path.write_bytes(b"".join([*LINES, *LINES]))
    assert explain(site)


def test_a_cut_off_line_is_told_by_a_file_that_was_touched(site: Site) -> None:
    """Whether the later file goes on with it is in that file's bytes alone."""
    later = site.write("web01-b.log", b"".join(LINES))
    site.ingest(later)
    os.utime(later, (1, 1))
    site.ingest(site.write("web01-a.log", b"".join(LINES[:10])[:-5]))
    assert len(site.rows("hits")) == 40


def test_a_person_in_a_raw_file_that_has_grown_is_said(site: Site) -> None:
    path = take(site, b"".join(LINES))
    path.write_bytes(b"".join([*LINES, *LINES]))
    said = site.run("erase", "--client", "192.0.2.7", "--delete").err
    assert "delete them there, too (web01.log)" in said
