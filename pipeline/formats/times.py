"""Times as the layouts write them, checked to the digit, to instants.

Texts are read once for each distinct one: many hits share a second.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_INSTANT = pa.timestamp("us", "UTC")
_CLOCK = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?"
_OFFSET = r"(?P<offset>Z|[+-]\d\d:?\d\d)?"
_CALENDARS = {
    "clf": rf"(?P<day>\d\d)/(?P<month>[A-Z][a-z][a-z])/(?P<year>\d{{4}}):{_CLOCK} ?{_OFFSET}",
    "iso": rf"(?P<year>\d{{4}})-(?P<month>\d\d)-(?P<day>\d\d)[T ]{_CLOCK} ?{_OFFSET}",
}
PLAIN_ISO = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)"
"""With its offset, and without a space before it: what it ends with is seen at once."""
_ISO_UTC = r"^(?:19[7-9]\d|20\d\d)-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$"
_MONTHS = pa.array(
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
)
_NUMBER = r"(?P<whole>\d{1,16})(?:\.(?P<fraction>\d{1,9}))?"
_FIRST_YEAR, _LAST_YEAR = 1970, 2099
_END = int(datetime(_LAST_YEAR + 1, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
_MOST_OFFSET_MINUTES = 14 * 60
_EPOCH_UNITS = {"epoch_s": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}
"""Microseconds in one of each unit."""
_NANOS = r"^(\d{1,16})\d{3}$"
_EPOCH_DIGITS = r"^(\d{10})(\d{3}|\d{6}|\d{9})$"
"""Seconds, and what milli-, micro- and nanoseconds have more: 2001 to 2286."""
_EITHER = rf"{_CALENDARS['iso']}|{_NUMBER}|\d{{19}}"
_OTHERS = {
    "epoch_ns": r"\d{4,19}", "iso_or_epoch": _EITHER, "any": rf"{_CALENDARS['clf']}|{_EITHER}",
}  # fmt: skip
PATTERNS = {
    kind: re.sub(r"\?P<\w+>", "?:", pattern)
    for kind, pattern in {
        **_CALENDARS, **dict.fromkeys(_EPOCH_UNITS, _NUMBER), **_OTHERS,
    }.items()
}  # fmt: skip
"""What a time of each kind looks like, for RE2."""

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class TimeFormat:
    """How a layout writes its time, and in which zone where it does not say."""

    kind: str = "clf"
    """``clf``, ``iso``, ``epoch_s``, ``epoch_ms``, ``epoch_us``, ``epoch_ns``, ``iso_or_epoch``
    (the unit by the number of digits), ``any`` (that or ``clf``), or an strftime format."""
    zone: ZoneInfo | None = None
    """Of times without an offset; UTC when not given."""

    @property
    def pattern(self) -> str:
        """What it looks like, for RE2."""
        return PATTERNS.get(self.kind) or pattern_of(self.kind)

    def read(self, texts: pa.StringArray) -> tuple[pa.Array, Flags]:
        """Instants of ``n`` texts, and which of them are one (shape ``(n,)``)."""
        coded = texts.dictionary_encode()
        micros, valid = self._read_distinct(coded.dictionary)
        indices = coded.indices.fill_null(len(micros)).to_numpy()
        instants = pa.array(np.append(micros, 0)[indices]).cast(_INSTANT)
        return instants, np.append(valid, False)[indices]

    def _read_distinct(self, texts: pa.StringArray) -> tuple[Ints, Flags]:
        if self.kind == "iso" and (instants := _read_utc(texts)) is not None:
            return instants, np.ones(len(texts), np.bool_)
        if self.kind in _CALENDARS:
            micros, valid, is_local = _read_calendar(_CALENDARS[self.kind], texts)
        elif self.kind in _EPOCH_UNITS:
            return _read_epoch(texts, _EPOCH_UNITS[self.kind])
        elif self.kind == "epoch_ns":
            micros_text = pc.replace_substring_regex(texts, pattern=_NANOS, replacement=r"\1")
            return _read_epoch(micros_text, 1)
        elif self.kind == "iso_or_epoch":
            micros, valid, is_local = _read_either(texts)
        elif self.kind == "any":
            micros, valid, is_local = _read_any(texts)
        else:
            micros, valid, is_local = self._read_strftime(texts)
        micros = np.where(valid, micros, 0)  # a year 9999 has no offset
        return np.where(is_local, self._from_local(micros), micros), valid

    def _read_strftime(self, texts: pa.StringArray) -> tuple[Ints, Flags, Flags]:
        read = [self._read_one(text) for text in texts.to_pylist()]
        micros = [0 if one is None else _micros_of(one.replace(tzinfo=one.tzinfo or UTC))
                  for one in read]  # fmt: skip
        return (
            np.array(micros, np.int64),
            np.array([one is not None for one in read], np.bool_),
            np.array([one is not None and one.tzinfo is None for one in read], np.bool_),
        )

    def _read_one(self, text: str) -> datetime | None:
        form = re.sub("%(.)", lambda found: "%d" if found[1] == "e" else found[0], self.kind)
        if "%Z" not in form.replace("%%", ""):
            return _strptime(text, form)
        pattern = pattern_of(self.kind).replace(_ZONE_NAME, f"({_ZONE_NAME})")
        found = re.fullmatch(pattern, text)
        if found is None:
            return None
        wall = _strptime(f"{text[: found.start(1)]}UTC{text[found.end(1) :]}", form)
        return wall and self._in_named(wall, found[1])

    def _in_named(self, wall: datetime, name: str) -> datetime | None:
        """A time in the zone of this name: UTC, or one that ``zone`` has at that time."""
        if wall.tzinfo is not None:
            return wall
        if name in ("UTC", "GMT", "Z"):
            return wall.replace(tzinfo=UTC)
        both = [wall.replace(tzinfo=self.zone, fold=fold) for fold in (0, 1)] if self.zone else []
        return next((moment for moment in both if moment.tzname() == name), None)

    def _from_local(self, micros: Ints) -> Ints:
        """The instants of wall-clock times; of one that comes twice the first."""
        if self.zone is None or not len(micros):
            return micros
        minutes, place = np.unique(micros // 60_000_000, return_inverse=True)
        walls = (datetime(1970, 1, 1) + timedelta(minutes=m) for m in minutes.tolist())  # noqa: DTZ001
        offsets = [wall.replace(tzinfo=self.zone).utcoffset() for wall in walls]
        seconds = np.array([round(o.total_seconds()) if o else 0 for o in offsets], np.int64)
        moved: Ints = micros - seconds[place] * 1_000_000
        return moved


def _read_utc(texts: pa.StringArray) -> Ints | None:
    """Microseconds of times that all end in Z and exist, by Arrow's reader; None of others."""
    if not pc.all(pc.match_substring_regex(texts, _ISO_UTC)).as_py():
        return None
    try:
        nanos: Ints = texts.cast(pa.timestamp("ns", "UTC")).cast(pa.int64()).to_numpy()
    except pa.ArrowInvalid:
        return None
    return nanos // 1000


