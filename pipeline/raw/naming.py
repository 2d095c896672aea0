"""Which server wrote a raw file, told from its name.

What rotation and delivery add (``rotation``) is cut, and nothing else: a number that names a server
(``web-01``, ``10.0.0.5``, ``shop24``) stays. A name means the same to every command: nothing here
asks for other files. A name of nothing but that is named after its folder.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pipeline.errors import SettingsError
from pipeline.raw import rotation
from pipeline.raw.files import lasting_path
from pipeline.raw.rotation import CUT
from pipeline.text import Kept, keep, printable

SOURCE_BYTES = 100  # file systems end names at 255 bytes
_DATED_NAME = re.compile(r"(?<!\d)((?:19|20)\d\d)[-_.]?(\d\d)[-_.]?(\d\d)(?!\d)")
_HELD = "\1"
_LONE_PART = re.compile(r"(?P<rest>.*[^-_. ])(?P<mark>[-_. ])(?P<part>\d{1,4}|[a-z])", re.ASCII)
_SAYS_LOG = re.compile(r"(?:access|error|request|combined|log)s?$", re.IGNORECASE)


@dataclass(frozen=True)
class Name:
    """What of a file's name names its server."""

    server: str
    """Empty when the name is nothing but rotation and delivery."""
    doubt: Kept | None = None
    """How the name was read, where another reading is as good."""


def source_of(path: Path) -> str:
    """The source of a raw file that nothing else is said of, safe as a part of a path."""
    return safe_source(read_name(path.name).server or folder_of(path))


def folder_of(path: Path) -> str:
    """The name of the nearest folder above a file that is more than rotation; ``log`` if none."""
    return next(filter(None, map(_read_folder, lasting_path(path).parents)), "log")


def read_name(file_name: str) -> Name:
    """Tell in a file's name what names the server."""
    text = re.sub(r"[\0-\x1f]", "~", printable(file_name))
    for shape in rotation.SHAPES:
        text = shape.sub(CUT, text)
    is_sure = CUT in text
    text, held = _hold(text)
    text, is_sure_time, unsure = _cut_times(text)
    text = _cut_ids(text)
    is_sure |= is_sure_time or text.count(CUT) > bool(unsure)
    text, is_counted = _cut_endings(text)
    is_sure |= is_counted
    text = _close(text)
    doubt = keep("{part} is taken for a date", part=unsure) if unsure else None
    if not is_sure and not unsure:
        text, doubt = _judge_last_part(text)
    if re.fullmatch(r"(?:logs?|[\d\-_. ]*)", text, re.IGNORECASE):
        return Name("")
    return Name(_release(text, held), None if is_sure else doubt)


def day_in_name(name: str) -> date | None:
    """A hint where to look for, never what a hit is counted by."""
    if not (found := _DATED_NAME.search(name)):
        return None
    try:
        return date(*map(int, found.groups()))
    except ValueError:
        return None


def safe_source(name: str) -> str:
    """Write a name so that the lake's own files can bear it.

    What does not belong there becomes ``~``; one that is too long ends in a hash of the whole.
    """
    name = re.sub(r"[^\w@+~.-]", "~", name)
    if len(name.encode()) <= SOURCE_BYTES:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name.encode()[: SOURCE_BYTES - 9].decode(errors='ignore')}~{digest}"


def check_source(name: str) -> None:
    """Refuse a source that is no name.

    Raises:
        SettingsError: it holds other than letters, digits and ``@ + ~ . - _``.
    """
    if not re.fullmatch(r"[\w@+~-][\w@+~.-]*", name) or len(name.encode()) > SOURCE_BYTES:
        raise SettingsError(
            "--source",
            name,
            "write a name of letters, digits and @ + ~ . - _, up to 100 bytes, such as web01",
        )


def _read_folder(folder: Path) -> str:
    """A folder's name without times and ids; empty when there is nothing else in it."""
    text, held = _hold(re.sub(r"[\0-\x1f]", "~", printable(folder.name)))
    text = _close(_cut_ids(_cut_times(text)[0]))
    return "" if re.fullmatch(r"[\d\-_. ]*", text) else _release(text, held)


def _hold(text: str) -> tuple[str, list[str]]:
    """Put aside the numbers that name."""
    held = [found[0] for found in rotation.HELD.finditer(text)]
    return rotation.HELD.sub(_HELD, text), held


def _release(text: str, held: list[str]) -> str:
    for one in held:
        text = text.replace(_HELD, one, 1)
    return text


def _cut_times(text: str) -> tuple[str, bool, str | None]:
    """Take times out; whether one is sure, and the first that may be no time."""
    is_sure, unsure = False, None
    for notation in rotation.TIMES:
        left = notation.cut(text)
        if left != text and notation.is_sure:
            is_sure = True
        elif left != text:
            unsure = unsure or next(f[0] for f in notation.pattern.finditer(text))
        text = left
    return _repeat(rotation.BESIDE_A_TIME, text), is_sure, unsure


def _repeat(pattern: re.Pattern[str], text: str) -> str:
    while (left := pattern.sub("", text)) != text:
        text = left
    return text


def _cut_ids(text: str) -> str:
    for pattern in rotation.SURE_IDS:
        text = pattern.sub(CUT, text)

    def judge(found: re.Match[str]) -> str:
        is_behind = CUT in text[max(0, found.start() - 2) : found.start()]
        is_id = found.start() > 0 and rotation.is_random(found[0], is_behind_a_time=is_behind)
        return CUT if is_id else found[0]

    return _repeat(rotation.BESIDE_A_TIME, rotation.WORD.sub(judge, text))


def _cut_endings(text: str) -> tuple[str, bool]:
    """Take endings and the counters behind them off; whether there was a counter."""
    is_counted, is_ended = False, False
    while True:
        left = re.sub(rf"[-_. ]*{CUT}$", "", text)
        if found := rotation.BEHIND_AN_ENDING.search(left):
            left, is_counted = left[: found.end("ending")], True
        elif not is_ended and rotation.LAST_NUMBER.search(left):
            left, is_counted = rotation.LAST_NUMBER.sub("", left), True
        elif rotation.ENDING.search(left):
            is_ended |= not rotation.PACKED.search(left)
            left = rotation.ENDING.sub("", left)
        if left == text:
            return text, is_counted
        text = left


def _close(text: str) -> str:
    """Join what is left around what was cut."""
    marks = rf"([-_. ]*){CUT}[-_. {CUT}]*?([-_. ]?)(?![-_. {CUT}])"
    joined = re.sub(marks, lambda found: (found[1] or found[2])[:1], text)
    return joined.strip("-_. ")


def _judge_last_part(text: str) -> tuple[str, Kept | None]:
    """Tell whether a number that ends a name without any time names the server or counts files.

    It counts them behind a word for logs, behind a dot, and where the server has its number
    already (``web01-1``): there also a single letter. Else it is the server's (``web-01``).
    """
    if len(text) < 32 and rotation.is_random(text):
        return "", None
    found = _LONE_PART.fullmatch(text)
    if not found:
        return text, None
    rest, mark, part = found["rest"], found["mark"], found["part"]
    has_number = rest[-1].isdigit() or rest[-1] == _HELD
    is_behind_dot = mark == "." and not part.startswith("0")
    if has_number or (part.isdigit() and (is_behind_dot or _SAYS_LOG.search(rest))):
        return rest, keep("{part} is taken for a counter of files", part=f"{mark}{part}")
    is_server = part.isdigit()
    return text, keep("{part} is taken for the server's number", part=part) if is_server else None
