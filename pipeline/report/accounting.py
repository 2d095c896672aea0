"""The report's accounting: what every physical line became, and which databases located them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow.compute as pc

from pipeline.build.stale import list_uncounted
from pipeline.days import Span
from pipeline.enrich.geo.databases import list_databases, list_networks
from pipeline.errors import GeoError
from pipeline.ingest import unheeded
from pipeline.ingest.unread import Unread, count_unread
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FileRecord
from pipeline.lake.sums import KINDS
from pipeline.language import Language
from pipeline.report.facts import Day
from pipeline.settings import Settings

_READ_OF_FILES = ("lines", "rejected", "days", *unheeded.READ_OF_FILES)


@dataclass(frozen=True)
class DatabaseSpan:
    """Consecutive days located by one database; ``built`` None: nobody was located."""

    first_day: date
    last_day: date
    days: int
    built: date | None
    is_late: bool


@dataclass(frozen=True)
class Accounting:
    """What became of every raw file and line in the lake."""

    files: int
    sources: list[str]
    lines: int
    kinds: dict[str, int]
    reasons: list[tuple[str, int]]
    damaged: list[FileRecord]
    unbuilt_days: list[str]
    """Days with hits of which nothing was counted yet."""
    overtaken_days: list[date]
    """Counted ones of which, or of a day beside, raw files came or went since then."""
    future_days: list[date]
    """Counted ones that have not begun yet."""
    unread_days: list[tuple[str, Unread]]
    """Days of whose files lines could not be read, the worst first; a few lines are not news."""
    proxied: list[str]
    """Sources most of whose requests a proxy passed on that counts as the visitor."""
    private: list[str]
    """Sources most of whose visitors have private addresses, which nobody can locate."""
    zoneless: list[str]
    """Sources whose times were taken for UTC, as nothing says their zone."""
    unread_files: list[str]
    """Files of which no line tells its day, as none could be read."""

    @property
    def balances(self) -> bool:
        """Whether every physical line ended as exactly one kind."""
        return self.lines == sum(self.kinds.values())


@dataclass(frozen=True)
class ReportSettings:
    """What is said of a lake that it does not know itself."""

    timeout_minutes: int
    """Of sessions, where it was never built."""
    geo: Path | None
    """The folder of databases; what lies there is named and credited."""
    geo_provider: str | None
    language: Language
    present: datetime
    """The clock, by which days have begun."""
    is_live: bool = False
    """Whether pages are asked for, one by one, with a form to choose the next by."""

    def today(self, lake: Lake) -> date:
        """The date in the site's zone."""
        return self.present.astimezone(ZoneInfo(lake.identity()["timezone"])).date()


def credit_provider(provider: str, language: Language) -> str | None:
    """What a provider's licence asks for where its data shows."""
    if provider == "maxmind":
        return language.gettext(
            "This product includes GeoLite2 data created by MaxMind, available from maxmind.com."
        )
    if provider == "dbip":
        return language.gettext("IP geolocation by DB-IP, db-ip.com.")
    return None


def account_for(lake: Lake, how: ReportSettings, days: Sequence[Day], span: Span) -> Accounting:
    """Sum the ledger's records; ``days`` are those of the span that were built.

    Files and lines are all that the lake has, days those of the span.
    """
    sums = lake.sums()
    counted, reasons = Counter[str](), Counter[str]()
    for its in sums:
        counted.update(its.counted)
        reasons.update(its.reasons)
    known = {day for its in sums for day in its.days if date.fromisoformat(day) in span}
    files = lake.records_of(known, _READ_OF_FILES)
    unread = count_unread(files).items()
    built = {day.day.isoformat() for day in days}
    damaged = lake.files(lambda its: bool(its.damaged), pc.field("damage").is_valid())
    return Accounting(
        files=sum(its.files for its in sums),
        sources=sorted({its.source for its in sums if its.files}),
        lines=counted["lines"],
        kinds={kind: counted[kind] for kind in KINDS},
        reasons=sorted(reasons.items(), key=lambda item: (-item[1], item[0])),
        damaged=sorted(damaged, key=lambda r: (r.name, r.file_key)),
        unbuilt_days=sorted(known - built),
        overtaken_days=[
            day for day in list_uncounted(lake, how.timeout_minutes).overtaken if str(day) in built
        ],
        future_days=[day.day for day in days if day.day > how.today(lake)],
        unread_days=sorted(
            ((day, its) for day, its in unread if day in known and its.is_worth_saying),
            key=lambda one: (-one[1].share, one[0]),
        ),
        proxied=unheeded.list_unheeded(files),
        private=unheeded.list_private(files),
        zoneless=unheeded.list_zoneless(files),
        unread_files=_list_unread(lake),
    )


def _list_unread(lake: Lake) -> list[str]:
    """The names of files with rejected lines and nothing else."""
    are_without_hits = [pc.list_value_length(pc.field(n)) == 0 for n in ("days", "whole_days")]
    found = lake.records(
        ("name", "rejected", "days", "whole_days"),
        are_asked=lambda its: its.files > its.files_with_hits,
        which=(pc.field("rejected") > 0) & are_without_hits[0] & are_without_hits[1],
    )
    return sorted(found["name"].to_pylist())


def span_databases(days: Sequence[Day]) -> list[DatabaseSpan]:
    """Runs of days with the same database in force, in order."""
    spans = []
    for (built, is_late), group in groupby(days, key=lambda day: (day.geo_built, day.geo_is_late)):
        run = list(group)
        spans.append(DatabaseSpan(run[0].day, run[-1].day, len(run), built, is_late))
    return spans


def report_settings(settings: Settings, present: datetime) -> ReportSettings:
    """What reports and figures depend on besides the lake."""
    return ReportSettings(
        settings.session_timeout_minutes,
        settings.geo,
        settings.geo_provider,
        Language(settings.language),
        present,
    )


def credit_databases(how: ReportSettings, spans: Sequence[DatabaseSpan]) -> list[str]:
    """Type, build date and required credit of the databases in the folder that were used.

    The lake keeps build dates alone: a database that is no longer in the folder has no credit. Of
    those of networks all that can have been used have theirs.
    """
    used = {span.built for span in spans}
    last_day = max((span.last_day for span in spans), default=date.min)
    try:
        found = [known for known in list_databases(how.geo) if known.build_date in used]
        networks = list_networks(how.geo)
        found += [one for one in networks if one.build_date <= last_day] or networks[:1]
    except GeoError:
        return []
    return [
        how.language.gettext(
            "{name}, built on {day}. {credit}",
            name=known.database_type,
            day=known.build_date,
            credit=credit_provider(known.provider, how.language) or "",
        ).rstrip()
        for known in found
    ]
