"""Hits as Parquet: rows as they were given, and no dictionary that a reader could not hold."""

from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.lake import coded_files, hit_files
from pipeline.lake.hit_files import PartitionWriter, write_hits
from pipeline.tables import HITS

DAY = 17_113


def make_hits(paths: list[str | None], first_line: int = 1) -> pa.Table:
    texts = {"path": paths, "line_no": range(first_line, first_line + len(paths))}
    texts |= {"bytes_sent": [None if n % 3 else n for n in range(len(paths))]}
    columns = {
        field.name: pa.array(texts[field.name], field.type)
        if field.name in texts
        else pa.nulls(len(paths), field.type)
        for field in HITS
    }
    return pa.table(columns, HITS)


def read(path: Path) -> list[dict]:
    return pq.ParquetFile(path).read().to_pylist()


def test_hits_are_read_as_they_were_written(tmp_path: Path) -> None:
    """Also where blocks have the same texts in another order, days alternate, or texts are null."""
    blocks = [["/a", "/b", None, "/a"], ["/c", "/b", "/a", "/d"], [None, None, "/d", "/e"]]
    writer = PartitionWriter(tmp_path / "hits")
    made = [make_hits(block, 1 + 4 * n) for n, block in enumerate(blocks)]
    for hits in made:
        writer.add(hits, np.array([DAY, DAY + 1, DAY, DAY], np.int32))
    files = list(writer.close().values())
    rows = pa.concat_tables(made).to_pylist()
    assert read(files[0]) == [row for row in rows if row["line_no"] % 4 != 2]
    assert read(files[1]) == [row for row in rows if row["line_no"] % 4 == 2]
    found = duckdb.sql(f"SELECT line_no, path, bytes_sent FROM '{files[0]}'").fetchall()
    assert found == [
        tuple(row[n] for n in ("line_no", "path", "bytes_sent")) for row in read(files[0])
    ]


def test_a_days_file_has_no_texts_of_another_day(tmp_path: Path) -> None:
    writer = PartitionWriter(tmp_path / "hits")
    writer.add(make_hits([f"/secret-{n}" for n in range(50)]), np.arange(50, dtype=np.int32))
    for number, path in enumerate(writer.close().values()):
        assert [row["path"] for row in read(path)] == [f"/secret-{number}"]
        with pq.ParquetFile(path, read_dictionary=["path"]) as file:
            assert len(file.read()["path"].chunk(0).dictionary) == 1


def test_a_file_has_no_texts_that_no_row_has(tmp_path: Path) -> None:
    """As those of lines that a block has and that were rejected."""
    hits = make_hits(["/a", "/secret", *["/a"] * 50]).filter(pa.array([True, False, *[True] * 50]))
    writer = PartitionWriter(tmp_path / "hits")
    writer.add(hits, np.full(len(hits), DAY, np.int32))
    (path,) = writer.close().values()
    assert read(path) == hits.to_pylist()
    with pq.ParquetFile(path, read_dictionary=["path"]) as file:
        assert file.read()["path"].chunk(0).dictionary.to_pylist() == ["/a"]


def test_bytes_depend_on_the_rows_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not on what numbered their texts, nor on texts of lines that are no hits."""
    monkeypatch.setattr(hit_files, "_BUFFERED_BYTES", 100)
    paths = ["/b", "/a", None, "/c", "/a", *["/d" * 9] * 5]
    plain = make_hits(paths)
    texts = pa.array(["/unused" * 99, "/d" * 9, "/c", "/a", "/b"])
    codes = pa.array([None if path is None else texts.to_pylist().index(path) for path in paths])
    other = pa.DictionaryArray.from_arrays(codes.cast(pa.int32()), texts)
    at = plain.column_names.index("path")
    found = []
    for number, hits in enumerate((plain, plain.set_column(at, HITS.field("path"), other))):
        writer = PartitionWriter(tmp_path / f"{number}")
        for _ in range(3):
            writer.add(hits, np.full(len(hits), DAY, np.int32))
        found += [path.read_bytes() for path in writer.close().values()]
    assert found[0] == found[1]
    assert read(next((tmp_path / "1").iterdir())) == plain.to_pylist() * 3


def test_no_dictionary_is_larger_than_a_reader_may_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A visitor may send a long path in every line."""
    monkeypatch.setattr(coded_files, "_LARGEST_DICTIONARY", 10_000)
    hits = make_hits([f"/{n}{'x' * 1000}" for n in range(100)])
    write_hits(tmp_path / "part.parquet", hits)
    assert read(tmp_path / "part.parquet") == hits.to_pylist()
    file = pq.ParquetFile(tmp_path / "part.parquet", read_dictionary=["path"])
    for group in range(file.num_row_groups):
        assert file.read_row_group(group)["path"].chunk(0).dictionary.nbytes < 12_000


def test_no_hits_are_a_file_without_rows(tmp_path: Path) -> None:
    write_hits(tmp_path / "part.parquet", pa.Table.from_batches([], HITS))
    assert read(tmp_path / "part.parquet") == []
