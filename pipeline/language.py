"""The languages that answers are written in: sentences by gettext, numbers and names by CLDR.

A sentence is a message in English, at the place where it is made, with what differs as named
parameters; ``languages/fr.po`` has the French of each. A ``Language`` is passed down to there: none
is in force for the process. English needs no catalogue, and loads none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from pipeline import text
from pipeline.countries import (
    locate_in_french,
    name_country,
    name_in_french,
    name_with_article,
)

if TYPE_CHECKING:
    from babel import Locale
    from babel.support import Translations

_FOLDER = Path(__file__).parent / "languages"
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September",
           "October", "November", "December")  # fmt: skip
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NO_BREAK = "\N{NO-BREAK SPACE}"
_SEPARATORS = str.maketrans({",": "\N{NARROW NO-BREAK SPACE}", ".": ","})
"""Of French numbers, thousands and decimals; CLDR's for fr."""


class LanguageCode(StrEnum):
    """What there is a catalogue of; ISO 639-1."""

    en = "en"
    fr = "fr"


LANGUAGES = {LanguageCode.en: "English", LanguageCode.fr: "Français"}
"""What each calls itself."""


@dataclass(frozen=True)
class Language:
    """How one language writes; digits are rounded alike in all."""

    code: LanguageCode = LanguageCode.en

    def gettext(self, message: str, **values: Any) -> str:
        """A message with its parameters; dates and whole numbers are written as this one does."""
        found = _load_catalogue(self.code).gettext(message) if self._is_french else message
        return found.format_map(self._write(values))

    def ngettext(self, one: str, many: str, count: float, **values: Any) -> str:
        """A message by a number, which is its parameter ``count``."""
        shown = round(count)
        if self._is_french:
            found = _load_catalogue(self.code).ngettext(one, many, shown)
        else:
            found = one if shown == 1 else many
        return found.format_map({"count": self.count(count), **self._write(values)})

    @property
    def _is_french(self) -> bool:
        return self.code == LanguageCode.fr

    def _write(self, values: dict[str, Any]) -> dict[str, Any]:
        return {name: self._write_one(value) for name, value in values.items()}

    def _write_one(self, value: Any) -> Any:
        if isinstance(value, date) and not isinstance(value, datetime):
            return self.day(value)
        return self.count(value) if isinstance(value, int) else value

    def number(self, value: float, decimals: int = 0) -> str:
        """A number with thousands separators."""
        written = f"{value:,.{decimals}f}"
        return written.translate(_SEPARATORS) if self._is_french else written

    def count(self, value: float) -> str:
        """A number of things."""
        return self.number(value)

    def ratio(self, value: float) -> str:
        """How many times: one decimal below 100."""
        return self.number(value, 1 if value < 100 else 0)

    def figure(self, value: float) -> str:
        """A figure to compare: whole when it is, otherwise with its two decimals."""
        return self.number(value, 0 if value == int(value) else 2)

    def difference(self, value: int) -> str:
        """A signed number, with a true minus sign."""
        sign = "+" if value >= 0 else "\N{MINUS SIGN}"
        return sign + self.count(abs(value))

    def share(self, share: float) -> str:
        """A share of 0 to 1 as a percentage; see ``text.write_share``."""
        return self._percent(text.write_share(share))

    def limit(self, share: float) -> str:
        """A share from which a rule holds: ``5 %``."""
        return self._percent(text.write_limit(share))

    def _percent(self, written: str) -> str:
        return written.replace(" ", _NO_BREAK).replace(".", ",") if self._is_french else written

    def day(self, day: date) -> str:
        """A day as it is spoken: ``8 November 2016``, ``1er novembre 2016``."""
        return f"{self._day_of_month(day)} {self._month(day)} {day.year}"

    def _day_of_month(self, day: date) -> str:
        return "1er" if self._is_french and day.day == 1 else str(day.day)

    def _month(self, day: date) -> str:
        if self._is_french:
            return str(_load_locale(self.code).months["format"]["wide"][day.month])
        return _MONTHS[day.month - 1]

    def weekday(self, number: int) -> str:
        """The name of a weekday, Monday 0, as the first word of a cell."""
        if self._is_french:
            return str(_load_locale(self.code).days["format"]["wide"][number]).capitalize()
        return _WEEKDAYS[number]

    def span(self, first: date, last: date) -> str:
        """``on 9 November 2016``, or from one day to another with what they share said once."""
        if first == last:
            return self.gettext("on {day}", day=first)
        return self._bounds(
            first, last, self.gettext("from {start} to {end}", start="{start}", end="{end}")
        )

    def _bounds(self, first: date, last: date, words: str) -> str:
        if first == last:
            return self.day(first)
        start = self._day_of_month(first)
        if (first.year, first.month) != (last.year, last.month):
            start += f" {self._month(first)}"
        if first.year != last.year:
            start += f" {first.year}"
        return words.format(start=start, end=self.day(last))

    def between(self, first: date, last: date) -> str:
        """``8 to 16 November 2016``, or the day that both are."""
        words = self.gettext("{start} to {end}", start="{start}", end="{end}")
        return self._bounds(first, last, words)

    def either(self, numbers: Sequence[int]) -> str:
        """``30 or 60``; at least one."""
        written = [self.count(one) for one in numbers]
        if len(written) == 1:
            return written[0]
        return self.gettext("{some} or {last}", some=", ".join(written[:-1]), last=written[-1])

    def days(self, days: Sequence[date], most: int = 5) -> str:
        """Days in order, those in a row as one; at most so many of these, and how many more."""
        return self._list_runs(days, self.between, most)

    def on(self, days: Sequence[date], most: int = 5) -> str:
        """The same as when something was: ``on 5 November 2016 and from 8 to 9 November 2016``."""
        return self._list_runs(days, self.span, most)

    def _list_runs(
        self, days: Sequence[date], write: Callable[[date, date], str], most: int
    ) -> str:
        runs = [
            [day for _, day in its]
            for _, its in groupby(enumerate(days), lambda one: one[1].toordinal() - one[0])
        ]
        shown = [write(run[0], run[-1]) for run in runs[:most]]
        if more := sum(map(len, runs[most:])):
            shown.append(self.ngettext("{count} more day", "{count} more days", more))
        return self.list(shown)

    def moment(self, moment: datetime, zone: ZoneInfo) -> str:
        """``9 November 2016 at 06:00``, in the site's zone."""
        local = moment.astimezone(zone)
        return self.gettext("{day} at {time}", day=local.date(), time=self.clock(local))

    def clock(self, moment: datetime) -> str:
        """``06:00``, ``6 h``."""
        if not self._is_french:
            return f"{moment:%H:%M}"
        minutes = f"{_NO_BREAK}{moment:%M}" if moment.minute else ""
        return f"{moment.hour}{_NO_BREAK}h{minutes}"

    def list(self, names: Sequence[str]) -> str:
        """``a, b and c``; at least one."""
        if len(names) == 1:
            return names[0]
        return self.gettext("{some} and {last}", some=", ".join(names[:-1]), last=names[-1])

    def begin(self, words: str) -> str:
        """Words as a sentence begins with them."""
        return words[:1].upper() + words[1:]

    def retell(self, kept: str) -> str:
        """A sentence as the lake keeps it, in English, in this language.

        What is in no catalogue, as it holds what another version or program said, is quoted.
        """
        if not self._is_french or not kept:
            return kept
        told = _retell(self.code, kept) if len(kept) <= _LONGEST_KEPT else None
        return self.quote(kept) if told is None else told

    def quote(self, words: str) -> str:
        """What somebody else wrote, in quotation marks."""
        return self.gettext("\N{LEFT DOUBLE QUOTATION MARK}{words}\N{RIGHT DOUBLE QUOTATION MARK}",
                            words=words)  # fmt: skip

    def country(self, code: str) -> str:
        """The name of a country as a heading or a cell has it; an unlisted code is its own."""
        return name_in_french(code) if self._is_french else name_country(code)

    def in_country(self, code: str) -> str:
        """Where an address is: ``in the United States``, ``aux États-Unis``."""
        return locate_in_french(code) if self._is_french else f"in {name_with_article(code)}"


