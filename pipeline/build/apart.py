"""Where processes of a build work, wherever they run, and how each finds what others have left."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.engine import Engine
from pipeline.errors import EngineError
from pipeline.lake.lake import Lake
from pipeline.lake.stand_ins import GoneError, StandIn, fetch
from pipeline.settings import read_lake

File = Path | StandIn
"""One that a process has left: in a folder that all have, or in the lake's store."""


def name_file(file: File) -> str | dict[str, str | int]:
    """What names a file in JSON."""
    return str(file) if isinstance(file, Path) else asdict(file)


def find_named(name: str | dict[str, Any]) -> File:
    """The file of a name."""
    return Path(name) if isinstance(name, str) else StandIn(**name)


@dataclass(frozen=True)
class Workplace:
    """The lake, and where files are left; goes to other processes."""

    place: Path | str
    """The lake's."""
    out: Path | None
    """Where to leave files; None: in the lake's store, from where any machine takes them."""

    @classmethod
    def of(cls, lake: Lake, engine: Engine, out: Path) -> "Workplace":
        """Where an engine's processes work on a lake; ``out`` is this machine's."""
        if isinstance(lake.place, Path):
            return cls(lake.place.absolute(), out.absolute())
        return cls(str(lake.place), None if engine.is_elsewhere else out)

    @contextmanager
    def working(self) -> Iterator["Work"]:
        """Work in whatever process this is."""
        place = self.place if isinstance(self.place, Path) else read_lake(self.place)
        lake = Lake(place)
        if self.out is None:
            lake.recover()
            with lake.staging() as folder:
                yield Work(lake, folder, is_shared=False)
            return
        # One that was begun before, and broke off, had another.
        folder = self.out / secrets.token_hex(8)
        folder.mkdir(parents=True)  # DuckDB makes no folder in one that is not there
        yield Work(lake, folder, is_shared=True)


@dataclass(frozen=True)
class Work:
    """What one process has to work in."""

    lake: Lake
    folder: Path
    """For its files alone."""
    is_shared: bool
    """Whether others find the folder, after the work, too."""

    def leave(self, path: Path) -> File:
        """Leave a file of the folder for others."""
        if self.is_shared:
            return path
        from pipeline.lake.bucket import Bucket  # noqa: PLC0415 few lakes are in a store

        assert isinstance(self.lake.store, Bucket)  # a folder is on one machine
        return self.lake.store.put_aside(path, path.relative_to(self.folder).as_posix())

    def leave_partitions(self) -> dict[str, File]:
        """Leave all derived partitions of the folder, by their place in it."""
        made = sorted(self.folder.glob("*/day=*/part*.parquet"))
        return {path.relative_to(self.folder).as_posix(): self.leave(path) for path in made}

    def find(self, file: File, name: str) -> Path:
        """Where a file that another process left is; ``name``: for it in this one's folder.

        Raises:
            EngineError: it is there no longer.
        """
        path = file if isinstance(file, Path) else self.folder / "found" / name
        try:
            if isinstance(file, StandIn):
                path.parent.mkdir(parents=True, exist_ok=True)
                fetch(file, path)
        except GoneError:
            path.unlink(missing_ok=True)
        if not path.exists():
            raise EngineError(
                f"what the build of {self.lake.name} had laid aside is gone"
                f" ({file.object if isinstance(file, StandIn) else file}): nothing was changed that"
                " is not whole, build again"
            )
        return path
