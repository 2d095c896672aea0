"""What drove a surge, in a sentence: rules over the rows of ``drivers``.

Texts of visitors (pages, referring sites) stand in quotes, safe for a terminal, and no longer than
a line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pipeline.language import Language
from pipeline.text import escape
from pipeline.why import thresholds as at

CIRCUMSTANCES = ("hour", "source server")
"""Dimensions that say when and where it came, not why."""
NETWORK = "network"
KIND_OF_AGENT = "kind of agent"
_NAMED = 3
_LONGEST = 80


@dataclass(frozen=True)
class Driver:
    """A row of ``drivers``."""

    country: str
    start_day: date
    dimension: str
    element: str | None
    is_other: bool
    observed: int
    expected: float | None
    excess: float | None
    share: float | None
    surprise: float | None
    rank: int | None
    sessions_before: int
    days_before: int


def name_dimension(dimension: str, language: Language) -> str:
    """What sessions are told apart by, in words."""
    return {
        "entry page": language.gettext("entry page"),
        "hour": language.gettext("hour"),
        KIND_OF_AGENT: language.gettext("kind of agent"),
        "network": language.gettext("network"),
        "referring site": language.gettext("referring site"),
        "source server": language.gettext("source server"),
        "subdivision": language.gettext("subdivision"),
    }.get(dimension, dimension)


def explain(rows: Sequence[Driver], language: Language) -> str:
    """Say in a sentence what drove a surge, by all its rows."""
    if not rows or all(row.expected is None for row in rows):
        return _say_too_few(rows, language)
    ranked = sorted((row for row in rows if row.rank is not None), key=lambda row: row.rank or 0)
    if not ranked:
        return _say_alike(rows, language, but=None)
    in_all = {row.dimension: 0.0 for row in rows}
    for row in rows:
        in_all[row.dimension] += row.expected or 0
    parts = []
    for dimension in [*dict.fromkeys(row.dimension for row in ranked)][:_NAMED]:
        own = [row for row in ranked if row.dimension == dimension][:_NAMED]
        named = [
            language.gettext(
                "{element} ({share}, usually {usual})",
                element=_name(row, language),
                share=write_share(row.share or 0, language),
                usual=write_share((row.expected or 0) / max(in_all[dimension], 0.001), language),
            )
            for row in own
        ]
        parts.append(
            language.gettext(
                "by {dimension} {elements}",
                dimension=name_dimension(dimension, language), elements=language.list(named),
            )
        )  # fmt: skip
    if ranked[0].dimension in CIRCUMSTANCES:
        return _say_alike(rows, language, but="; ".join(parts))
    return language.gettext(
        "Of the sessions beyond the expected, more than usual came {parts}.", parts="; ".join(parts)
    )


def _say_too_few(rows: Sequence[Driver], language: Language) -> str:
    """What nothing can be compared with: days, or sessions on them."""
    if rows and rows[0].days_before >= at.LEAST_DAYS_BEFORE:
        return language.ngettext(
            "Too few sessions lie before it to say what drove it: {sessions} on {count} day.",
            "Too few sessions lie before it to say what drove it: {sessions} on {count} days.",
            rows[0].days_before,
            sessions=sum(r.sessions_before for r in rows if r.dimension == rows[0].dimension),
        )
    if not rows:
        return language.gettext("Too few days lie before it to say what drove it.")
    return language.gettext(
        "Too few days lie before it to say what drove it: {days} that lack nothing and belong to no"
        " surge, of {needed} at least.",
        days=rows[0].days_before, needed=at.LEAST_DAYS_BEFORE,
    )  # fmt: skip


def _say_alike(rows: Sequence[Driver], language: Language, *, but: str | None) -> str:
    """That nothing says why; ``but``: what says when or where."""
    if any(row.dimension == NETWORK for row in rows):
        if but is None:
            return language.gettext(
                "Everything rose alike: no page, referring site, subdivision, network or kind of"
                " agent stands out."
            )
        return language.gettext(
            "Everything rose alike: no page, referring site, subdivision, network or kind of agent"
            " stands out; but more than usual came {parts}.",
            parts=but,
        )
    if but is None:
        return language.gettext(
            "Everything rose alike: no page, referring site, subdivision or kind of agent stands"
            " out."
        )
    return language.gettext(
        "Everything rose alike: no page, referring site, subdivision or kind of agent stands out;"
        " but more than usual came {parts}.",
        parts=but,
    )


def tell_lacking(rows: Sequence[Driver], language: Language) -> str | None:
    """Say what the rows of a surge lack, and which commands bring it; None when nothing."""
    if not rows or any(row.dimension == NETWORK for row in rows):
        return None
    return language.gettext(
        "Networks were not looked at, as its hits were read without a database of them: `tidegauge"
        " geo fetch dbip-lite --kind asn` gets one, `tidegauge build --also geo` then reads the raw"
        " files again."
    )


def name_element(row: Driver, language: Language) -> str | None:
    """An element as it is shown: a subdivision's code as ISO 3166-2 has it."""
    if row.is_other:
        return language.gettext("(all others)")
    if row.dimension == "subdivision" and row.element is not None:
        return f"{row.country}-{row.element}"
    if row.dimension == KIND_OF_AGENT and row.element is not None:
        return _name_kind(row.element, language)
    return row.element


def _name_kind(kind: str, language: Language) -> str:
    """A browser and a device, as ``sql/why/elements.sql`` puts them; what is a name stays."""
    words = {
        "another browser": language.gettext("another browser"),
        "desktop": language.gettext("desktop"),
        "tablet": language.gettext("tablet"),
        "phone": language.gettext("phone"),
        "another device": language.gettext("another device"),
    }
    return ", ".join(words.get(part, part) for part in kind.split(", "))


def _name(row: Driver, language: Language) -> str:
    name = name_element(row, language)
    if name is None:
        return language.gettext("none")
    text = escape(name)
    return language.quote(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")


def write_share(share: float, language: Language) -> str:
    """A share as it is said; what lies beyond all or nothing, as an excess' may, is these."""
    return language.share(min(max(share, 0.0), 1.0))