def _read_calendar(pattern: str, texts: pa.StringArray) -> tuple[Ints, Flags, Flags]:
    """Microseconds of the wall clock or, where an offset is written, since 1970 UTC."""
    found = pc.extract_regex(texts, pattern=f"^{pattern}$")
    valid: Flags = found.is_valid().to_numpy(zero_copy_only=False)
    parts = {field.name: pc.struct_field(found, field.name).fill_null("") for field in found.type}
    if pattern is _CALENDARS["clf"]:
        number = pc.index_in(parts["month"], _MONTHS).fill_null(-1)
        month = number.to_numpy().astype(np.int64) + 1
    else:
        month = _ints(parts["month"])
    year, day, hour, minute, second = (
        _ints(parts[name]) for name in ("year", "day", "hour", "minute", "second")
    )
    valid &= (year >= _FIRST_YEAR) & (year <= _LAST_YEAR) & (month >= 1) & (month <= 12)
    valid &= (hour <= 23) & (minute <= 59) & (second <= 60)
    first = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    length = ((first + 1).astype("datetime64[D]") - first.astype("datetime64[D]")).astype(np.int64)
    valid &= (day >= 1) & (day <= length)
    days = first.astype("datetime64[D]").astype(np.int64) + day - 1
    # A leap second is the second before it.
    seconds = ((days * 24 + hour) * 60 + minute) * 60 + np.minimum(second, 59)
    offset, is_offset, offset_valid = _read_offsets(parts["offset"])
    valid &= offset_valid
    micros = (seconds - offset * 60) * 1_000_000 + _read_fractions(parts["fraction"])
    return micros, valid, ~is_offset


