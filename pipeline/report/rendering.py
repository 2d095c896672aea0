"""What the report's templates are rendered with: how texts are made safe, numbers written.

Every text is escaped twice over: control characters by ``escape``, HTML by Jinja's autoescape.
"""

from __future__ import annotations

import base64
import hashlib
import io
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import fields
from datetime import date
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup
from markupsafe import escape as as_html

import pipeline
from pipeline.csv_cells import write_csv
from pipeline.definitions import (
    CENSORED_SHARE,
    DEFINITIONS_VERSION,
    LEAST_HISTORY_DAYS,
    LEVEL_DAYS,
    NO_COUNTRY,
    ROBOTLIKE,
    UNREAD_SHARE,
)
from pipeline.errors import SettingsError, StorageError
from pipeline.language import LANGUAGES, Language
from pipeline.report import wording
from pipeline.report.facts import CountryTotal
from pipeline.surges.episodes import (
    ALARM_PROBABILITY,
    ALARM_PROBABILITY_AT_FIRST,
    LONGEST_STEP_DAYS,
)
from pipeline.text import escape
from pipeline.why.explain import name_dimension, name_element
from pipeline.why.people import name_signal
from pipeline.why.signal_names import SHARES
from pipeline.why.thresholds import LEAST_OF_AN_ELEMENT

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_SHOWN_NAMES = 12
_SHOWN_RUNS = 8
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
        "in_place": language.in_country,
        "day": _keep_whole,
        "days": partial(language.days, most=_SHOWN_RUNS),
        "names": partial(_list_names, language),
        "as_date": date.fromisoformat,
        "retell": language.retell,
        "csv_url": _write_csv_url,
    }
    made.globals |= {
        "language": language,
        "languages": LANGUAGES,
        "_": partial(_translate, language),
        "ngettext": partial(_translate_number, language),
        "code": _as_code,
        "addresses": partial(wording.name_addresses, language=language),
        "count_for": partial(_count_for, language),
        "dimension_name": partial(name_dimension, language=language),
        "element_name": partial(name_element, language=language),
        "signal_name": partial(name_signal, language=language),
        "kind_name": partial(_name_kind, language),
        "most_entries": _SHOWN_RESTATEMENTS,
        "robotlike_from": ROBOTLIKE,
        "censored_from": language.limit(CENSORED_SHARE),
        "unread_from": language.limit(UNREAD_SHARE),
        "least_history_days": LEAST_HISTORY_DAYS,
        "level_days": LEVEL_DAYS,
        "no_country": NO_COUNTRY,
        "alarm_chance": language.count(1 / ALARM_PROBABILITY),
        "alarm_chance_at_first": language.count(1 / ALARM_PROBABILITY_AT_FIRST),
        "most_quiet_days": LONGEST_STEP_DAYS - 1,
        "least_sessions": LEAST_OF_AN_ELEMENT,
        "times_expected": partial(wording.compare_with_expected, language=language),
        "countries": partial(_count_countries, language),
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


def _translate(language: Language, message: str, **values: object) -> Markup:
    """A message, which may have markup; its parameters are texts."""
    return Markup(language.gettext(message, **_make_safe(values)))  # noqa: S704 all is escaped


def _translate_number(
    language: Language, one: str, many: str, count: float, **values: object
) -> Markup:
    said = language.ngettext(one, many, count, **_make_safe(values))
    return Markup(said)  # noqa: S704 likewise


def _make_safe(values: dict[str, object]) -> dict[str, object]:
    return {
        name: as_html(_finalize(value)) if isinstance(value, str) else value
        for name, value in values.items()
    }


def _as_code(text: str) -> Markup:
    return Markup("<code>{}</code>").format(text)


def _list_names(language: Language, names: Sequence[str]) -> str:
    """The first names of a list, and how many more there are."""
    shown = ", ".join(names[:_SHOWN_NAMES])
    more = len(names) - _SHOWN_NAMES
    if more <= 0:
        return shown
    return language.ngettext("{some} and {count} more", "{some} and {count} more", more, some=shown)


def _count_for(language: Language, sessions: float, is_at_least: bool) -> str:
    count = wording.count_at_least if is_at_least else wording.count_sessions
    return count(sessions, language)


def _count_countries(language: Language, countries: int) -> str:
    """What sessions are from; ``no known country`` where nobody was located."""
    if not countries:
        return language.gettext("no known country")
    return language.ngettext("{count} country", "{count} countries", countries)


def _name_kind(language: Language, kind: str) -> str:
    return {
        "hits": language.gettext("hits"),
        "rejected": language.gettext("rejected"),
        "blank": language.gettext("blank"),
        "directives": language.gettext("directives"),
        "duplicates": language.gettext("duplicates"),
    }[kind]


def write_report(html: str, out: Path) -> Path:
    """Write a page as a file, which appears whole; its folder is made. Returns ``out``.

    Raises:
        SettingsError: ``out`` is a folder.
        StorageError: it can't be written.
    """
    if out.is_dir():
        raise SettingsError("--out", str(out), "that is a folder: name a file in it")
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


def render_page(template: str, language: Language, **said: Any) -> str:
    """A page of what its template says, in the style of all."""
    templates = environment(language)
    style = templates.get_template("style.css.j2").render()
    return templates.get_template(template).render(
        said,
        version=pipeline.__version__,
        definitions_version=DEFINITIONS_VERSION,
        style=Markup(style),  # noqa: S704 our own file
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    )
