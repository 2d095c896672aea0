"""What the lake keeps of one person leaves it, and every figure stands.

The person's hits stay as hits of nobody: under a random number instead of the visitor's hash, each
path as a mere number, without client, query, referrer and user agent. What a figure counts of them,
visitors, sessions, pages or different paths, it counts as before. Raw files are not touched.
"""

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.definitions import ASSET_PATH
from pipeline.enrich.clients import canonical
from pipeline.enrich.visitors import VisitorKey, hash_sessions
from pipeline.lake.change import Change
from pipeline.lake.digests import name_of
from pipeline.lake.hit_files import write_hits
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FileRecord, read_json
from pipeline.lake.table_files import complete, read_table, write_table
from pipeline.tables import REJECTS

ERASED = "erased"
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Person:
    """Who is to be erased: a client as ``read_client`` gives it, with all agents or with these."""

    client: str
    agents: tuple[str, ...] = ()

    def ids_among(self, key: VisitorKey, agents: pa.Array) -> npt.NDArray[np.uint64]:
        """The visitor hashes that the person has with some user agents, of those meant."""
        wanted = [agent or "" for agent in agents.to_pylist()]
        if self.agents:
            wanted = [agent for agent in wanted if agent in self.agents]
        messages = [f"{canonical(self.client)}\0{agent}" for agent in wanted]
        return key.hash_messages(pa.array(messages, pa.string()))


@dataclass(frozen=True)
class Trace:
    """What one file of the lake keeps of a person."""

    day: str
    table: str
    rows: int
    path: Path
    file_keys: tuple[str, ...] = ()
    """Of the raw files that they are of."""
    records: Mapping[str, FileRecord] = field(default_factory=dict)
    """Those of these, by key."""
    is_derived: bool = False
    """Whether a build makes it anew of hits, so that nothing is written there."""

    @property
    def names(self) -> str:
        """Those of its raw files."""
        return ", ".join(sorted({record.name for record in self.records.values()}))


def erase(
    lake: Lake,
    key: VisitorKey,
    person: Person,
    *,
    is_asked: bool,
    on_file: Callable[[], None] = lambda: None,
) -> list[Trace]:
    """Find what the lake keeps of a person, and erase it when ``is_asked``.

    The days' sessions are stale then, and gone with the next build; those of sealed days, which no
    build makes, are written here.
    Nothing else may change the lake meanwhile; all of it is changed, or nothing.
    """
    eraser = _Eraser(key, person)
    if not is_asked:
        with lake.hold():
            return _with_records(lake, [one for one, _, _ in _find_traces(lake, eraser, on_file)])
    with lake.lock("build"), lake.staging() as staging, lake.lock():
        change, traces = Change(lake, staging), []
        for trace, table, mask in _find_traces(lake, eraser, on_file):
            traces.append(trace)
            if not trace.is_derived:
                staged = staging / secrets.token_hex(8)
                eraser.write(staged, table, mask)
                change.replace(trace.path, staged)
        traces = _with_records(lake, traces)
        if traces:
            _note(change, [trace for trace in traces if not trace.is_derived])
            change.put_locked()
            lake.store.remove_aside()  # a build's tasks may have laid the person's sessions there
    return traces


def _find_traces(
    lake: Lake, eraser: "_Eraser", on_file: Callable[[], None]
) -> Iterator[tuple[Trace, pa.Table, Mask]]:
    """Each file with rows of the person, its table, and which rows those are."""
    for trace in _list_files(lake):
        table = read_table(trace.path)
        mask = eraser.find(table)
        if mask.any():
            keys = _list_keys(trace, table.filter(pa.array(mask)))
            yield replace(trace, rows=int(mask.sum()), file_keys=tuple(keys)), table, mask
        on_file()


def _with_records(lake: Lake, traces: list[Trace]) -> list[Trace]:
    known = lake.find_all(key for trace in traces for key in trace.file_keys)
    return [replace(one, records={key: known[key] for key in one.file_keys}) for one in traces]


def count_files(lake: Lake) -> int:
    """How many files ``erase`` looks into."""
    return sum(1 for _ in _list_files(lake))


def _list_files(lake: Lake) -> Iterator[Trace]:
    """Every file with rows of single visitors."""
    its = lake.records(("file_key", "lies_in", "days", "whole_days", "rejects_day"))
    keys, stems = its["file_key"], pc.coalesce(its["lies_in"], its["file_key"])
    found = {
        (stem, "hits", day, lake.hits_path(day, stem))
        for name in ("days", "whole_days")
        for day, stem in _list_days(its[name], stems)
    }
    found |= {
        (key, "hits", day, lake.whole_path(day, key))
        for day, key in _list_days(its["whole_days"], keys)
    }
    found |= {
        (stem, "rejects", str(day), lake.rejects_path(str(day), stem))
        for day, stem in zip(its["rejects_day"].to_pylist(), stems.to_pylist(), strict=True)
        if day
    }
    for _, table, day, path in sorted(found):
        if path.exists():
            yield Trace(day, table, 0, path)
    sealed = lake.sealed()
    for day in sorted(sealed | read_json(lake.ledger / "built.json").keys()):
        for path in lake.parts("sessions", day):
            yield Trace(day, "sessions", 0, path, is_derived=day not in sealed)


