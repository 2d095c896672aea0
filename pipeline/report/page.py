"""The page: the lake's facts and charts put into one HTML file that needs no network.

Nothing here runs in the reader's browser: the page has no script and forbids any. Every text is
escaped twice over: control characters by ``escape``, HTML by Jinja's autoescape.
"""

import base64
import hashlib
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import jinja2
from markupsafe import Markup

import pipeline
from pipeline.build.stale import session_timeout
from pipeline.definitions import (
    CENSORED_SHARE,
    DEFINITIONS_VERSION,
    DEMO_MARK,
    LEAST_HISTORY_DAYS,
    ROBOTLIKE,
    UNREAD_SHARE,
)
from pipeline.errors import SettingsError, StorageError
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import read_json
from pipeline.lake.query import one_state
from pipeline.report import wording
from pipeline.report.accounting import ReportSettings, account_for, credit_databases, span_databases
from pipeline.report.day_hours import fill_hours, mark_whole_days
from pipeline.report.drawings import choose_window, draw_charts
from pipeline.report.facts import LEAST_SESSIONS, Facts, Focus, gather_facts
from pipeline.surges.baseline import LEVEL_DAYS
from pipeline.surges.episodes import (
    ALARM_PROBABILITY,
    ALARM_PROBABILITY_AT_FIRST,
    LONGEST_STEP_DAYS,
)
from pipeline.text import escape, write_countries, write_limit

_SHOWN_DAYS = 12
_SHOWN_RESTATEMENTS = 3


class ComparedFigure(Protocol):
    """A figure compared: ``storm.published.Comparison`` in the demo."""

    @property
    def label(self) -> str:
        """What was counted."""

    @property
    def basis(self) -> str:
        """Where the expected value comes from."""

    @property
    def expected(self) -> float:
        """The value to compare with, in sessions."""

    @property
    def measured(self) -> float:
        """The lake's value, in sessions."""

    @property
    def is_equal(self) -> bool:
        """Whether they are the same."""


