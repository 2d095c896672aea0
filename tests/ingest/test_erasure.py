"""One person is erased: nothing kept tells of them, every figure stands, the lake proves."""

import json
from pathlib import Path

import pytest
from lake_fixtures import Site, make_line
from retention_sites import KEPT, NOON, OLD, make_original, set_clock

PERSON, AGENT = "192.0.2.7", "Person/1.0 (with a name)"
FIGURES = ("daily", "hourly", "minutes", "days", "expected", "surges", "restatements")


def write_site(folder: Path) -> Site:
    """A person with two user agents on two days in two files, sharing lines and an agent."""
    site = Site(folder)
    days = (
        "08/Nov/2016:23:50:00 -0500",
        "09/Nov/2016:00:05:00 -0500",
        "09/Nov/2016:09:00:00 -0500",
    )
    own = [
        make_line(at, PERSON, f"GET /secret/{n}?me=tom HTTP/1.1", agent, "https://tom.example/")
        for at in days
        for n, agent in enumerate((AGENT, "Shared/2.0"))
    ]
    others = [make_line(at, f"192.0.2.{n}", agent="Shared/2.0") for at in days for n in (8, 9)]
    garbage = f'{PERSON} - - nonsense "{AGENT}"\n'.encode()
    site.write("web01.log", b"".join([*own[:3], *others, garbage]))
    site.write("web02.log", b"".join([*own[3:], *others[:2]]))
    site.ingest("raw")
    site.run("build")
    return site


def kept_of(site: Site, *texts: str) -> list[str]:
    """Return the tables in which a text stands."""
    return [
        table
        for table in ("hits", "sessions", "rejects")
        for row in site.rows(table)
        if any(text in json.dumps(row, default=str) for text in texts)
    ]


def figures_of(site: Site) -> dict[str, list[dict[str, object]]]:
    return {table: site.rows(table) for table in FIGURES}


def test_a_person_is_erased_and_figures_stand(tmp_path: Path) -> None:
    """Listed first; then gone from hits, sessions and rejects, and every figure is what it was."""
    site = write_site(tmp_path)
    before, ids = figures_of(site), {row["visitor_id"] for row in site.rows("hits")}
    listed = json.loads(site.run("erase", "--client", PERSON, "--format", "json").out)
    assert sum(row["rows"] for row in listed if row["table"] == "hits") == 6
    kept = [row for row in site.rows("sessions") if row["entry_path"].startswith("/secret")]
    assert sum(row["rows"] for row in listed if row["table"] == "sessions") == len(kept) > 0
    assert kept_of(site, "secret")
    done = site.run("erase", "--client", PERSON, "--delete", "--format", "json")
    assert json.loads(done.out) == listed
    assert "web01.log, web02.log" in done.err
    assert kept_of(site, "secret", "tom", AGENT) == ["rejects"]
    assert figures_of(site) == before
    others = {row["visitor_id"] for row in site.rows("hits")} & ids
    assert len(others) == 2
    site.run("verify")
    assert "nothing of this person" in site.run("erase", "--client", PERSON, "--delete").err


def test_an_address_written_otherwise_is_the_same(tmp_path: Path) -> None:
    """A port, brackets, space around it: as lines with them are read, so is who is erased."""
    site = write_site(tmp_path)
    wanted = site.run("erase", "--client", PERSON, "--format", "json").out
    for client in (f"{PERSON}:80", f" {PERSON} ", f"[{PERSON}]", f"::ffff:{PERSON}"):
        assert site.run("erase", "--client", client, "--format", "json").out == wanted


@pytest.mark.parametrize("more", [(), ("--delete",)], ids=["listed", "deleted"])
def test_another_key_than_the_lakes_is_refused(more: tuple[str, ...], tmp_path: Path) -> None:
    """By it nobody is found, and of somebody who is there it was said that nothing is kept."""
    site = write_site(tmp_path)
    other = {"TIDEGAUGE_VISITOR_KEY": "another key than this lake's"}
    done = site.run("erase", "--client", PERSON, *more, env=other, code=2)
    assert "made with another visitor key" in done.err
    assert "visitor_key_file" in done.err
    assert kept_of(site, "secret")


NO_CLIENTS = ["192.0.2.7777", "192.0.002.007", "192.0.2", "", "notaclient/", "-", "unix:", "a b"]


def test_what_is_no_client_is_refused(tmp_path: Path) -> None:
    """That nothing is kept of it would be said of anybody."""
    site = Site(tmp_path)
    site.ingest(site.write("web01.log", make_line(client=PERSON)))
    before = site.hashes()
    for client in NO_CLIENTS:
        refused = site.run("erase", "--client", client, "--delete", code=2)
        assert f"setting --client = {client!r}: no client; write an address" in refused.err
    assert site.hashes() == before


@pytest.mark.large
def test_only_the_user_agents_named_are_erased(tmp_path: Path) -> None:
    """With --agent the same address with another browser stays; rejected lines with it go."""
    site = write_site(tmp_path)
    before = figures_of(site)
    site.run("erase", "--client", PERSON, "--agent", AGENT, "--delete")
    assert kept_of(site, AGENT) == []
    assert kept_of(site, "secret")
    assert figures_of(site) == before
    site.run("verify")


def test_what_was_erased_does_not_come_back(tmp_path: Path) -> None:
    """Neither by the same file again nor by reading files anew."""
    site = write_site(tmp_path)
    site.run("erase", "--client", PERSON, "--delete")
    after = site.hashes()
    site.ingest("raw")
    refused = site.ingest("--again", tmp_path / "raw" / "web01.log", code=1)
    assert "erased" in refused.err
    (tmp_path / "tidegauge.toml").write_text('addresses = "truncated"\n')
    kept = site.run("build", "--also", "settings")
    assert "erased" in kept.out
    assert site.hashes() == after


@pytest.mark.large
def test_sessions_of_sealed_days_are_erased_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of days whose hits are deleted only sessions are left, and no build makes them again."""
    site = make_original(tmp_path)
    set_clock(monkeypatch, NOON)
    site.run("retention", "--delete", env=KEPT)
    before = figures_of(site)
    client = "198.51.100.2"  # of one hit on 2 November, whose hits are gone
    rows = json.loads(site.run("erase", "--client", client, "--delete", "--format", "json").out)
    assert {(row["day"], row["table"]) for row in rows} == {(OLD[1], "sessions")}
    (session,) = [row for row in site.rows("sessions") if row["entry_path"] == "/erased"]
    assert session["user_agent"].startswith("erased")
    assert figures_of(site) == before
    site.run("verify", env=KEPT)
