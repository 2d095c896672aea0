"""What a lake holds and how it came about, as rows."""

from collections import Counter

from pipeline.errors import GeoError
from pipeline.geo.databases import list_databases
from pipeline.geo.outdated import find_outdated
from pipeline.hits import Places
from pipeline.lake import FileRecord, Lake
from pipeline.output import escape
from pipeline.settings import Settings
from pipeline.site import find_zone
from pipeline.stale import take_stock

_KINDS = ("lines", "hits", "rejected", "blank", "directives", "duplicates")


def list_status(settings: Settings, lake: Lake) -> list[tuple[str, str | int]]:
    """Rows ``(what, value)``: zone, files, lines by outcome, days, databases, stale days."""
    records = lake.files()
    days = sorted({day for record in records for day in record.days})
    sealed = lake.sealed()
    stale = take_stock(lake, settings.session_timeout_minutes).stale
    rows: list[tuple[str, str | int]] = [
        ("time zone", lake.identity()["timezone"]),
        ("files", len(records)),
        ("sources", ", ".join(sorted({record.source for record in records}))),
        *((kind, sum(getattr(record, kind) for record in records)) for kind in _KINDS),
        ("rejected because", _list_reasons(records)),
        ("damaged files", ", ".join(escape(r.name) for r in records if r.damage)),
        ("days", _span(days)),
        ("sealed days", _span([day for day in days if day in sealed])),
        ("stale days", ", ".join(map(str, stale[:10])) + (" ..." if len(stale) > 10 else "")),
        ("stale days count", len(stale)),
        ("databases", ", ".join(_list_databases(settings))),
        ("days located by another database", _span(_list_outdated(settings, lake, records))),
    ]
    return rows


def _span(days: list[str]) -> str:
    return f"{days[0]} to {days[-1]} ({len(days)})" if days else "none"


def _list_reasons(records: list[FileRecord]) -> str:
    reasons: Counter[str] = Counter()
    for record in records:
        reasons.update(record.reasons)
    return ", ".join(f"{reason} {count:,}" for reason, count in sorted(reasons.items()))


def _list_outdated(settings: Settings, lake: Lake, records: list[FileRecord]) -> list[str]:
    try:
        databases = list_databases(settings.geo)
        places = Places(databases, settings.geo_provider, find_zone(settings, lake).info)
        return [str(day) for day in find_outdated(records, places, lake.sealed())]
    except GeoError:  # said in the row before
        return []


def _list_databases(settings: Settings) -> list[str]:
    try:
        databases = list_databases(settings.geo)
    except GeoError as error:
        return [str(error)]
    return [f"{known.path.name} (built {known.build_date})" for known in databases]
