"""Raw files delivered in any order, again, grown, renamed, recompressed, damaged and forgotten.

A model of a few lines says which lines are left after duplicates are dropped; the oracle counts
those, and the lake must have the same figures, whatever happened before.
"""

import bz2
import gzip
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from conftest import build_default_databases
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from oracle.lake import read_lake
from oracle.tables import count_files

from pipeline.build.batch import BuildSettings
from pipeline.build.build import build
from pipeline.enrich.geo.databases import list_databases
from pipeline.enrich.hits import DatabasesInForce, HitMaker
from pipeline.enrich.robots import Robots
from pipeline.enrich.visitors import VisitorKey
from pipeline.ingest.deduplication import OverlapRules
from pipeline.ingest.forget import forget_file
from pipeline.ingest.ingest import ingest_files
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FileRecord
from pipeline.settings import Settings

pytestmark = pytest.mark.large

ZONE = ZoneInfo("America/Toronto")
KEY = "a key for deliveries, of no value"
LEAST = 5
PACK: dict[str, Callable[[bytes], bytes]] = {
    "": lambda content: content,
    ".gz": lambda content: gzip.compress(content, mtime=0),
    ".bz2": bz2.compress,
}


def make_log() -> list[bytes]:
    """One server's lines over a midnight: repeated ones, robots, a rejected and a blank line."""
    begin = datetime(2016, 11, 9, 3, 30, tzinfo=UTC)
    lines = []
    for number in range(60):
        at = begin + timedelta(seconds=75 * number)
        agent = "Googlebot/2.1" if number % 13 == 0 else f"Browser/{number % 3}"
        line = (
            f'192.0.2.{number % 7} - - [{at:%d/%b/%Y:%H:%M:%S} +0000] "GET /{number % 5} HTTP/1.1"'
            f' {503 if number % 11 == 0 else 200} 100 "-" "{agent}"\n'
        )
        lines.append(line.encode() * (2 if number % 17 == 3 else 1))
    lines[20] = b"not a hit\n"
    lines[33] = b" \n"
    lines[45] *= 12  # a flood of one line
    return b"".join(lines).splitlines(keepends=True)


LOG = make_log()
MADE = st.integers(1, 3)
PARTS = st.tuples(st.integers(0, len(LOG) - 1), st.integers(1, len(LOG))).map(
    lambda pair: (min(pair[0], pair[1] - 1), max(pair[0] + 1, pair[1]))
)


def cut(part: tuple[int, int], missing: int) -> bytes:
    """Lines of the log, the last one perhaps cut off."""
    content = b"".join(LOG[slice(*part)])
    return content[: len(content) - min(missing, len(content) - 1)]


def garble(content: bytes, at: int, made: int) -> bytes:
    """What a damaged archive may give: other lines, perhaps more, where line `at` was."""
    lines = content.splitlines(keepends=True)
    lines[at] = b"".join(b"%d\x1f%s\n" % (n, lines[at][9:40]) for n in range(made))
    return b"".join(lines)


@dataclass
class Model:
    """What was delivered and not forgotten; nothing of the program is used here."""

    live: dict[bytes, bool] = field(default_factory=dict)
    """Whether each content came out of a damaged archive."""
    gone: dict[bytes, bytes | None] = field(default_factory=dict)
    """Contents whose lines another one has, with that one; None: forgotten."""
    was_damaged: set[bytes] = field(default_factory=set)

    def deliver(self, content: bytes, *, is_damaged: bool = False) -> None:
        """A content that is known in any way changes nothing, unless it was damaged."""
        is_healed = content in self.was_damaged and not is_damaged
        if self.is_known(content) and not (is_healed and self.gone.get(content, b"") is not None):
            return
        for known in (self.live, self.gone):
            known.pop(content, None)
        self.was_damaged.discard(content)
        if is_damaged:
            self.was_damaged.add(content)
        new = {content: is_damaged}
        others = sorted(self.live, key=lambda known: sha256(known).hexdigest()[:16])
        for known in others:
            if is_in(content, known, self.live | new):
                self.gone[content] = known
                return
        for known in others:
            if is_in(known, content, self.live | new):
                self.gone[known] = content
                del self.live[known]
        self.live |= new

    def is_known(self, content: bytes) -> bool:
        """Whether it is there, forgotten, or within one that is there."""
        last: bytes | None = content
        while last in self.gone and self.gone[last] is not None:
            last = self.gone[last]
        return last in self.live or (last == content and content in self.gone)

    def forget(self, content: bytes) -> None:
        """Its lines are gone, and it stays known."""
        del self.live[content]
        self.gone[content] = None

    def left(self) -> Iterator[bytes]:
        """The lines of each file that are no duplicates."""
        for content in self.live:
            own = content.split(b"\n")
            dropped = [
                count
                for other in self.live
                if other != content
                and (count := shared(other, content, self.live))
                and (shared(content, other, self.live), key(other)) < (count, key(content))
            ]
            yield b"\n".join(own[max(dropped, default=0) :])


