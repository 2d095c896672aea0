"""What a build writes: each day's rows in their order, whatever is written beside them."""

from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.lake.table_files import split_days, write_partitions

FIRST = date(2016, 11, 1)


def make_days(rows: list[int]) -> pa.Table:
    """An ordered table with so many rows on each day."""
    days = [FIRST + timedelta(days=n) for n, count in enumerate(rows) for _ in range(count)]
    numbers = [number for count in rows for number in range(count)]
    return pa.table(
        {"day": pa.array(days, pa.date32()), "source": ["web01"] * len(days), "number": numbers}
    )


@pytest.mark.parametrize("rows", [[1435] * 20, [466] * 25, [2048, 1, 6143, 3, 5000]])
def test_each_day_keeps_its_order_and_is_the_same_alone(rows: list[int], tmp_path: Path) -> None:
    """Days across the ends of vectors and row groups: in order, with the bytes they have alone."""
    write_partitions(split_days(make_days(rows)), tmp_path / "all")
    for place, count in enumerate(rows):
        name = f"day={FIRST + timedelta(days=place)}/part.parquet"
        stored = pq.ParquetFile(tmp_path / "all" / name).read()
        assert stored["number"].to_pylist() == list(range(count))
        alone = make_days([0] * place + [count])
        write_partitions(split_days(alone), tmp_path / f"alone-{place}")
        assert (tmp_path / f"alone-{place}" / name).read_bytes() == (
            tmp_path / "all" / name
        ).read_bytes()
