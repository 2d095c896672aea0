"""Lakes whose figures are published, late files taken in, and published again, at chosen times."""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from conftest import VISITOR_KEY, build_databases
from lake_fixtures import Site, make_line

from pipeline.build.build import build, build_settings
from pipeline.build.restatements import Restated, publish, read_restatements
from pipeline.lake.lake import Lake
from pipeline.settings import Settings, load_settings

NETWORKS = {"198.51.100.0/24": "CA", "203.0.113.0/24": "US", "192.0.2.0/24": "FR"}
PREFIXES = {"CA": "198.51.100", "US": "203.0.113", "FR": "192.0.2"}
PREFIXES["ZZ"] = "198.18.0"  # in no database
NINTH, ELEVENTH = "2016-11-09T06:00:00-05:00", "2016-11-11T06:00:00-05:00"
LATE = "late files: web03.log, web04.log, web05.log"
COMPLETENESS = {
    "sources_expected": pa.int64(), "share": pa.float64(), "is_preliminary": pa.bool_(),
    "is_censored": pa.bool_(), "reasons": pa.list_(pa.string()), "sources_whole": pa.int64(),
    "doubts": pa.list_(pa.string()),
}  # fmt: skip
PRELIMINARY = {
    "sources": 4, "sources_expected": 5, "share": 0.4, "is_preliminary": True, "sources_whole": 2,
    "reasons": ["no log of web03, web04, web05"], "doubts": [],
}  # fmt: skip
COMPLETE = {
    "sources": 5, "sources_expected": 5, "share": 1.0, "is_preliminary": False, "sources_whole": 5,
    "reasons": [], "doubts": [],
}  # fmt: skip

HOSTILE = "web06 <img src=x onerror=alert(8)>\x1b[31m\u202e.log"


class Publisher:
    """A site in Toronto that publishes at chosen times; its database knows CA, US and FR."""

    def __init__(self, folder: Path) -> None:
        """Work in `folder`, which exists."""
        self.site = Site(folder)
        self.lake = Lake(self.site.lake)
        networks = {"kind": "GeoLite2-City", "built": "2016-11-03T00:00:00+00:00",
                    "networks": NETWORKS}  # fmt: skip
        build_databases(folder / "geo", [networks])

    @property
    def settings(self) -> Settings:
        """The site's settings."""
        return load_settings(
            lake=self.site.lake, geo=self.site.folder / "geo", visitor_key=VISITOR_KEY,
            timezone="America/Toronto",
        )  # fmt: skip

    def deliver(self, name: str, day: int = 8, **sessions: int) -> None:
        """Take in a file of November with so many sessions from each country, at noon."""
        lines = [
            make_line(
                f"{day:02}/Nov/2016:12:00:00 -0500",
                client=f"{PREFIXES[country]}.{number % 250}",
                agent=f"{name}/{number // 250}",
            )
            for country, count in sessions.items()
            for number in range(count)
        ]
        self.site.run("ingest", self.site.write(name, b"".join(lines)))

    def build(self, **completeness: Mapping[str, Any]) -> None:
        """Build, and say of days (`d8=...`) how complete they are; the others' is unknown."""
        build(self.lake, build_settings(self.settings, self.lake))
        self.judge(**completeness)

    def judge(self, **completeness: Mapping[str, Any]) -> None:
        """Write into the table `days` how complete each is."""
        path = self.lake.part_path("days")
        days = pq.ParquetFile(path).read()
        rows = days.to_pylist()
        for row in rows:
            row.update(dict.fromkeys(COMPLETENESS))
            row.update(completeness.get(f"d{row['day'].day}", {}))
        kept = [field for field in days.schema if field.name not in COMPLETENESS]
        schema = pa.schema([*kept, *(pa.field(*column) for column in COMPLETENESS.items())])
        pq.write_table(pa.Table.from_pylist(rows, schema), path)

    def publish(self, now: str, about: Collection[int] = range(1, 31)) -> list[Restated]:
        """Publish at an instant, in a run about days of November; of any, when none is said."""
        days = [date(2016, 11, day) for day in about]
        made_with = build_settings(self.settings, self.lake)
        return publish(self.lake, datetime.fromisoformat(now), made_with, days)

    def rows(self, day: int, country: str) -> list[dict[str, Any]]:
        """The published values of a figure of November."""
        wanted = (date(2016, 11, day), country)
        rows = read_restatements(self.lake).to_pylist()
        return [row for row in rows if (row["day"], row["country"]) == wanted]

    def restate_election_night(self) -> None:
        """Publish 8 November from two servers, then from five."""
        self.deliver("web01.log", US=60, CA=20)
        self.deliver("web02.log", US=40, CA=10)
        self.build(d8=PRELIMINARY)
        self.publish(NINTH)
        self.deliver("web03.log", US=50, CA=20)
        self.deliver("web04.log", US=50, CA=10)
        self.deliver("web05.log", US=50, FR=1)
        self.build(d8=COMPLETE)
        self.publish(ELEVENTH)


def make_restated_night(folder: Path) -> Publisher:
    """A week of 20 sessions a day from the States, then the night that was restated."""
    site = Publisher(folder)
    for day in range(1, 8):
        site.deliver(f"web01-{day}.log", day=day, US=20, CA=30)
    site.build()
    site.restate_election_night()
    return site


def make_restated_storm(folder: Path) -> Publisher:
    """The same, restated a second time, for a hostile reason."""
    site = make_restated_night(folder)
    site.deliver(HOSTILE, US=1)
    site.build(d8=COMPLETE)
    site.publish("2016-11-12T06:00:00-05:00")
    return site
