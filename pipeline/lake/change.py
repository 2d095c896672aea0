"""What a build or a publication is about to change in the lake: all of it, or nothing, is seen."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.lake.digests import RECORDS, digest_of, render, replaced, with_latest
from pipeline.lake.fault_points import reach
from pipeline.lake.journal import Move, make_durable
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FileRecord, read_json
from pipeline.lake.views import write_views


class Change:
    """Files that become the lake's at one stroke; who makes the change finds them here before."""

    def __init__(self, lake: Lake, staging: Path) -> None:
        """Begin with no file; those to come lie in ``staging``, on the lake's disk."""
        self.lake, self.staging = lake, staging
        self._staged: dict[Path, Path | None] = {}

    def replace(self, target: Path, staged: Path | None) -> None:
        """Let ``target`` become the file ``staged``, or go when that is None."""
        self._staged[target] = staged

    def find(self, target: Path) -> Path | None:
        """Where the file that ``target`` will be lies now; None when there will be none."""
        path = self._staged.get(target, target)
        return path if path and path.exists() else None

    def has_part(self, model: str, day: str) -> bool:
        """Whether a day's derived partition will have its one file."""
        if not self._staged:
            return self.lake.has_part(model, day)
        return self.find(self.lake.part_path(model, day)) is not None

    def parts(self, model: str, day: str) -> list[Path]:
        """Where the files of a day's derived partition that it will have lie now."""
        folder = self.lake.part_path(model, day).parent
        targets = {*self.lake.parts(model, day)}
        targets |= {target for target in self._staged if target.parent == folder}
        return [path for target in sorted(targets) if (path := self.find(target))]

    def read_json(self, target: Path) -> dict[str, Any]:
        """Read a ledger file as it will be; empty when there will be none."""
        path = self.find(target)
        return read_json(path) if path else {}

    def write_json(self, target: Path, content: Mapping[str, Any]) -> None:
        """Write a ledger file."""
        place = target.relative_to(self.lake.root)
        draft = self.staging / "json" / place
        draft.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(render(content))
        self.replace(target, draft)

    def put_records(self, records: Iterable[FileRecord]) -> None:
        """Replace the accounting of some raw files."""
        from pipeline.lake.records import put_records  # noqa: PLC0415 few changes do it

        moves = put_records(self.lake.ledger, records, self.staging)
        for move in moves:
            self.replace(move.target, move.staged)
        self.note_digests(RECORDS, [move.target for move in moves])

    def note_digests(self, name: str, targets: Iterable[Path]) -> None:
        """Note in the file of digests ``name`` what ``targets`` will be."""
        path, root = self.lake.digests_path(name), self.lake.root
        found = {target.relative_to(root).as_posix(): self.find(target) for target in targets}
        now = {place: digest_of(file) for place, file in found.items() if file}
        self.write_json(path, replaced(self.read_json(path), found, now))

    def note_latest(self, name: str, target: Path) -> None:
        """Note what ``target`` will be beside the digest of what it is."""
        path, staged = self.lake.digests_path(name), self.find(target)
        if staged:
            place = target.relative_to(self.lake.root).as_posix()
            self.write_json(path, with_latest(self.read_json(path), place, digest_of(staged)))

    def put(self) -> None:
        """Change the lake, and its views where they must follow; the caller holds ``build``."""
        if not self._staged:
            write_views(self.lake)
            return
        # Before the lock, under which it is soon done again.
        make_durable([staged for staged in self._staged.values() if staged])
        reach("put: staged")
        with self.lake.lock():
            self.put_locked()

    def put_locked(self) -> None:
        """Do what ``put`` does with files, for one who holds ``commit``, too."""
        moves = [Move(staged, target) for target, staged in self._staged.items()]
        self.lake.exchange(moves, lambda: write_views(self.lake))
        self._staged.clear()
