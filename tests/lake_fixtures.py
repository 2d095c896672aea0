"""A site in a folder of its own: raw files, the command run in this process, and its lake."""

import bz2
import contextlib
import gzip
import hashlib
import io
import lzma
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow.parquet as pq
import zstandard
from conftest import VISITOR_KEY

from pipeline.cli import main as cli
from pipeline.lake.lake import Lake

TABLES = ("hits", "rejects", "sessions", "daily", "hourly", "minutes", "days", "expected", "surges",
          "drivers", "signals")  # fmt: skip
KINDS = ("hits", "rejected", "blank", "directives", "duplicates")


@dataclass(frozen=True)
class Done:
    """What a command left behind: exit code, standard output and standard error."""

    code: int
    out: str
    err: str


def make_line(
    time: str = "08/Nov/2016:10:00:00 -0500",
    client: str = "192.0.2.1",
    request: str = "GET /a HTTP/1.1",
    agent: str = "Firefox/49.0",
    referrer: str = "-",
    status: int = 200,
) -> bytes:
    """Write one good combined line, with its line end."""
    return f'{client} - - [{time}] "{request}" {status} 5 "{referrer}" "{agent}"\n'.encode()


GOOD = make_line()
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": lambda content: bz2.compress(content, 1),  # blocks of 100 kB
    "xz": lambda content: lzma.compress(content, preset=0),
    "zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}


def count_lines(content: bytes) -> int:
    """Count physical lines: newlines, and one more when the last line has none."""
    return content.count(b"\n") + (content[-1:] not in (b"", b"\n"))


class Site:
    """A folder with raw logs and a lake, its zone and key set, without address databases."""

    def __init__(self, folder: Path) -> None:
        """Work in `folder`, which exists; the lake is its subfolder `lake`."""
        self.folder = folder
        self.lake = folder / "lake"

    def copy(self, folder: Path) -> "Site":
        """Return the same site elsewhere, to be changed."""
        return Site(shutil.copytree(self.folder, folder, symlinks=True, dirs_exist_ok=True))

    def write(self, name: str, content: bytes) -> Path:
        """Write a raw file below `raw` and return its path."""
        path = self.folder / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def environment(self, changes: dict[str, str | None] | None = None) -> dict[str, str]:
        """Return the environment with this site's settings; a change to None leaves one out."""
        wanted: dict[str, str | None] = {
            "TIDEGAUGE_VISITOR_KEY": VISITOR_KEY,
            "TIDEGAUGE_TIMEZONE": "America/Toronto",
            **(changes or {}),
        }
        clean = {name: v for name, v in os.environ.items() if not name.startswith("TIDEGAUGE_")}
        return clean | {name: v for name, v in wanted.items() if v is not None}

    def run(
        self,
        *args: str | Path,
        code: int | None = 0,
        env: dict[str, str | None] | None = None,
        stdin: bytes = b"",
    ) -> Done:
        """Run the command as `main` would be run by the shell; asserts the exit code if any."""
        out, err = io.BytesIO(), io.BytesIO()
        streams = {"stdout": out, "stderr": err, "stdin": io.BytesIO(stdin)}
        texts = {name: io.TextIOWrapper(s, "utf-8", newline="") for name, s in streams.items()}
        with (
            mock.patch.object(sys, "argv", ["tidegauge", *map(str, args)]),
            mock.patch.object(sys, "stdin", texts["stdin"]),
            contextlib.redirect_stdout(texts["stdout"]),
            contextlib.redirect_stderr(texts["stderr"]),
            mock.patch.dict(os.environ, self.environment(env), clear=True),
            contextlib.chdir(self.folder),
        ):
            exit_code = _exit_code()
        for text in texts.values():
            text.flush()
        done = Done(exit_code, out.getvalue().decode(), err.getvalue().decode())
        assert code in {None, done.code}, done
        return done

    def ingest(self, *args: str | Path, code: int = 0) -> Done:
        """Ingest without locating anybody."""
        return self.run("ingest", "--no-geo", *args, code=code)

    def records(self) -> dict[str, dict[str, Any]]:
        """Return the ledger's accounting of each raw file, by file key."""
        return {record.file_key: asdict(record) for record in Lake(self.lake).files()}

    def rows(
        self, table: str, file_key: str = "*", columns: list[str] | None = None
    ) -> list[dict[str, Any]]:
        """Return a table's rows from its Parquet files, of one raw file when a key is given."""
        rows = []
        for path in sorted((self.lake / table).rglob("*.parquet")):
            its = pq.ParquetFile(path).read().to_pylist()
            rows += [r for r in its if file_key in {"*", r.get("file_key") or path.stem}]
        return [{name: row[name] for name in columns or row} for row in rows]

    def hashes(self) -> dict[str, str]:
        """Return the SHA-256 of every Parquet file of the tables, by its path in the lake."""
        paths = sorted(path for table in TABLES for path in (self.lake / table).rglob("*.parquet"))
        return {
            str(path.relative_to(self.lake)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in paths
        }


def _exit_code() -> int:
    try:
        cli.main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def assert_accounted(site: Site, content: bytes, **expected: int) -> dict[str, Any]:
    """Assert the accounting of the lake's one raw file, in the ledger and in Parquet; return it.

    `content` is its readable content; kinds not given are expected to be 0.
    """
    ((key, record),) = site.records().items()
    counts = {kind: record[kind] for kind in KINDS}
    assert counts == dict.fromkeys(KINDS, 0) | expected
    assert record["lines"] == sum(counts.values()) == count_lines(content)
    assert sum(record["reasons"].values()) == counts["rejected"]
    hits = [row["line_no"] for row in site.rows("hits", key, ["line_no"])]
    rejects = [row["line_no"] for row in site.rows("rejects", key)]
    assert (len(hits), len(rejects)) == (counts["hits"], counts["rejected"])
    assert len({*hits, *rejects}) == len(hits) + len(rejects)
    assert {*hits, *rejects} <= set(range(1, record["lines"] + 1))
    assert key.endswith("-" + hashlib.sha256(content).hexdigest()[:16])
    assert record["content_bytes"] == len(content)
    return record