ENGLISH = Language()


@cache
def _load_locale(code: LanguageCode) -> Locale:
    """What CLDR knows of a language, as it is written in Canada."""
    from babel import Locale  # noqa: PLC0415 only who asks in French waits for it

    return Locale(str(code), "CA")


_LONGEST_KEPT = 2000
"""A longer one is no sentence: names of files fill it, and matching takes its square."""
_NESTED = ("clause", "files", "source")
"""Parameters of kept sentences that may be such sentences."""


def _retell(code: LanguageCode, kept: str) -> str | None:
    """A sentence, or several with semicolons between; None when the catalogue has none like it."""
    of_source = re.fullmatch(r"(\S+): (.+)", kept, re.DOTALL)
    if of_source and (told := _retell(code, of_source[2])):
        return f"{of_source[1]}{_NO_BREAK}: {told}"
    for pattern, translation in _list_kept(code):
        if found := pattern.fullmatch(kept):
            values = found.groupdict()
            for name in _NESTED:
                if name in values:
                    values[name] = _retell(code, values[name]) or values[name]
            return translation.format_map(values)
    head, _, rest = kept.partition("; ")
    first, others = (_retell(code, one) if rest else None for one in (head, rest))
    return f"{first}; {others}" if first and others else None


@cache
def _list_kept(code: LanguageCode) -> list[tuple[re.Pattern[str], str]]:
    """What a sentence of the lake is told by, and its translation; the longest first."""
    from babel.messages.pofile import read_po  # noqa: PLC0415 only who asks in French waits for it

    with (_FOLDER / f"kept.{code}.po").open("rb") as source:
        entries = [(str(one.id), str(one.string)) for one in read_po(source) if one.id]
    entries.sort(key=lambda one: -len(one[0]))
    return [(_as_pattern(own), translation) for own, translation in entries]


def _as_pattern(message: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", message)
    written = [f"(?P<{p}>.+)" if n % 2 else re.escape(p) for n, p in enumerate(parts)]
    return re.compile("".join(written), re.DOTALL)


@cache
def _load_catalogue(code: LanguageCode) -> Translations:
    """The catalogue, compiled in memory: its source alone is in the package."""
    from babel.messages.mofile import write_mo  # noqa: PLC0415 likewise
    from babel.messages.pofile import read_po  # noqa: PLC0415
    from babel.support import Translations  # noqa: PLC0415

    compiled = BytesIO()
    with (_FOLDER / f"{code}.po").open("rb") as source:
        write_mo(compiled, read_po(source, locale=str(code)))
    compiled.seek(0)
    return Translations(compiled)