def key(content: bytes) -> str:
    """The file's key, but for its source."""
    return sha256(content).hexdigest()[:16]


def lines_of(content: bytes) -> list[bytes]:
    """Physical lines, without their ends."""
    lines = content.split(b"\n")
    return lines if lines[-1] else lines[:-1]


def is_in(part: bytes, whole: bytes, damaged: dict[bytes, bool]) -> bool:
    """Whether `whole` takes the place of `part`: it grew out of it, or is it undamaged."""
    own, other = lines_of(part), lines_of(whole)
    if whole.startswith(part):
        return not goes_on(own, other) or not part.endswith(b"\n")
    if not damaged[part] or damaged[whole] or own[0] != other[0]:
        return False
    same = next((n for n, (a, b) in enumerate(zip(own, other, strict=False)) if a != b), 0)
    found = match(part, whole, is_damaged=True)
    return not goes_on(own[:same], other) and found is not None and tells(own, found)


def tells(own: list[bytes], found: list[bytes]) -> bool:
    """Whether lines in common tell whose copy a damaged file is: half of its hits, or enough."""
    hits = [line for line in own if line[:1].isdigit() and b"\x1f" not in line]
    return len(hits) <= 2 * len(found) or len(set(found)) >= LEAST


def goes_on(first: list[bytes], other: list[bytes]) -> bool:
    """Whether a flood that ends `first` goes on in `other`, which begins with the same lines."""
    is_flood = len(first) >= LEAST > len(set(first))
    return is_flood and other[len(first) : len(first) + 1] == first[-1:]


def match(part: bytes, whole: bytes, *, is_damaged: bool) -> list[bytes] | None:
    """The lines of `part` that `whole` has in order; None when others are there than damage left.

    Of an undamaged file that is a last line without its end.
    """
    own, other = lines_of(part), lines_of(whole)
    found, since, unknown = list[bytes](), 0, 0
    for line in own:
        if line not in other[since:]:
            unknown += 1
            continue
        place = other.index(line, since)
        if unknown > 4 * (place - since) or (unknown and not is_damaged):
            return None
        found.append(line)
        since, unknown = place + 1, 0
    is_tail = unknown == 1 and since < len(other) and not part.endswith(b"\n")
    if unknown and not is_tail and (not is_damaged or unknown > 4 * (len(other) - since)):
        return None
    return found


def shared(before: bytes, after: bytes, damaged: dict[bytes, bool]) -> int:
    """The first lines of `after` that are duplicates: all, when `before` has all of them in order.

    Else those that end `before`, line by line; what follows the last line end of it, if anything,
    is no part of that. Always with enough different ones.
    """
    old, new = lines_of(before), lines_of(after)
    found = match(after, before, is_damaged=damaged[after])
    if found is not None and len(set(found)) >= LEAST:
        return len(new)
    ends = {len(old), len(old) - (not before.endswith(b"\n"))}
    for count in range(len(new), LEAST - 1, -1):
        is_end = any(end >= count and old[end - count : end] == new[:count] for end in ends)
        if is_end and len(set(new[:count])) >= LEAST:
            return count
    return 0


