"""The command ``status``: what a lake holds and how it came about, as rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from pipeline.cli.options import RowOptions, SiteOptions
from pipeline.definitions import ASKED
from pipeline.errors import GeoError
from pipeline.text import escape, write_number_of

if TYPE_CHECKING:
    from pipeline.build.stale import Stock
    from pipeline.lake.lake import Lake
    from pipeline.lake.sums import Sums
    from pipeline.settings import Settings


def status(*, site: SiteOptions, output: RowOptions) -> None:
    """Files, days, lines by outcome, time zone, databases, stale days.

    For example:

    tidegauge status --format json
    """
    from pipeline.lake.zone import open_lake

    settings = site.settings()
    output.print(["what", "value"], list_status(settings, open_lake(settings.lake)))


def list_status(settings: Settings, lake: Lake) -> list[tuple[str, str | int]]:
    """Rows ``(what, value)``: zone, files, lines by outcome, days, databases, stale days."""
    from pipeline.alerts.outbox import list_untaken
    from pipeline.alerts.services import alert_settings
    from pipeline.build.stale import session_rules, take_stock
    from pipeline.ingest.source_names import list_doubts
    from pipeline.lake.left_out import read_notes
    from pipeline.lake.sums import COUNTED

    every = lake.sums()
    days = sorted({day for sums in every for day in sums.days})
    sealed = lake.sealed()
    stock = take_stock(lake, session_rules(settings))
    stale, zone = stock.stale, ZoneInfo(lake.identity()["timezone"])
    untaken, given_up = list_untaken(alert_settings(settings))
    reasons = sum((Counter(sums.reasons) for sums in every), Counter[str]())
    rows: list[tuple[str, str | int]] = [
        *([("data", "simulated")] if lake.is_simulated() else []),
        ("time zone", lake.identity()["timezone"]),
        ("files", sum(sums.files for sums in every)),
        ("sources", ", ".join(sorted({sums.source for sums in every if sums.days}))),
        *_list_sources(every),
        ("doubtful names", "; ".join(list_doubts(lake).values())),
        ("left out", ", ".join(escape(note.name) for note in read_notes(lake).values())),
        *((kind, sum(sums.counted[kind] for sums in every)) for kind in COUNTED),
        ("rejected because", ", ".join(f"{why} {n:,}" for why, n in sorted(reasons.items()))),
        ("damaged files", ", ".join(escape(name) for sums in every for name in sums.damaged)),
        ("days", _span(days, _say_slivers(every, days, zone))),
        ("sealed days", _span([day for day in days if day in sealed])),
        ("stale days", ", ".join(map(str, stale[:10])) + (" ..." if len(stale) > 10 else "")),
        ("stale days count", len(stale)),
        ("stale when asked", _span(_list_waiting(stock))),
        ("databases", ", ".join(_list_databases(settings.geo))),
        ("days located by another database", _span(_list_outdated(settings, lake, every))),
        ("alerts not taken", "; ".join(untaken) or "none"),
        ("alerts given up", "; ".join(given_up) or "none"),
    ]
    return rows


def explain_stale(settings: Settings, lake: Lake) -> list[tuple[str, str, str, str]]:
    """Rows ``(day, kind, cause, taken by)``: why each stale day is, and what would rebuild it."""
    from pipeline.build.stale import session_rules, take_stock
    from pipeline.ingest.maker import current_maker, ingest_settings
    from pipeline.ingest.reprocess import plan_reread
    from pipeline.ingest.unsettled import count_unsettled

    stock = take_stock(lake, session_rules(settings))
    rows: list[tuple[str, str, str, str]] = [
        (str(day), cause.kind, cause.text, f"build --also {cause.kind}" if cause.waits else "build")
        for day, causes in stock.causes.items()
        for cause in causes
    ]
    sources = ingest_settings(settings).sources
    plan = plan_reread(lake, sources, current_maker(settings, lake), ASKED)
    by_cause = Counter((str(one.day), one.kind, one.text) for one in plan.outdated)
    for (day, kind, text), files in by_cause.items():
        gone = plan.kept.get(day)
        way = f"nothing: raw files are gone ({', '.join(gone)})" if gone else f"build --also {kind}"
        rows.append((day, kind, f"{_count_files(files)} {text}", way))
    for day, files in count_unsettled(lake, ingest_settings(settings).overlaps).items():
        text = f"{_count_files(files)} with other duplicates by overlap_least_lines, drop_overlaps"
        rows.append((day, "settings", text, "build --also settings"))
    return sorted(rows)


def _count_files(count: int) -> str:
    return f"{count} {'file' if count == 1 else 'files'}"


def _span(days: list[str], also: str = "") -> str:
    return f"{days[0]} to {days[-1]} ({len(days)}{also})" if days else "none"


def _say_slivers(every: list[Sums], days: list[str], zone: ZoneInfo) -> str:
    """Where the first or the last day is no more than what reaches over a midnight."""
    if len(days) < 2:
        return ""
    first, last = (datetime.fromisoformat(at).astimezone(zone) for at in _times_of(every))
    began = f"; of {days[0]} only from {first:%H:%M} on" if first.hour == 23 else ""
    ended = f"; of {days[-1]} only until {last:%H:%M}" if last.hour == 0 else ""
    return began + ended


def _times_of(every: Iterable[Sums]) -> tuple[str, str]:
    """The first and the last hit of some files that have hits."""
    times = [(sums.first_at, sums.last_at) for sums in every if sums.first_at and sums.last_at]
    return min(first for first, _ in times), max(last for _, last in times)


def _list_waiting(stock: Stock) -> list[str]:
    """Days that only `build --also` rebuilds."""
    return sorted(str(day) for day in stock.causes.keys() - set(stock.stale))


def _list_sources(every: Iterable[Sums]) -> list[tuple[str, str]]:
    """The files, first and last hit of each source that has hits."""
    found: dict[str, list[Sums]] = {}
    for sums in every:
        if sums.days:
            found.setdefault(sums.source, []).append(sums)
    return [(f"source {name}", _describe(its)) for name, its in sorted(found.items())]


def _describe(its: list[Sums]) -> str:
    files = write_number_of(sum(sums.files_with_hits for sums in its), "file")
    return "{}, {} to {}".format(files, *_times_of(its))


def _list_outdated(settings: Settings, lake: Lake, every: list[Sums]) -> list[str]:
    from pipeline.enrich.geo.databases import list_databases

    try:
        if not list_databases(settings.geo):  # nothing is located otherwise, then
            return []
        from pipeline.enrich.hits import DatabasesInForce
        from pipeline.ingest.outdated import find_outdated
        from pipeline.lake.zone import find_zone

        zone = find_zone(settings.timezone, lake).info
        places = DatabasesInForce.of(settings.geo, settings.geo_provider, zone)
        return [str(day) for day in find_outdated(every, places, lake.sealed())]
    except GeoError:  # said in the row before
        return []


def _list_databases(geo: Path | None) -> list[str]:
    from pipeline.enrich.geo.databases import list_databases, list_networks

    if geo is None:
        return ["none, geo = none: nobody is located"]
    try:
        databases = [*list_databases(geo), *list_networks(geo)]
    except GeoError as error:
        return [str(error)]
    return [f"{known.path.name} (built {known.build_date})" for known in databases]
