"""A PostgreSQL server for the tests, from Debian's binaries: its own folder and port, then gone."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from remote_servers import free_port

USER = "postgres"  # root's servers run as this one: PostgreSQL refuses to be root


class PostgresMissingError(Exception):
    """This machine can't run PostgreSQL; the message says why."""


@contextmanager
def open_postgres() -> Iterator[str]:
    """Start a server with an empty database `airflow`; yields SQLAlchemy's address of it.

    Raises PostgresMissingError when its programs are not there.
    """
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        raise PostgresMissingError("PostgreSQL's server is not installed (Debian: postgresql)")
    bin_folder = programs[-1].parent
    as_user = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
    prefix = as_user if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="tidegauge-postgres-"))  # short: it holds a socket
    if prefix:
        shutil.chown(folder, USER, USER)
    try:
        with _serve(bin_folder, prefix, folder) as port:
            yield f"postgresql+psycopg2://airflow@127.0.0.1:{port}/airflow"
    finally:
        shutil.rmtree(folder)


@contextmanager
def _serve(programs: Path, prefix: list[str], folder: Path) -> Iterator[int]:
    port = free_port()
    data, log = folder / "data", folder / "log"
    _run(prefix, programs / "initdb", "-D", data, "-U", "airflow", "--auth=trust", "--no-sync")
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*prefix, programs / "postgres", "-D", data, "-p", str(port), "-k", folder,
             "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"],
            cwd=folder, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        at = ("-h", "127.0.0.1", "-p", str(port), "-U", "airflow")
        while subprocess.run([programs / "pg_isready", "-q", *at], check=False).returncode:
            assert server.poll() is None, log.read_text()
            time.sleep(0.2)
        _run([], programs / "createdb", *at, "airflow")
        yield port
    finally:
        server.send_signal(signal.SIGINT)  # what it calls a fast shutdown
        server.wait()


def _run(prefix: list[str], *command: str | Path) -> None:
    done = subprocess.run([*prefix, *command], cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
