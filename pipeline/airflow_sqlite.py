"""How the standalone Airflow opens its SQLite database: so that a backfill can't be half made.

Airflow makes the runs of a backfill inside savepoints. Python's SQLite driver begins no transaction
for these: each run is kept at once, and when another part writes at the same moment ("database is
locked") those already kept are deleted again, under a scheduler that ends with an error. Here a
savepoint begins a transaction that has the right to write, and waits for it. Used by SQLite only;
nothing here knows the lake.
"""

import sqlite3
from typing import Any

WAIT_S = 60
"""How long a part waits for the others' transactions, of milliseconds each."""


class PatientCursor(sqlite3.Cursor):
    """A cursor that begins a transaction before the first savepoint."""

    def execute(self, sql: str, parameters: Any = (), /) -> "PatientCursor":
        """Execute a statement."""
        if sql.startswith("SAVEPOINT") and not self.connection.in_transaction:
            super().execute("BEGIN IMMEDIATE")
        super().execute(sql, parameters)
        return self


class PatientConnection(sqlite3.Connection):
    """A connection with such cursors."""

    def cursor(self, factory: Any = PatientCursor) -> Any:
        """Make a cursor."""
        return super().cursor(factory)


CONNECT_ARGS = {"factory": PatientConnection}
"""For Airflow's setting ``sql_alchemy_connect_args``."""
