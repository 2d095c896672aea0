"""What a change of raw files does to the lake's files beside their records.

A large file has Parquet of its own, which is moved; a small one has rows in a pack, which is
written anew once, with all that the change brings and takes.
"""

import os
import secrets
import shutil
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.ingest.contained import Hashes
from pipeline.lake.hit_files import write_hits
from pipeline.lake.journal import Move
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FileRecord
from pipeline.lake.packs import Rows, read_pack, write_pack
from pipeline.lake.stand_ins import bring
from pipeline.lake.table_files import read_table

HITS, REJECTS, LINES, WHOLE = "hits", "rejects", "ledger/lines", "ledger/whole"
Piece = Path | Rows
"""What a raw file gives to a day: a Parquet file, or rows."""


class Filing:
    """The files of raw files as they will be; the lake's are as they were until ``moves`` is done.

    The caller holds the lake's commit lock from before the making until the change is done.
    """

    def __init__(self, lake: Lake, staging: Path) -> None:
        """Begin without a change; files made on the way go into ``staging``."""
        self._lake, self._staging = lake, staging
        self._own: dict[Path, Path | None] = {}
        self._packed: dict[tuple[str, str, str], dict[str, Rows | None]] = defaultdict(dict)
        self._packs: dict[Path, dict[str, Rows]] = {}

    def find(self, folder: str, day: str, record: FileRecord) -> Piece | None:
        """What a raw file has of a table and day, as it will be."""
        if self._is_packed(folder, record):
            changed = self._packed.get((folder, day, record.stem), {})
            if record.file_key in changed:
                return changed[record.file_key]
            return self._pack(self._path(folder, day, record)).get(record.file_key)
        target = self._path(folder, day, record)
        path = self._own.get(target, target)
        return path if path and path.exists() else None

    def put(self, folder: str, day: str, record: FileRecord, piece: Piece | None) -> None:
        """Let a raw file have ``piece`` of a table and day, or nothing."""
        if self._is_packed(folder, record):
            rows = Rows.all_of(read_table(piece)) if isinstance(piece, Path) else piece
            if rows or self.find(folder, day, record):
                self._packed[folder, day, record.stem][record.file_key] = rows
            return
        target = self._path(folder, day, record)
        if piece is not None or self._own.get(target) or target.exists():
            self._own[target] = piece if piece is None else self._as_file(piece)

    def put_lines(self, record: FileRecord, hashes: Hashes | None) -> None:
        """Let the ledger have the hashes of a raw file's lines, or none."""
        if self._is_packed(LINES, record):
            rows = hashes if hashes is None else Rows.all_of(_to_table(hashes))
            self.put(LINES, record.day, record, rows)
        else:
            target = self._lake.lines_path(record)
            staged = None
            if hashes is not None:
                staged = self._new_path()
                with staged.open("wb") as file:
                    np.save(file, hashes)
            if staged or self._own.get(target) or target.exists():
                self._own[target] = staged

    def lines_of(self, record: FileRecord) -> Hashes | None:
        """The hashes of a raw file's lines; None when retention has deleted them."""
        if not self._is_packed(LINES, record):
            target = self._lake.lines_path(record)
            path = self._own.get(target, target)
            if path is None or not path.exists():
                return None
            bring([path])
            return np.asarray(np.load(path, mmap_mode="r"))
        rows = self.find(LINES, record.day, record)
        if rows is None:
            return None
        assert isinstance(rows, Rows)  # of a small file
        hashes: Hashes = rows.slice["hashes"].combine_chunks().flatten().to_numpy()
        return hashes

    def drop(self, record: FileRecord) -> None:
        """Let the lake have nothing of a raw file."""
        for day in {*record.days, *record.whole_days}:
            self.put(HITS, day, record, None)
        for day in record.whole_days:
            self.put(WHOLE, day, record, None)
        if record.rejects_day:
            self.put(REJECTS, record.rejects_day, record, None)
        self.put_lines(record, None)

    def moves(self) -> list[Move]:
        """The change of files that all of it comes to."""
        return [*(Move(staged, target) for target, staged in self._own.items()), *self._repack()]

    def _repack(self) -> Iterator[Move]:
        for (folder, day, stem), changed in self._packed.items():
            target = self._lake.root / folder / f"day={day}" / f"{stem}.parquet"
            files = {k: rows for k, rows in (self._pack(target) | changed).items() if rows}
            if files:
                staged = self._new_path()
                write_pack(staged, folder, files)
                yield Move(staged, target)
            elif target.exists():
                yield Move(None, target)

    def _pack(self, path: Path) -> dict[str, Rows]:
        if path not in self._packs:
            self._packs[path] = read_pack(path) if path.exists() else {}
        return self._packs[path]

    def _is_packed(self, folder: str, record: FileRecord) -> bool:
        return folder != WHOLE and record.is_packed

    def _path(self, folder: str, day: str, record: FileRecord) -> Path:
        name = record.stem if self._is_packed(folder, record) else record.file_key
        return self._lake.root / folder / f"day={day}" / f"{name}.parquet"

    def _as_file(self, piece: Piece) -> Path:
        """A piece as a staged file; the lake's own stays until the change is done."""
        if isinstance(piece, Path) and piece.is_relative_to(self._staging):
            return piece
        made = self._new_path()
        if isinstance(piece, Rows):
            write_hits(made, piece.slice)
            return made
        try:
            os.link(piece, made)
        except OSError:  # a file system without hard links
            shutil.copyfile(piece, made)
        return made

    def _new_path(self) -> Path:
        return self._staging / secrets.token_hex(8)


def _to_table(hashes: Hashes) -> pa.Table:
    lists = pa.ListArray.from_arrays(pa.array([0, len(hashes)], pa.int32()), pa.array(hashes))
    return pa.table({"hashes": lists})