def _read_epoch(texts: pa.StringArray, unit: int) -> tuple[Ints, Flags]:
    found = pc.extract_regex(texts, pattern=f"^{_NUMBER}$")
    valid: Flags = found.is_valid().to_numpy(zero_copy_only=False)
    whole = _ints(pc.struct_field(found, "whole").fill_null(""))
    fraction = _read_fractions(pc.struct_field(found, "fraction").fill_null(""))
    valid &= whole < _END // unit
    return np.where(valid, whole * unit + fraction * unit // 1_000_000, 0), valid


def _read_either(texts: pa.StringArray) -> tuple[Ints, Flags, Flags]:
    """Read calendar times and numbers, in seconds when they have ten digits."""
    seconds = pc.replace_substring_regex(texts, pattern=_EPOCH_DIGITS, replacement=r"\1.\2")
    epoch, is_epoch = _read_epoch(seconds, _EPOCH_UNITS["epoch_s"])
    if is_epoch.all():
        return epoch, is_epoch, ~is_epoch
    micros, valid, is_local = _read_calendar(_CALENDARS["iso"], texts)
    return np.where(is_epoch, epoch, micros), is_epoch | valid, is_local & ~is_epoch


def _read_any(texts: pa.StringArray) -> tuple[Ints, Flags, Flags]:
    clf, is_clf, is_clf_local = _read_calendar(_CALENDARS["clf"], texts)
    micros, valid, is_local = _read_either(texts)
    return np.where(is_clf, clf, micros), is_clf | valid, np.where(is_clf, is_clf_local, is_local)


def _ints(texts: pa.StringArray) -> Ints:
    filled = pc.if_else(pc.equal(texts, ""), "0", texts)
    numbers: Ints = filled.cast(pa.int64()).to_numpy()
    return numbers


def _read_fractions(texts: pa.StringArray) -> Ints:
    """Microseconds of the digits behind a point."""
    return _ints(pc.utf8_rpad(pc.utf8_slice_codeunits(texts, 0, 6), 6, "0"))


def _read_offsets(texts: pa.StringArray) -> tuple[Ints, Flags, Flags]:
    """Minutes from UTC of distinct offsets; whether there is one, and whether it can be one."""
    coded = texts.dictionary_encode()
    values = [_offset_minutes(text) for text in coded.dictionary.to_pylist()]
    place = coded.indices.to_numpy()
    minutes = np.array([value or 0 for value in values], np.int64)
    is_there = np.array([text != "" for text in coded.dictionary.to_pylist()], np.bool_)
    valid = np.array([value is not None for value in values], np.bool_)
    return minutes[place], is_there[place], valid[place]


def _offset_minutes(text: str) -> int | None:
    if text in ("", "Z"):
        return 0
    digits = text[1:].replace(":", "")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    if int(digits[2:]) > 59 or minutes > _MOST_OFFSET_MINUTES:
        return None
    return -minutes if text[0] == "-" else minutes


def _strptime(text: str, form: str) -> datetime | None:
    try:
        read = datetime.strptime(text, form)  # noqa: DTZ007 the zone comes later
    except ValueError:
        return None
    return read if _FIRST_YEAR <= read.year <= _LAST_YEAR else None


def _micros_of(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


_ZONE_NAME = r"[A-Z]{1,5}|[+-]\d\d(?:\d\d)?"
_DIRECTIVES = {
    "Y": r"\d{4}", "m": r"\d\d", "d": r"\d\d", "e": r" ?\d{1,2}", "H": r"\d\d", "M": r"\d\d",
    "S": r"\d\d", "y": r"\d\d", "b": "[A-Za-z]{3}", "B": "[A-Za-z]{3,9}", "a": "[A-Za-z]{3}",
    "A": "[A-Za-z]{6,9}", "z": r"[+-]\d\d:?\d\d", "j": r"\d{3}", "p": "[AaPp][Mm]", "I": r"\d\d",
    "f": r"\d{1,6}", "%": "%", "Z": f"(?:{_ZONE_NAME})",
}  # fmt: skip
_SHORT = {
    "T": "%H:%M:%S", "D": "%m/%d/%y", "F": "%Y-%m-%d", "R": "%H:%M", "h": "%b", "n": " ",
    "t": " ", "c": "%a %b %e %H:%M:%S %Y", "x": "%m/%d/%y", "X": "%H:%M:%S", "r": "%I:%M:%S %p",
}  # fmt: skip
"""As the C locale has them, in which servers run."""
_PARTS = {"year": "Yy", "month": "mbBj", "day": "dej", "hour": "HI"}


def expand(text: str) -> str:
    """Write an strftime format's short forms out, as ``datetime.strptime`` wants them."""
    return re.sub("%(.)", lambda found: _SHORT.get(found[1], found[0]), text)


def find_missing(kind: str) -> str | None:
    """What an strftime format lacks to be an instant; None of the other kinds."""
    letters = set(re.findall("%(.)", kind))
    lacking = (part for part, ones in _PARTS.items() if letters.isdisjoint(ones))
    return next(lacking, None) if "%" in kind else None


def pattern_of(text: str) -> str:
    """What a time of an strftime format looks like, for RE2.

    Raises:
        KeyError: it has a directive that is not read.
    """
    parts = re.split(r"%(.)", expand(text))
    return "".join(
        _DIRECTIVES[part] if number % 2 else re.escape(part) for number, part in enumerate(parts)
    )
