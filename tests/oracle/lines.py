"""One physical line of the common or combined layout: a hit, a rejected line or a blank one.

Written clause by clause from docs/definitions.md, *Line* and *Hit*, with string searches; the only
regular expressions are the shapes of a time, a method and an absolute URL.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from .peers import client_of, may_precede
from .reading import KEPT_OF_TOO_LONG, TOO_LONG, as_text

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
TIME_SHAPE = re.compile(
    r" \[([0-9]{2})/([A-Z][a-z]{2})/([0-9]{4}):([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r' ([+-])([0-9]{2})([0-9]{2})\] "'
)
METHOD_SHAPE = re.compile(r"[A-Z]+")
ABSOLUTE_SHAPE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
REPEATED = ("message repeated ", "last message repeated ", "Last message '")
"""How a syslog daemon says that lines came several times."""
BLANK_BYTES = b" \t\v\f\r"
DIGITS = frozenset("0123456789")


@dataclass(frozen=True, slots=True)
class Hit:
    """One request as its line tells it; `ts` in whole seconds since 1970-01-01 00:00 UTC."""

    line_no: int
    ts: int
    client: str
    host: str | None
    method: str | None
    path: str | None
    query: str | None
    protocol: str | None
    status: int
    bytes_sent: int | None
    referrer: str | None
    user_agent: str | None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that is no hit and not blank; `line` is its text, cut when it is too long."""

    line_no: int
    line: str


@dataclass(frozen=True, slots=True)
class Blank:
    """A line of nothing but white space."""

    line_no: int


def read_line(line_no: int, line: bytes) -> Hit | Rejected | Blank:
    """Return what the line is; every line is exactly one of the three."""
    if len(line) > TOO_LONG:
        return Rejected(line_no, as_text(line[:KEPT_OF_TOO_LONG]))
    if not line.strip(BLANK_BYTES):
        return Blank(line_no)
    text = as_text(line)
    if text.startswith(REPEATED):
        return Rejected(line_no, text)
    return read_hit(line_no, text) or Rejected(line_no, text)


def read_hit(line_no: int, text: str) -> Hit | None:
    """Return the line's hit, or None when any part of it is not as defined."""
    first, _, rest = text.partition(" ")
    ident, space, _ = rest.partition(" ")
    if not first or '"' in first or not ident or not space:
        return None
    after_ident = len(first) + 1 + len(ident)
    time = TIME_SHAPE.search(text, after_ident + 2)  # after a space and a user that is not empty
    if time is None:
        return None
    ts = instant(time)
    request, end = quoted(text, time.end())
    client = client_of(first)
    user = text[after_ident + 1 : time.start()]
    if ts is None or end is None or client is None or not may_precede(client, ident, user):
        return None
    return read_answer(Part(line_no, ts, client, request), text[end:])


@dataclass(frozen=True, slots=True)
class Part:
    """A hit's fields up to its request."""

    line_no: int
    ts: int
    client: str
    request: str


def read_answer(part: Part, rest: str) -> Hit | None:
    """Return the hit from ` status bytes` and what follows; None when they are not as defined."""
    words = rest.split(" ", 3)
    if len(words) < 3 or words[0] != "":
        return None
    status, size = words[1], words[2]
    if not is_number(status, 3, 3) or not 100 <= int(status) <= 599:
        return None
    if size != "-" and not is_number(size, 1, 18):
        return None
    tail = referrer_and_agent(words[3] if len(words) == 4 else None)
    if tail is None:
        return None
    host, method, path, query, protocol = read_request(part.request)
    return Hit(
        part.line_no, part.ts, part.client, host, method, path, query, protocol,
        int(status), None if size == "-" else int(size), *tail,
    )  # fmt: skip


def referrer_and_agent(rest: str | None) -> tuple[str | None, str | None] | None:
    """Return `(referrer, user_agent)` of what follows the bytes and a space; None: not a hit."""
    if rest is None:
        return None, None
    if not rest.startswith('"'):
        return None
    referrer, end = quoted(rest, 1)
    known = None if referrer == "-" else referrer
    after = "" if end is None else rest[end:]
    if after in {"", " "}:  # the line was cut off inside or right after the referrer
        return known, None
    if not after.startswith(' "'):
        return None
    return known, quoted(after, 2)[0]


def quoted(text: str, start: int) -> tuple[str, int | None]:
    """Return the value that starts there and the place after its closing quote (None: cut off).

    An escape is a backslash with the character after it, so a quote is escaped when an odd
    number of backslashes stands before it.
    """
    quote = text.find('"', start)
    while quote != -1:
        escape = quote
        while escape > start and text[escape - 1] == "\\":
            escape -= 1
        if (quote - escape) % 2 == 0:
            return text[start:quote], quote + 1
        quote = text.find('"', quote + 1)
    return text[start:], None


def is_number(word: str, shortest: int, longest: int) -> bool:
    """Whether the word is nothing but so many ASCII digits."""
    return shortest <= len(word) <= longest and set(word) <= DIGITS


def instant(time: re.Match[str]) -> int | None:
    """Return the seconds since 1970 UTC that a time of the right shape names, None if it can't."""
    day, month, year, hour, minute, second, sign, hours, minutes = time.groups()
    if month not in MONTHS or not 1970 <= int(year) <= 2099 or int(second) > 60:
        return None
    if int(minutes) > 59 or int(hours) * 100 + int(minutes) > 1400:
        return None
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    zone = timezone(offset if sign == "+" else -offset)
    try:
        local = datetime(
            int(year), MONTHS.index(month) + 1, int(day), int(hour), int(minute),
            min(int(second), 59), tzinfo=zone,
        )  # fmt: skip
    except ValueError:  # 31 Feb, hour 24, minute 60
        return None
    return round((local - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())


def read_request(
    request: str,
) -> tuple[str | None, str | None, str | None, str | None, str | None]:
    """Return `(host, method, path, query, protocol)`, all null without a method and a target."""
    method, _, target = request.partition(" ")
    protocol = None
    before, space, last = target.rpartition(" ")
    if last.startswith("HTTP/"):
        target, protocol = before if space else "", last
    if not METHOD_SHAPE.fullmatch(method) or not target:
        return None, None, None, None, None
    if method == "CONNECT" and not set(target) & set("/?#*"):
        return target, method, None, None, protocol  # RFC 9110, section 9.3.6: host and port
    host, target = split_authority(target)
    path, mark, query = target.partition("?")
    known = None if host in {"", "-"} else host  # an empty authority is a missing host
    return known, method, path, query if mark else None, protocol


def split_authority(target: str) -> tuple[str | None, str]:
    """Return the authority of an absolute URL and what follows it, or None and the target."""
    scheme = ABSOLUTE_SHAPE.match(target)
    if scheme is None:
        return None, target
    start = scheme.end()
    ends = [place for mark in "/?#" if (place := target.find(mark, start)) != -1]
    end = min(ends, default=len(target))
    return drop_own_port(scheme[0].lower(), target[start:end]), target[end:]


def drop_own_port(scheme: str, host: str) -> str:
    """A host without the port that everybody takes for this scheme."""
    own = {"http://": ":80", "ws://": ":80", "https://": ":443", "wss://": ":443"}.get(scheme)
    return host[: -len(own)] if own and host[-len(own) :] == own else host
