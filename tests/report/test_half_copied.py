"""A lake of which a part is gone, as in a copy that is not whole: no figure says 0 for it."""

import json
import shutil
from pathlib import Path

import pytest
from lake_fixtures import Site, make_line

SAID = "as a copy does that is not whole"
DAYS = ("2016-11-07", "2016-11-08", "2016-11-09")


@pytest.mark.parametrize("table", ["daily", "hourly"])
def test_figures_that_are_gone_are_not_0(table: str, tmp_path: Path) -> None:
    """Refused where the number is said, told beside rows, and counted anew by a build."""
    site = Site(tmp_path)
    site.write("web01.log", b"".join(make_line(f"{d[-2:]}/Nov/2016:12:00:00 -0500") for d in DAYS))
    site.ingest("raw")
    site.run("build")
    whole = site.run(table, "--format", "json").out
    shutil.rmtree(site.lake / table / f"day={DAYS[1]}")
    gone = ["--day", DAYS[1]], ["--from", DAYS[0], "--to", DAYS[2]]
    for asked in gone:
        refused = site.run("figure", "--country", "ZZ", *asked, code=2).err
        assert f"lacks the figures of {DAYS[1]}, {SAID}" in refused
    assert SAID in site.run("report", "--out", "page.html", code=2).err
    assert "1 session" in site.run("figure", "--country", "ZZ", "--day", DAYS[0]).out
    done = site.run(table, "--format", "json")
    assert SAID in done.err
    for row in json.loads(done.out):
        assert any(SAID in one and "8 November" in one for one in row["caveats"])
    assert SAID not in site.run(table, "--to", DAYS[0]).err
    site.run("build")
    assert site.run(table, "--format", "json").out == whole
