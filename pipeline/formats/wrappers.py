"""What carries log lines and writes something around each: syslog, containers, the journal.

A wrapper gives the message of each line, and the channel that it came by: a program, a stream, a
container. Knows no layout of messages.
Sources: RFC 3164, section 4.1; RFC 5424, section 6; RFC 6587, section 3.4.1 (octet counting);
rsyslog's templates; Heroku's Logplex; Kubernetes' CRI log format; Docker's json-file driver;
systemd's Journal JSON Format.
"""

import json
from dataclasses import dataclass
from typing import Protocol

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.formats.json_texts import read_texts
from pipeline.formats.targets import TEXT
from pipeline.formats.times import Flags

_CLOCK = r"\d\d:\d\d:\d\d(?:[.,]\d+)?"
_OFFSET = r"(?:Z|[+-]\d\d:?\d\d)"
_MONTH_DAY = r"[A-Z][a-z][a-z] [ \d]\d"
_ISO = rf"\d{{4}}-\d\d-\d\d[T ]{_CLOCK}{_OFFSET}"
_PRIORITY = r"(?:(?:\d{1,6} )?<\d{1,3}>)?"
_TIME = rf"(?:{_MONTH_DAY} (?:\d{{4}} )?{_CLOCK}|(?:[A-Z][a-z][a-z] )?{_ISO})"
_TAG = r"(?P<channel>[^ :\[\]]+)(?:\[[^ \]]*\])?:"
_ELEMENT = r'\[[^\]"]*(?:"(?:[^"\\]|\\.)*"[^\]"]*)*\]'
_STRUCTURED = rf"{_PRIORITY}(?:1 )?(?:{_ISO}|-)"
_COLOURS = r"(?:\x1b\[[0-9;]*m)*"


@dataclass(frozen=True)
class Messages:
    """What ``n`` lines carry."""

    texts: pa.StringArray
    """Null where a line is not wrapped."""
    channels: pa.StringArray
    """Null where a line is not wrapped."""
    goes_on: Flags
    """Whether a message goes on with the next one of its channel."""


class Wrapper(Protocol):
    """One way to carry lines."""

    @property
    def name(self) -> str:
        """What it is called in the ledger."""

    @property
    def shape(self) -> str:
        """What its lines look like, as RE2."""

    @property
    def is_telling(self) -> bool:
        """Whether no log's own lines look like it."""

    def unwrap(self, connection: duckdb.DuckDBPyConnection, lines: pa.StringArray) -> Messages:
        """Take ``n`` lines apart, with or without their ends."""


@dataclass(frozen=True)
class Prefix:
    """A wrapper that writes something before each message."""

    name: str
    whole: str
    """RE2 with the group ``channel``, perhaps ``part``: ``P`` where a message goes on."""
    is_telling: bool = True
    follows: str = ""
    """What a message must begin with, where more than this wrapper could stand before it."""
    plain: str | None = None
    """``whole`` of nearly all lines, where that is faster: takes what ``whole`` would."""

    @property
    def shape(self) -> str:
        """See ``Wrapper``."""
        return f"^(?:{self.whole}){self.follows}"

    def unwrap(self, _: duckdb.DuckDBPyConnection, lines: pa.StringArray) -> Messages:
        """See ``Wrapper``."""
        found = _extract(lines, self.plain or self.whole)
        if self.plain and found.null_count:
            is_odd = found.is_null()
            names = [field.name for field in found.type]
            odd = _extract(lines.filter(is_odd), self.whole)
            columns = [
                pc.replace_with_mask(pc.struct_field(found, n), is_odd, pc.struct_field(odd, n))
                for n in names
            ]
            found = pa.StructArray.from_arrays(columns, names)
        heads = pc.struct_field(found, "head")
        goes_on = np.zeros(len(lines), np.bool_)
        if "(?P<part>" in self.whole:
            is_part = pc.equal(pc.struct_field(found, "part"), "P").fill_null(False)
            goes_on = is_part.to_numpy(zero_copy_only=False)
        texts = _behind(lines, pc.binary_length(heads).fill_null(0).to_numpy())
        texts = pc.if_else(heads.is_valid(), texts, pa.scalar(None, TEXT))
        return Messages(texts, pc.struct_field(found, "channel"), goes_on)


def _extract(lines: pa.StringArray, regex: str) -> pa.StructArray:
    return pc.extract_regex(lines, pattern=f"(?s)^(?P<head>{regex})")


def _behind(texts: pa.StringArray, lengths: npt.NDArray[np.int32]) -> pa.StringArray:
    """What follows the first so many bytes of each of n texts."""
    count = len(texts)
    starts = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset :][: count + 1]
    bounds = np.empty(2 * count + 1, np.int32)
    bounds[::2], bounds[1::2] = starts, starts[:-1] + lengths
    halves = pa.StringArray.from_buffers(2 * count, pa.py_buffer(bounds), texts.buffers()[2])
    return halves.take(pa.array(np.arange(1, 2 * count, 2)))


@dataclass(frozen=True)
class DockerJson:
    """Docker's ``json-file``: ``{"log":"...","stream":"stdout","time":"..."}``.

    A line over 16 KiB is written as several records, of which the last one's ``log`` has its end.
    """

    name: str = "docker_json"
    is_telling: bool = True
    shape: str = (
        r'^ *\{(?:.*"log" ?: ?".*"stream" ?: ?"std|.*"stream" ?: ?"std.*"log" ?: ?").*\}\s*$'
    )

    def unwrap(self, connection: duckdb.DuckDBPyConnection, lines: pa.StringArray) -> Messages:
        """See ``Wrapper``."""
        _, columns = read_texts(connection, lines, ["/log", "/stream"])
        texts, streams = columns["/log"], columns["/stream"]
        is_whole = pc.and_(texts.is_valid(), streams.is_valid())
        texts, streams = (_only(column, is_whole) for column in (texts, streams))
        goes_on = pc.invert(pc.ends_with(texts, "\n")).fill_null(False)
        return Messages(texts, streams, goes_on.to_numpy(zero_copy_only=False))


