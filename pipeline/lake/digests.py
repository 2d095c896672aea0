"""What the lake wrote, by SHA-256: so that any changed byte of it is found.

The files of ``ledger/digests`` remember it, each written with what it vouches for:
``<file_key>.json`` for everything the lake has of a raw file alone, ``day=D.json`` for what several
have in one file of a day, ``files.json`` for the records of all of them, ``built.json`` for the
partitions that a build wrote, others for what there is one of: tables, views, restatements. Ledger
files vouch for themselves: each carries a checksum of its own text. Knows nothing of what the files
say.
"""

import hashlib
import json
import re
import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.lake.journal import Move
from pipeline.lake.stand_ins import is_stand_in, read_stand_in

CHECKSUM = "checksum"
"""A field of every ledger file: SHA-256 of the text without it, its first 16 hex digits."""
FOLDER = Path("ledger", "digests")
_PACK = re.compile(r"-h\d\d$")
"""What the names of ``packs`` end with."""
RECORDS = "files"
"""The name of the digests of the ledger's records."""


def digest_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    if is_stand_in(path):
        return read_stand_in(path).sha256
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def render(content: Mapping[str, Any]) -> str:
    """A ledger file's text; the only one that its content can have."""
    text = _dump(content)
    return _dump({**content, CHECKSUM: hashlib.sha256(text.encode()).hexdigest()[:16]})


def _dump(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=1, sort_keys=True)


def read_content(text: str) -> dict[str, Any]:
    """The content of a ledger file, without its checksum, which is not looked at.

    Raises:
        ValueError: it is no JSON object.
    """
    content = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 as for what is no JSON at all
    content.pop(CHECKSUM, None)
    return content


def is_intact(text: str) -> bool:
    """Whether a ledger file's text is, to the byte, the one that was written."""
    try:
        return render(read_content(text)) == text
    except ValueError:
        return False


def with_digests(root: Path, moves: Sequence[Move]) -> list[Move]:
    """A change of what the lake has of raw files, and the digests that it leads to."""
    changed: dict[str, dict[str, str | None]] = defaultdict(dict)
    for move in moves:
        if move.target.suffix != ".json":
            place = move.target.relative_to(root).as_posix()
            changed[name_of(place)][place] = digest_of(move.staged) if move.staged else None
    staging = next((move.staged.parent for move in moves if move.staged), root / FOLDER)
    return [*moves, *(_change(root, key, its, staging) for key, its in changed.items())]


def name_of(place: str) -> str:
    """The name of the digests that have that of a file which is made of raw files."""
    path = Path(place)
    if path.parent == Path("ledger", RECORDS):
        return RECORDS
    return path.parent.name if _PACK.search(path.stem) else path.stem


def _change(root: Path, key: str, changed: Mapping[str, str | None], staging: Path) -> Move:
    target = root / FOLDER / f"{key}.json"
    known = read_content(target.read_text()) if target.exists() else {}
    now = {place: digest for place, digest in {**known, **changed}.items() if digest}
    is_left = (place in changed or (root / place).exists() for place in now)
    if not any(is_left):  # what retention has deleted
        return Move(None, target)
    staging.mkdir(parents=True, exist_ok=True)
    draft = staging / f".{secrets.token_hex(8)}.draft"
    draft.write_text(render(now))
    return Move(draft, target)


def replaced(
    known: Mapping[str, str], places: Iterable[str], now: Mapping[str, str]
) -> dict[str, str]:
    """``known`` digests with those of some places (partitions, built anew) replaced."""
    gone = set(places)
    return {place: digest for place, digest in known.items() if place not in gone} | dict(now)


def with_latest(known: Mapping[str, Any], place: str, digest: str) -> dict[str, Any]:
    """``known`` with a file's new digest beside the one before: whichever of the two is in place.

    Written before the file is: neither order of the two writings may be interrupted otherwise.
    """
    before = [one for one in known.get(place, []) if one != digest]
    return {**known, place: [*before[-1:], digest]}