def write_report(
    lake: Lake,
    how: ReportSettings,
    out: Path,
    comparisons: Sequence[ComparedFigure] | None = None,
    country: str | None = None,
) -> Path:
    """Write the report of a lake as one HTML file; it appears whole. Returns ``out``.

    Args:
        lake: claimed already.
        how: what is said that the lake does not know.
        out: the file; its folder is made.
        comparisons: figures to set beside what was measured; the lake is then called simulated.
        country: what the report is about; by default the country of the largest surge.

    Raises:
        LakeError: the lake is damaged.
        SettingsError: the lake has no hits from ``country``, or ``out`` is a folder.
        StorageError: ``out`` can't be written.
    """
    if out.is_dir():
        raise SettingsError("--out", str(out), "that is a folder: name a file in it")
    html = make_page(lake, how, comparisons or (), country)
    draft = out.with_name(f".report-{secrets.token_hex(8)}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(html, encoding="utf-8")
        draft.replace(out)
    except OSError as error:
        raise StorageError(f"report {out} can't be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
    return out


def make_page(
    lake: Lake, how: ReportSettings, comparisons: Sequence[ComparedFigure], country: str | None
) -> str:
    """The page's HTML: the same lake and settings give the same text."""
    with one_state(lake) as state:
        facts = gather_facts(state, country)
        accounting = account_for(lake, facts.days)
        timeouts = _timeouts(lake, how.timeout_minutes)
    spans = span_databases(facts.days)
    environment = _environment()
    style = environment.get_template("style.css.j2").render()
    return environment.get_template("report.html.j2").render(
        facts=facts,
        focus=facts.focus,
        charts=draw_charts(facts, facts.focus) if facts.focus else {},
        window=choose_window(facts.focus) if facts.focus else [],
        accounting=accounting,
        spans=spans,
        credits=credit_databases(how.geo, spans),
        failing=_failing_days(facts),
        restated_of_surge=_restated_of_surge(facts),
        comparisons=comparisons,
        zone=ZoneInfo(facts.zone),
        clocks_change=_clocks_change(facts),
        is_simulated=bool(comparisons) or (lake.root.resolve().parent / DEMO_MARK).exists(),
        timeouts=timeouts,
        version=pipeline.__version__,
        definitions_version=DEFINITIONS_VERSION,
        style=Markup(style),  # noqa: S704 our own file
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        **_local_hours(facts, facts.focus),
    )


def _timeouts(lake: Lake, otherwise: int) -> list[int]:
    """The session timeouts that the lake's days were counted with, in minutes."""
    built = read_json(lake.ledger / "built.json")
    return sorted({session_timeout(parts, otherwise) for parts in built.values()}) or [otherwise]


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": wording.write_count,
        "share": wording.write_share,
        "figure": wording.write_figure,
        "ratio": wording.write_ratio,
        "difference": wording.write_difference,
        "place": wording.name_country,
        "in_place": wording.name_in_sentence,
        "days": _list_days,
    }
    environment.globals |= {
        "most_entries": _SHOWN_RESTATEMENTS,
        "robotlike_from": ROBOTLIKE,
        "censored_from": write_limit(CENSORED_SHARE),
        "unread_from": write_limit(UNREAD_SHARE),
        "least_history_days": LEAST_HISTORY_DAYS,
        "level_days": LEVEL_DAYS,
        "alarm_chance": f"{1 / ALARM_PROBABILITY:,.0f}",
        "alarm_chance_at_first": f"{1 / ALARM_PROBABILITY_AT_FIRST:,.0f}",
        "most_quiet_days": LONGEST_STEP_DAYS - 1,
        "least_sessions": LEAST_SESSIONS,
        "times_expected": wording.compare_with_expected,
        "countries": write_countries,
        "sources": wording.write_sources,
        "local_time": wording.write_local_time,
    }
    return environment


def _finalize(value: object) -> object:
    """Make control characters visible in every text put into the page."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else escape(value)


def _list_days(days: Iterable[object]) -> str:
    """The first days of a list, and how many more there are."""
    known = [str(day) for day in days]
    more = f" and {len(known) - _SHOWN_DAYS:,} more" if len(known) > _SHOWN_DAYS else ""
    return ", ".join(known[:_SHOWN_DAYS]) + more


def _failing_days(facts: Facts) -> list[Any]:
    """The censored days with the highest shares of 5xx, at most five, in order of time."""
    high = [day for day in facts.days if day.is_censored]
    high.sort(key=lambda day: (-(day.error_share or 0), day.day))
    return sorted(high[:5], key=lambda day: day.day)


def _restated_of_surge(facts: Facts) -> list[Any]:
    """Restated figures of the headline's country in its surge, or on its highest day."""
    if facts.focus is None:
        return []
    episode, peak = facts.focus.episode, facts.focus.peak.day
    first, last = (episode.start_day, episode.end_day) if episode else (peak, peak)
    return [one for one in facts.restated if first <= one.day <= last]


def _clocks_change(facts: Facts) -> bool:
    """Whether the zone has two offsets in a year of the days shown."""
    zone, years = ZoneInfo(facts.zone), {day.day.year for day in facts.days}
    return any(
        len({datetime(year, month, 1, tzinfo=zone).utcoffset() for month in range(1, 13)}) > 1
        for year in years
    )


def _local_hours(facts: Facts, focus: Focus | None) -> dict[str, Any]:
    if focus is None:
        return {"hours": [], "both_days": [], "widest": None}
    zone = ZoneInfo(facts.zone)
    whole = {day.day for day in facts.days if not day.is_preliminary}
    both_days = mark_whole_days(focus.both_days, whole, zone)
    return {
        "hours": [
            (wording.write_hour(hour.hour, zone), hour)
            for hour in fill_hours(focus.hours, focus.peak.day, zone)
        ],
        "both_days": both_days,
        "widest": max(
            (day for day, is_whole in both_days if is_whole),
            key=lambda day: abs(day.utc_sessions - day.local_sessions),
            default=None,
        ),
    }