@dataclass(frozen=True)
class JournaldJson:
    """``journalctl -o json``: a message is a text, or a list of bytes where it is no plain one."""

    name: str = "journald_json"
    is_telling: bool = True
    shape: str = r'^ *\{(?:.*"MESSAGE" ?: ?.*"__[A-Z]+_|.*"__[A-Z]+_.*"MESSAGE" ?: ?).*\}\s*$'

    def unwrap(self, connection: duckdb.DuckDBPyConnection, lines: pa.StringArray) -> Messages:
        """See ``Wrapper``."""
        places = ["/MESSAGE", "/SYSLOG_IDENTIFIER", "/_COMM", "/_TRANSPORT"]
        _, columns = read_texts(connection, lines, places)
        texts, *names = columns.values()
        is_bytes = pc.match_substring_regex(lines, r'"MESSAGE" ?: ?\[').fill_null(False)
        is_bytes = pc.and_(is_bytes, texts.is_valid())
        if pc.any(is_bytes).as_py():
            read = [_from_bytes(text) for text in texts.filter(is_bytes).to_pylist()]
            texts = pc.replace_with_mask(texts, is_bytes, pa.array(read, TEXT))
        channels = _only(pc.coalesce(*names, pa.scalar("-", TEXT)), texts.is_valid())
        return Messages(texts, channels, np.zeros(len(lines), np.bool_))


def _only(column: pa.StringArray, chosen: pa.BooleanArray) -> pa.StringArray:
    return pc.if_else(chosen, column, pa.scalar(None, TEXT))


def _from_bytes(text: str) -> str | None:
    try:
        return bytes(json.loads(text)).decode("utf-8", "backslashreplace")
    except (ValueError, TypeError):
        return None


SYSLOG = Prefix(
    "syslog",
    # A host does not end in a colon: the tag does, and what follows may be a visitor's own words.
    rf"{_PRIORITY}{_TIME}(?: [A-Z]{{3,4}})? (?:[^ ]*[^ :] )?{_TAG} +",
    plain=rf"(?:<\d{{1,3}}>)?(?:{_MONTH_DAY} \d\d:\d\d:\d\d|\d{{4}}-\d\d-\d\dT[^ ]+) [^ :]+ "
    r"(?P<channel>[^ :\[\]]+)(?:\[\d+\])?: +",
)
"""RFC 3164 with or without priority and host, and the same with rsyslog's and Heroku's times."""

SYSLOG_RFC5424 = Prefix(
    "syslog_rfc5424",
    rf"{_STRUCTURED} [^ ]+ (?P<channel>[^ ]+) [^ ]+ [^ ]+ (?:-|(?:{_ELEMENT})+) +\x{{FEFF}}?",
)

HEROKU = Prefix(
    "heroku", rf"{_STRUCTURED} [^ ]+ (?P<channel>app|heroku) [a-z_]+(?:\.[\w-]+)? - (?:- )?"
)
"""Logplex drains: RFC 5424 without structured data."""

CRI = Prefix(
    "kubernetes_cri",
    rf"\d{{4}}-\d\d-\d\dT{_CLOCK}{_OFFSET} (?P<channel>stdout|stderr) (?P<part>[FP])(?::[^ ]*)? ",
)

COMPOSE = Prefix(
    "docker_compose",
    rf"{_COLOURS}(?P<channel>[\w.-]*[A-Za-z][\w.-]*) +\| ?{_COLOURS}(?:{_ISO} )?{_COLOURS}",
)
"""``docker compose logs``, also with colours and ``--timestamps``."""

KUBECTL = Prefix("kubectl", rf"\[pod/(?P<channel>[^ \]]+)\] (?:{_ISO} )?")
"""``kubectl logs --prefix``."""

TIMES = Prefix(
    "timestamps",
    rf"{_PRIORITY}{_TIME} (?P<channel>)",
    is_telling=False,
    # Of two addresses the first is the sender's, and no client.
    follows=r"(?:[^ ]*[^0-9A-Fa-f.: ][^ ]*|[^ ]+ [^ .:]+)(?: |$)",
)
"""A time alone: ``docker logs --timestamps``, ``kubectl logs --timestamps``, some templates."""

UNTAGGED = Prefix("syslog", rf"{_PRIORITY}{_TIME} [^ ]+ (?P<channel>) *", is_telling=False)
"""A template of syslog's that leaves the program out."""


@dataclass(frozen=True)
class Space(Prefix):
    """rsyslog's ``%msg%`` in a template of its own: the space behind the tag stays before it."""

    name: str = "syslog_message"
    whole: str = "(?P<channel>) ?"
    is_telling: bool = False

    @property
    def shape(self) -> str:
        """See ``Wrapper``; a line without the space is one of another template."""
        return "^ [^ ]"


WRAPPERS: tuple[Wrapper, ...] = (
    *(CRI, DockerJson(), JournaldJson(), HEROKU, SYSLOG_RFC5424, SYSLOG, COMPOSE, KUBECTL),
    *(TIMES, UNTAGGED, Space()),
)
"""The likelier ones first; of those that fit the first is taken."""
