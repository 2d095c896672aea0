"""Reads the lake's Parquet with its digest; damage is an answer here, not an exception."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import count, pairwise, takewhile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import LakeError
from pipeline.lake.stand_ins import bring
from pipeline.text import escape
from pipeline.verify.findings import Finding

PART = re.compile(r"part(?:-\d{2,})?\.parquet")
"""What a derived partition's files are called."""
Digests = dict[str, str]
"""SHA-256 by place in the lake."""


@dataclass(frozen=True)
class Shelf:
    """A lake's files as they were written: where it lies, and the digests it remembers."""

    root: Path
    digests: Digests

    def read(
        self,
        place: str,
        schema: pa.Schema | None = None,
        columns: Sequence[str] | None = None,
        texts: Sequence[str] = (),
    ) -> pa.Table | Finding:
        """A Parquet file's table, or what is off with the file.

        Args:
            place: of the file in the lake; its first folder is what the finding is about.
            schema: the names and types that it must have; not looked at when not given.
            columns: those to read; all when not given.
            texts: columns of text to read as dictionaries.
        """
        content = self.read_bytes(place)
        if isinstance(content, Finding):
            return content
        try:
            metadata = pq.read_metadata(pa.BufferReader(content))
            coded = [name for name in texts if name in metadata.schema.names]
            with pq.ParquetFile(
                pa.BufferReader(content), metadata=metadata, read_dictionary=coded
            ) as file:
                if schema is not None and (why := _differs(file.schema_arrow, schema)):
                    return self.off(place, why)
                there = [name for name in columns or () if name in file.schema_arrow.names]
                return file.read(columns=there if columns else None)
        except (OSError, ValueError, TypeError, KeyError, pa.ArrowException) as error:
            return self.off(place, f"cannot be read: {_first_line(error)}")

    def list_parts(self, model: str, day: date | str) -> list[str]:
        """The files of a day's derived partition that are there or were written, in order."""
        folder = f"{model}/day={day}"
        there = (f"{folder}/{path.name}" for path in (self.root / folder).glob("part*.parquet"))
        wholes = (place for place in [f"{folder}/part.parquet"] if place in self.digests)
        written = takewhile(
            self.digests.__contains__, (f"{folder}/part-{n:02}.parquet" for n in count())
        )
        return sorted({*there, *wholes, *written}, key=lambda place: (len(place), place))

    def read_bytes(self, place: str) -> bytes | Finding:
        """A file's bytes, which are those that were written; or what is off with it."""
        known = self.digests.get(place)
        try:
            bring([self.root / place])
            content = (self.root / place).read_bytes()
        except FileNotFoundError:
            return self.off(place, "is missing")
        except LakeError as error:  # the store's bytes are not those that were written
            return self.off(place, str(error))
        except OSError as error:
            return self.off(place, f"cannot be read: {error.strerror}")
        if known is None:
            return self.off(place, "no digest of it is in ledger/digests: its bytes prove nothing")
        if hashlib.sha256(content).hexdigest() != known:
            return self.off(place, "its bytes are not those that were written (SHA-256 differs)")
        return content

    def off(self, place: str, text: str) -> Finding:
        """A finding about a file."""
        what = place.partition("/")[0]
        return Finding(what, place, text)


def add_missing(table: pa.Table, names: Iterable[str], schema: pa.Schema) -> pa.Table:
    """The table with those of some columns that an earlier version's file lacks: null."""
    for name in names:
        if name not in table.column_names:
            table = table.append_column(name, pa.nulls(len(table), schema.field(name).type))
    return table


def split_files(table: pa.Table, keys: list[str], stem: str) -> list[pa.Table] | str:
    """The rows of each raw file in Parquet that has those of ``keys``; or what contradicts that."""
    if keys == [stem]:
        return [table]
    if "file_key" not in table.column_names or table["file_key"].null_count:
        return "has rows of which it does not say whose they are"
    found = table["file_key"].cast(pa.string()).combine_chunks().dictionary_encode()
    there = found.dictionary.to_pylist()
    if missing := sorted(set(keys).difference(there)):
        return f"has no row of {missing[0]}"
    if others := sorted(set(there).difference(keys)):
        return f"has rows of {escape(others[0])}, of which the ledger has none there"
    codes = found.indices.to_numpy()
    if there != keys or (np.diff(codes) < 0).any():
        return "its raw files are not in order"
    starts = np.searchsorted(codes, np.arange(len(keys) + 1))
    return [table.slice(start, end - start) for start, end in pairwise(starts.tolist())]


class Packs:
    """What raw files have in Parquet with others; the last one that was read is kept."""

    def __init__(self, shelf: Shelf, schema: pa.Schema, keys: Mapping[str, list[str]]) -> None:
        """Nothing is read yet; ``keys``: whose rows lie at each place, in order."""
        self._shelf, self._schema, self._keys = shelf, schema, keys
        self._place = ""
        self._read: dict[str, pa.Table] | Finding = {}

    def read(self, place: str, file_key: str) -> pa.Table | Finding:
        """A raw file's rows, or what is off with the Parquet; to be asked for place by place."""
        if place != self._place:
            self._place, self._read = place, self._split(place)
        return self._read if isinstance(self._read, Finding) else self._read[file_key]

    def _split(self, place: str) -> dict[str, pa.Table] | Finding:
        table, keys = self._shelf.read(place, self._schema), self._keys[place]
        if isinstance(table, Finding):
            return table
        tables = split_files(table, keys, place)
        if isinstance(tables, str):
            return self._shelf.off(place, tables)
        return dict(zip(keys, tables, strict=True))


_ADDED = ("file_key", "asn", "as_org")
"""What hits that an earlier version wrote lack; whether they may, their file's record says."""


def _differs(schema: pa.Schema, wanted: pa.Schema) -> str | None:
    found = {field.name: _plain(field.type) for field in schema}
    for field in wanted:
        kind = found.pop(field.name, None)
        if kind is None and field.name in _ADDED:
            continue
        if kind is None:
            return f"has no column {field.name}"
        if kind != _plain(field.type):
            return f"column {field.name} is {kind}, not {_plain(field.type)}"
    return f"has a column more: {', '.join(found)}" if found else None


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