class Deliveries(RuleBasedStateMachine):
    """Every figure depends on the lines left after duplicates are dropped, and on nothing else."""

    def __init__(self) -> None:
        """Begin with an empty folder."""
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="tidegauge-deliveries-"))
        self.model = Model()
        self.raw: dict[Path, bytes] = {}
        self.number = 0

    @initialize()
    def make_lake(self) -> None:
        """Make an empty lake, with the cases' databases."""
        geo = build_default_databases(self.folder / "geo")
        self.lake = Lake(self.folder / "lake")
        key = VisitorKey(KEY.encode())
        self.lake.claim(ZONE.key, key.fingerprint)
        places = DatabasesInForce(list_databases(geo), None, ZONE)
        self.maker = HitMaker(ZONE, places, Robots(self.lake.root), key)
        self.build_settings = BuildSettings(30, False, zone=ZONE, key=key, memory_mb=512)
        self.settings = Settings(
            lake=self.lake.root, geo=geo, timezone=ZONE.key, visitor_key=KEY,
            overlap_least_lines=LEAST,
        )  # fmt: skip

    def teardown(self) -> None:
        """Leave nothing."""
        shutil.rmtree(self.folder)

    def take(self, path: Path, content: bytes, *, is_damaged: bool = False) -> None:
        """Ingest a file, in the lake and in the model."""
        self.raw[path] = content
        done = ingest_files(self.lake, self.maker, [path], rules=OverlapRules(LEAST, drops=True))
        assert not done.failed
        self.model.deliver(content, is_damaged=is_damaged)

    @rule(part=PARTS, missing=st.sampled_from([0, 0, 0, 1, 30]), pack=st.sampled_from([*PACK]))
    def deliver(self, part: tuple[int, int], missing: int, pack: str) -> None:
        """A part of the server's log comes, under a new name."""
        self.number += 1
        path = self.folder / f"web.log.{self.number}{pack}"
        content = cut(part, missing)
        path.write_bytes(PACK[pack](content))
        self.take(path, content)

    @rule(part=PARTS, data=st.data())
    def deliver_damaged(self, part: tuple[int, int], data: st.DataObject) -> None:
        """A part comes in an archive whose checksum is wrong, all of it sound or not."""
        content, count = cut(part, 0), part[1] - part[0]
        if count > 8 and data.draw(st.booleans()):
            content = garble(content, data.draw(st.integers(6, count - 1)), data.draw(MADE))
        self.take_damaged(content)

    def take_damaged(self, content: bytes) -> None:
        """Ingest a content out of an archive whose checksum is wrong."""
        archive = bytearray(gzip.compress(content, mtime=0))
        archive[-5] ^= 1
        self.number += 1
        path = self.folder / f"web.log.{self.number}.gz"
        path.write_bytes(archive)
        self.take(path, content, is_damaged=True)

    @rule(data=st.data())
    def deliver_again(self, data: st.DataObject) -> None:
        """The same content comes again, renamed or recompressed."""
        if not self.raw:
            return
        content = data.draw(st.sampled_from(sorted(self.raw.values())))
        pack = data.draw(st.sampled_from([*PACK]))
        self.number += 1
        path = self.folder / f"web.log.{self.number}{pack}"
        path.write_bytes(PACK[pack](content))
        self.take(path, content)

    @rule(data=st.data(), more=st.integers(1, 30))
    def grow(self, data: st.DataObject, more: int) -> None:
        """A live file is written on, in place."""
        plain = [path for path in self.raw if not path.name.endswith((".gz", ".bz2"))]
        if not plain:
            return
        path = data.draw(st.sampled_from(sorted(plain)))
        whole = b"".join(LOG)
        begin = whole.find(self.raw[path])
        end = begin + len(self.raw[path])
        lines = b"".join(whole[end:].splitlines(keepends=True)[:more])
        if lines:
            path.write_bytes(self.raw[path] + lines)
            self.take(path, self.raw[path] + lines)

    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        """A file in the lake is taken out."""
        records = self.lake.files()
        if not records:
            return
        self.forget_record(data.draw(st.sampled_from(records)))

    def forget_record(self, record: FileRecord) -> None:
        """Take a file out, of the lake and of the model."""
        content = next(c for c in self.model.live if sha256(c).hexdigest() == record.sha256)
        forget_file(self.lake, OverlapRules(LEAST, drops=True), record.file_key, datetime.now(UTC))
        self.model.forget(content)

    @rule()
    def count(self) -> None:
        """A build in between changes nothing in the end."""
        build(self.lake, self.build_settings)

    @invariant()
    def files_are_the_models(self) -> None:
        """The lake has the model's files, and their lines add up."""
        if hasattr(self, "lake"):
            assert len(self.lake.files()) == len(self.model.live)
            assert all(record.balances for record in self.lake.files())

    def check(self) -> None:
        """Compare every figure with the oracle's."""
        build(self.lake, self.build_settings)
        left = self.folder / "left"
        left.mkdir(exist_ok=True)
        for number, content in enumerate(self.model.left()):
            (left / f"web-{number}.log").write_bytes(content)
        # The oracle counts the same content once: what is left of two files may be equal.
        joined = left / "web.log"
        joined.write_bytes(b"\n".join(p.read_bytes() for p in sorted(left.glob("web-[0-9]*"))))
        wanted = count_files([joined], ZONE, self.folder / "geo")
        found = read_lake(self.lake.root)
        for table in ("sessions", "daily", "hourly"):
            assert sorted(getattr(found, table), key=repr) == sorted(
                getattr(wanted, table), key=repr
            ), table
        assert not list(self.lake.root.rglob(".commit"))
        shutil.rmtree(left)

    @rule()
    def compare(self) -> None:
        """Somebody looks at the figures."""
        self.check()


Deliveries.TestCase.settings = settings(
    max_examples=10, stateful_step_count=14,
    suppress_health_check=list(HealthCheck), print_blob=True,
)  # fmt: skip
TestDeliveries = pytest.mark.filterwarnings("default")(Deliveries.TestCase)


@pytest.mark.parametrize("is_damaged_first", [True, False])
def test_a_damaged_piece_moved_to_the_lines_of_the_whole_is_a_piece(
    is_damaged_first: bool,
) -> None:
    """It begins a line later, damage has made a line more: five lines have the same number again.

    What Hypothesis found; the piece stays, to come back when the whole is forgotten.
    """
    machine = Deliveries()
    machine.make_lake()
    piece = garble(cut((14, 27), 0), 7, 1)
    assert piece.splitlines(keepends=True)[9:] == LOG[22:27]
    for is_damaged in (is_damaged_first, not is_damaged_first):
        if is_damaged:
            machine.take_damaged(piece)
        else:
            machine.deliver((13, 27), 0, "")
        machine.files_are_the_models()
    machine.check()
    (whole,) = (record for record in machine.lake.files() if not record.damage)
    machine.forget_record(whole)
    assert [record.damage is None for record in machine.lake.files()] == [False]
    machine.check()
    machine.teardown()
