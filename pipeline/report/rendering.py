"""What the report's templates are rendered with: how texts are made safe, numbers written.

Every text is escaped twice over: control characters by ``escape``, HTML by Jinja's autoescape.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import fields
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from pipeline.countries import name_with_article
from pipeline.csv_cells import write_csv
from pipeline.definitions import CENSORED_SHARE, LEAST_HISTORY_DAYS, ROBOTLIKE, UNREAD_SHARE
from pipeline.language import Language
from pipeline.report import wording
from pipeline.report.facts import CountryTotal
from pipeline.report.gather import LEAST_SESSIONS
from pipeline.surges.baseline import LEVEL_DAYS
from pipeline.surges.episodes import (
    ALARM_PROBABILITY,
    ALARM_PROBABILITY_AT_FIRST,
    LONGEST_STEP_DAYS,
)
from pipeline.text import escape, write_countries
from pipeline.why.signal_names import SHARES

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_SHOWN_DAYS = 12
_SHOWN_RESTATEMENTS = 3


@cache
def environment(language: Language) -> jinja2.Environment:
    """Jinja with autoescape, the report's filters, and the limits that its sentences name."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "count": language.count,
        "share": partial(_write_share, language),
        "figure": language.figure,
        "ratio": language.ratio,
        "difference": language.difference,
        "place": language.country,
        "by_place": partial(_sort_by_place, language),
        "in_place": name_with_article,
        "day": _keep_whole,
        "days": _list_days,
        "csv_url": _write_csv_url,
    }
    made.globals |= {
        "language": language,
        "most_entries": _SHOWN_RESTATEMENTS,
        "robotlike_from": ROBOTLIKE,
        "censored_from": language.limit(CENSORED_SHARE),
        "unread_from": language.limit(UNREAD_SHARE),
        "least_history_days": LEAST_HISTORY_DAYS,
        "level_days": LEVEL_DAYS,
        "alarm_chance": language.count(1 / ALARM_PROBABILITY),
        "alarm_chance_at_first": language.count(1 / ALARM_PROBABILITY_AT_FIRST),
        "most_quiet_days": LONGEST_STEP_DAYS - 1,
        "least_sessions": LEAST_SESSIONS,
        "times_expected": partial(wording.compare_with_expected, language=language),
        "countries": write_countries,
        "sources": partial(wording.write_sources, language=language),
        "local_time": wording.write_local_time,
        "signal_shares": SHARES,
    }
    return made


def _finalize(value: object) -> object:
    """Make control characters visible in every text put into the page."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else escape(value)


def _write_csv_url(rows: Sequence[DataclassInstance]) -> str:
    """The rows, at least one, as a file in a link."""
    columns = [field.name for field in fields(rows[0])]
    out = io.StringIO()
    write_csv(columns, [[getattr(row, name) for name in columns] for row in rows], out)
    return f"data:text/csv;charset=utf-8,{quote(out.getvalue(), safe=',:')}"


def _write_share(language: Language, share: float | None) -> str:
    return language.gettext("none") if share is None else wording.keep_whole(language.share(share))


def _sort_by_place(language: Language, countries: Iterable[CountryTotal]) -> list[CountryTotal]:
    """Countries as a list to choose from has them."""
    return sorted(countries, key=lambda one: language.country(one.country))


def _keep_whole(text: object) -> Markup:
    """A date or a moment, in one piece on a line."""
    return Markup('<span class="day">{}</span>').format(text)


def _list_days(days: Iterable[object]) -> str:
    """The first days of a list, and how many more there are."""
    known = [str(day) for day in days]
    more = f" and {len(known) - _SHOWN_DAYS:,} more" if len(known) > _SHOWN_DAYS else ""
    return ", ".join(known[:_SHOWN_DAYS]) + more
