"""Of very many records those are read that may be outdated; what is found is as of all of them."""

import random
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from conftest import build_default_databases
from lake_fixtures import GOOD, Site

from pipeline.ingest.maker import current_maker
from pipeline.ingest.outdated import list_outdated, read_outdated
from pipeline.ingest.source_names import Sources
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import DayShare, FileRecord, key_of
from pipeline.setting_values import SourceTable
from pipeline.settings import load_settings

TABLES = (
    (),
    (SourceTable(name="web01", files="/logs/*"),),
    (
        SourceTable(name="web01", files="/logs/*", layout="combined"),
        SourceTable(name="web01", files="/old/*", timezone="America/Toronto"),
        SourceTable(name="web02", files="/logs/*"),
    ),
)


def vary(template: FileRecord, number: int, chance: random.Random, built: list[str]) -> FileRecord:
    """Draw a record that was read as now, in most of its fields."""

    def draw(now: str | None, *others: str | None) -> str | None:
        return chance.choice([now] * 12 + list(others))

    source = chance.choice(["web01", "web02", "web"])
    sha256 = f"{number:016x}" * 4
    days = {
        str(date(2016, 11, 1) + timedelta(chance.randrange(20))): DayShare(
            1, 1, geo_is_late=False, geo_built=chance.choice([None, *built])
        )
        for _ in range(chance.randrange(3))
    }
    return replace(
        template, file_key=key_of(source, sha256), source=source, sha256=sha256, seen=(),
        name=chance.choice(["web01.log", "web-02.log", "web.log", "other.log"]), days=days,
        rejects_day=None if days else "2016-11-03",
        robots=draw(template.robots, "of before"), addresses=draw("none", "full"),
        definitions=chance.choice([template.definitions] * 12 + [1]),
        proxies=draw(None, "private", "none"), given=draw(None, "combined", "common"),
        timezone=draw(None, "America/Toronto"), networks=draw(template.networks, "2016-10-01"),
        source_by_name=chance.choice([True, False, False, False, None]),
    )  # fmt: skip


@pytest.mark.rest_large
@pytest.mark.parametrize("seed", range(4))
def test_records_that_may_be_outdated_are_all_that_are(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a file was read by, and whatever settings say now; the most are not read."""
    site, chance = Site(tmp_path), random.Random(seed)
    site.ingest(site.write("web01.log", GOOD))
    lake = Lake(site.lake)
    (template,) = lake.files()
    built = ["2016-11-03", "2016-10-04"]
    with lake.lock():
        lake.commit([], [vary(template, number, chance, built) for number in range(200)])
    for name, value in site.environment().items():
        monkeypatch.setenv(name, value)
    least = len(lake.files())
    for geo in ("none", str(build_default_databases(tmp_path / "geo"))):
        maker = current_maker(load_settings(lake=site.lake, geo=geo), lake)
        for tables in TABLES:
            for layout in (None, "combined"):
                sources = Sources(tables, ("web02",), tmp_path, False, layout, False, 1)
                some = read_outdated(lake, maker, sources)
                of_all = list_outdated(lake.files(), maker, sources, {"2016-11-01"})
                assert list_outdated(some, maker, sources, {"2016-11-01"}) == of_all != []
                least = min(least, len(some))
    assert least < 140