def _list_days(shares: pa.ChunkedArray, names: pa.ChunkedArray) -> Iterator[tuple[str, str]]:
    """Each day (ISO) of the shares of some files with the name of each file, once."""
    its = shares.combine_chunks()
    days = pc.list_flatten(its).field("day").cast(pa.string())
    pairs = pa.table({"day": days, "name": names.take(pc.list_parent_indices(its))})
    every = pairs.group_by(["day", "name"]).aggregate([])
    return zip(every["day"].to_pylist(), every["name"].to_pylist(), strict=True)


def _list_keys(trace: Trace, rows: pa.Table) -> list[str]:
    """The keys of the raw files that rows of a file of hits or rejects are of."""
    if trace.table == "sessions":
        return []
    # A large file's own Parquet need not say whose it is.
    keys = rows["file_key"].unique().to_pylist() if "file_key" in rows.column_names else [None]
    return [key or trace.path.stem for key in keys]


def _note(change: Change, traces: Iterable[Trace]) -> None:
    """Note what was written, and of each raw file that it must not be read again."""
    by_name: dict[str, list[Path]] = {}
    records: dict[str, FileRecord] = {}
    for trace in traces:
        place = trace.path.relative_to(change.lake.root).as_posix()
        name = name_of(place) if trace.records else "built"
        by_name.setdefault(name, []).append(trace.path)
        records |= trace.records
    for name, paths in by_name.items():
        change.note_digests(name, paths)
    change.put_records(replace(r, erasures=r.erasures + 1) for r in records.values())


class _Eraser:
    """Finds a person's rows and makes them nobody's: in every file the same nobody's."""

    def __init__(self, key: VisitorKey, person: Person) -> None:
        self._key, self._person = key, person
        self._numbers: dict[int, int] = {}
        self._paths: dict[str, str] = {}

    def find(self, table: pa.Table) -> Mask:
        """Which rows are the person's; of rejected lines, those that hold the address or agents."""
        if "line" in table.column_names:
            client = self._person.client
            texts = {client, canonical(client), *self._person.agents} - {""}
            found = [pc.match_substring(table["line"], text).to_numpy() for text in texts]
            mask: Mask = np.logical_or.reduce(found)
            return mask
        ids = self._person.ids_among(self._key, table["user_agent"].unique())
        return np.isin(table["visitor_id"].to_numpy(), ids)

    def write(self, path: Path, table: pa.Table, mask: Mask) -> None:
        """Write a table whose rows of ``mask`` are nobody's."""
        if "line" in table.column_names:
            changed = complete(_put(table, mask, line=ERASED), REJECTS)
            write_table(path, changed)
        elif "session_id" in table.column_names:
            write_table(path, self._make_nobodys_sessions(table, mask))
        else:
            paths = map(self._number_path, table["path"].filter(pa.array(mask)).to_pylist())
            write_hits(path, _put(self._make_nobodys(table, mask), mask, path=list(paths),
                                  client=None, query=None, referrer=None))  # fmt: skip

    def _make_nobodys(self, table: pa.Table, mask: Mask) -> pa.Table:
        known = table["visitor_id"].to_numpy()[mask].tolist()
        numbers = [self._numbers.setdefault(one, secrets.randbits(64)) for one in known]
        agents = table["user_agent"].filter(pa.array(mask)).to_pylist()
        return _put(table, mask, visitor_id=numbers, user_agent=list(map(_blot, agents)))

    def _make_nobodys_sessions(self, table: pa.Table, mask: Mask) -> pa.Table:
        names = ("entry_path", "exit_path")
        chosen = {name: table[name].filter(pa.array(mask)).to_pylist() for name in names}
        paths = {name: [path and f"/{ERASED}" for path in its] for name, its in chosen.items()}
        rows = _put(self._make_nobodys(table, mask), mask, referrer_host=None, **paths)
        its = rows.filter(pa.array(mask))
        started_at = its["started_at"].cast(pa.int64()).to_numpy()
        ids = hash_sessions(self._key.session_key, its["visitor_id"].to_numpy(), started_at)
        rows = _put(rows, mask, session_id=ids.tolist())
        return rows.sort_by([("started_at", "ascending"), ("session_id", "ascending")])

    def _number_path(self, path: str | None) -> str | None:
        if path is None or path.lower() == ASSET_PATH:
            return path
        return self._paths.setdefault(path, f"/{ERASED}-{len(self._paths) + 1}")


def _blot(agent: str | None) -> str | None:
    """A user agent as long as it was: its length tells a robot's day."""
    return agent if agent is None else ERASED[: len(agent)].ljust(len(agent), ".")


def _put(table: pa.Table, mask: Mask, **columns: Any) -> pa.Table:
    """Replace the values of some columns in the rows of ``mask``: by one value, or by a list."""
    for name, values in columns.items():
        at, kind = table.column_names.index(name), table.schema.field(name).type
        given = pa.array(values, kind) if isinstance(values, list) else pa.scalar(values, kind)
        column = pc.replace_with_mask(table[name].combine_chunks(), pa.array(mask), given)
        table = table.set_column(at, table.schema.field(name), column)
    return table
