"""Where everything of a lake lies."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.lake.digests import FOLDER

if TYPE_CHECKING:
    from pipeline.lake.ledger import FileRecord


class LakePaths(ABC):
    """The paths of a lake's files, below its folder on this machine."""

    @property
    @abstractmethod
    def root(self) -> Path:
        """That folder."""

    def hits_path(self, day: str, stem: str) -> Path:
        """The hits of one large raw file and day, or those of small ones; see ``packs``."""
        return self.root / "hits" / f"day={day}" / f"{stem}.parquet"

    def rejects_path(self, day: str, stem: str) -> Path:
        """Their rejected lines."""
        return self.root / "rejects" / f"day={day}" / f"{stem}.parquet"

    def part_path(self, model: str, day: str | None = None) -> Path:
        """The one file of a derived partition, or of an unpartitioned table."""
        return self.root.joinpath(model, *([f"day={day}"] if day else []), "part.parquet")

    def has_part(self, model: str, day: str) -> bool:
        """Whether a derived partition has it; asked of each of thousands of days."""
        return os.path.exists(f"{self.root}/{model}/day={day}/part.parquet")  # noqa: PTH110 a tenth of a path's time

    def parts(self, model: str, day: str) -> list[Path]:
        """The files of a day's derived partition that are there, in the order of their rows.

        Of ``sessions`` there may be many, of all others one.
        """
        folder = self.root / model / f"day={day}"
        return sorted(folder.glob("part*.parquet"), key=lambda path: (len(path.name), path.name))

    @property
    def views(self) -> Path:
        """The DuckDB file with views over everything."""
        return self.root / "tidegauge.duckdb"

    @property
    def ledger(self) -> Path:
        """The folder of the accounting."""
        return self.root / "ledger"

    def whole_path(self, day: str, file_key: str) -> Path:
        """All hits of a raw file and day of which some are dropped as duplicates."""
        return self.ledger / "whole" / f"day={day}" / f"{file_key}.parquet"

    def lines_path(self, record: FileRecord) -> Path:
        """One hash for each physical line of a raw file, or of small ones; see ``overlaps``."""
        if record.is_packed:
            return self.ledger / "lines" / f"day={record.day}" / f"{record.stem}.parquet"
        return self.ledger / "lines" / f"{record.file_key}.npy"

    @property
    def fetched(self) -> Path:
        """The folder of remote files, until they have been read."""
        return self.root / ".fetched"

    @property
    def left_out(self) -> Path:
        """The notes of what was there and is not in the lake; see ``left_out``."""
        return self.ledger / "left.json"

    def digests_path(self, name: str) -> Path:
        """Where the digests of what the lake wrote lie; see ``digests``."""
        return self.root / FOLDER / f"{name}.json"
