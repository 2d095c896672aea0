"""The standalone Airflow's SQLite: two parts that write at once wait, and a savepoint is undone."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pipeline.demo.airflow_sqlite import CONNECT_ARGS, CONNECT_ARGS_ASYNC


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[tuple[sqlite3.Connection, sqlite3.Connection]]:
    """Two connections to one database with an empty table; the second one gives up at once."""
    path = tmp_path / "airflow.db"
    first = sqlite3.connect(path, **CONNECT_ARGS)
    second = sqlite3.connect(path, **CONNECT_ARGS | {"timeout": 0})
    first.cursor().execute("PRAGMA journal_mode = WAL")
    first.cursor().execute("CREATE TABLE run (id INTEGER)")
    yield first, second
    first.close()
    second.close()


def count(connection: sqlite3.Connection) -> int:
    (found,) = connection.cursor().execute("SELECT count(*) FROM run").fetchone()
    return int(found)


def test_nobody_writes_between_a_savepoint_and_what_it_is_for(
    parts: tuple[sqlite3.Connection, sqlite3.Connection],
) -> None:
    """A part that has looked inside a savepoint can write; the other one has to wait for it."""
    first, second = parts
    first.cursor().execute("SAVEPOINT one")
    assert count(first) == 0
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        second.cursor().execute("INSERT INTO run VALUES (2)")
    first.cursor().execute("INSERT INTO run VALUES (1)")
    first.cursor().execute("RELEASE one")
    first.commit()
    second.cursor().execute("INSERT INTO run VALUES (2)")
    second.commit()
    assert count(first) == 2


def test_a_released_savepoint_is_seen_by_nobody_until_the_commit(
    parts: tuple[sqlite3.Connection, sqlite3.Connection],
) -> None:
    """The runs of a backfill appear together; a rollback takes all of them back."""
    first, second = parts
    for number in (1, 2):
        first.cursor().execute("SAVEPOINT one")
        first.cursor().execute("INSERT INTO run VALUES (?)", (number,))
        first.cursor().execute("RELEASE one")
    assert count(second) == 0
    first.rollback()
    assert count(first) == 0


@pytest.mark.parametrize("arguments", [CONNECT_ARGS, CONNECT_ARGS_ASYNC])
def test_who_finds_it_locked_waits_a_minute(arguments: dict[str, Any]) -> None:
    """Not Python's 5 seconds, after which Airflow answers 500 or a part of it ends."""
    with closing(sqlite3.connect(":memory:", **arguments)) as connection:
        assert connection.execute("PRAGMA busy_timeout").fetchone() == (60_000,)
