"""`geo = "none"` is the setting that `--no-geo` is: nobody is located, every country is ZZ."""

import json
from pathlib import Path

import pytest
from lake_fixtures import Site, make_line

DAY = "2016-11-08"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Return a site with a day's log, whose settings say that nobody is located."""
    site = Site(tmp_path)
    lines = [make_line(f"08/Nov/2016:{hour:02}:00:00 -0500") for hour in range(24)]
    site.write("web01-20161108.log", b"".join(lines))
    (tmp_path / "tidegauge.toml").write_text('geo = "none"\n')
    return site


def countries(site: Site) -> set[str]:
    return {row["country"] for row in site.rows("daily")}


@pytest.mark.large
def test_every_command_does_without_databases_and_says_so(site: Site) -> None:
    """A night, a watch and a build anew; and the lake is the one of `--no-geo`."""
    site.run("run", "--from", DAY, "--to", DAY)
    site.run("watch", "--as-of", "2016-11-08T12:10")
    assert countries(site) == {"ZZ"}
    before = site.hashes()
    site.run("build", "--also", "geo")
    assert site.hashes() == before
    rows = json.loads(site.run("status", "--format", "json").out)
    told = {row["what"]: row["value"] for row in rows}
    assert told["databases"] == "none, geo = none: nobody is located"
    assert "US" not in site.run("figure", "--day", DAY, "--country", "all").out
    other = Site(site.folder / "other")
    other.folder.mkdir()
    other.ingest(site.folder / "raw")
    other.run("build")
    assert {name: other.hashes()[name] for name in other.hashes() if name.startswith("daily")} == {
        name: before[name] for name in before if name.startswith("daily")
    }


@pytest.mark.parametrize("how", ["variable", "option"])
def test_a_variable_and_an_option_say_it_too(site: Site, how: str) -> None:
    (site.folder / "tidegauge.toml").unlink()
    args = ("--geo", "none") if how == "option" else ()
    env: dict[str, str | None] = {"TIDEGAUGE_GEO": "none"} if how == "variable" else {}
    site.run("ingest", "raw", *args, env=env)
    site.run("build")
    assert countries(site) == {"ZZ"}


def test_a_database_can_not_be_fetched_into_it(site: Site) -> None:
    done = site.run("geo", "fetch", "dbip-lite", code=2)
    assert "setting geo = 'none': that locates nobody; set the folder for databases" in done.err


def test_where_nobody_was_located_there_is_no_figure_of_a_country(site: Site) -> None:
    """Not even 0; of all, and of those without a country, there is one."""
    said = site.run("run", "--from", DAY, "--to", DAY).out
    assert "sessions from no known country" in said
    for command in ("figure", "history"):
        done = site.run(command, "--day", DAY, "--country", "US", code=2)
        assert done.out == ""
        assert "no database located an address of that day" in done.err.replace("\n", " ")
    for country in ("all", "ZZ"):
        assert "counted " in site.run("figure", "--day", DAY, "--country", country).out
