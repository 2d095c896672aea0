"""Sites whose lake lies in a real S3 server on loopback, each machine with a copy of its own."""

import hashlib
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
from forks import Fork, stop_at
from lake_fixtures import Site
from remote_servers import PASSWORD, s3_server

from pipeline.lake.bucket import open_bucket
from pipeline.lake.commit_log import CommitLog, Version
from pipeline.lake.objects import open_objects
from pipeline.lake.place import BucketUrl, check_bucket

KEYS = {
    "AWS_ACCESS_KEY_ID": "reader",
    "AWS_SECRET_ACCESS_KEY": PASSWORD,
    "AWS_DEFAULT_REGION": "us-east-1",
}
BUCKET = "lakes"
LEASE_SECONDS = 1.5
"""So long others wait for a machine that was killed; half a minute where nobody tests."""
SHORT_LEASES = f"""
from pipeline.lake import leases
leases.SECONDS = {LEASE_SECONDS}
"""


class Machine(Site):
    """A machine with raw files, that works on a lake in a store."""

    def __init__(self, folder: Path, url: str) -> None:
        """Have the lake at `url`; the copy of it lies in `folder`, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(folder)
        self.url = url
        self.lake = self.place.copy

    @property
    def place(self) -> BucketUrl:
        """The lake's place, as settings have it."""
        return check_bucket(self.url, self.folder / "cache" / "tidegauge")

    def environment(self, changes: dict[str, str | None] | None = None) -> dict[str, str]:
        """Return the environment of this machine."""
        its = {"TIDEGAUGE_LAKE": self.url, "XDG_CACHE_HOME": str(self.folder / "cache")}
        return super().environment(its | (changes or {}))

    def start(
        self,
        *args: str | Path,
        step: str = "",
        number: int = 0,
        sent: signal.Signals = signal.SIGKILL,
        also: str = "",
    ) -> Fork:
        """Run a command in a process of its own, which ends or stops at a step's so-manieth time.

        ``also``: what its program does first, as Python; see ``stop_at``.
        """
        first = f"{SHORT_LEASES}{stop_at(step, number, sent)}{also}"
        return Fork(args, self.folder, self.environment(), first)

    def pull(self) -> None:
        """Bring the copy, and all that it has of the lake, to the last commit."""
        from pipeline.lake.stand_ins import bring

        open_bucket(self.place).recover()
        bring(path for path in self.lake.rglob("*") if path.is_file())

    def hashes(self) -> dict[str, str]:
        """Return the SHA-256 of every Parquet file of the tables, as they lie in the store."""
        from lake_fixtures import TABLES

        found = hashes_in_store(self.url)
        return {place: its for place, its in found.items() if place.split("/")[0] in TABLES}


def read_log(url: str) -> dict[str, Version]:
    """Return what the log says that the lake has."""
    _, files = CommitLog(open_objects(url)).read_all()
    return {place: its for place, its in files.items() if not its.is_gone}


def hashes_in_store(url: str) -> dict[str, str]:
    """Return the SHA-256 of each of the lake's files at its place; they are those of the log."""
    objects, found = open_objects(url), {}
    for place, its in read_log(url).items():
        body, _ = objects.get(place) or (b"nothing", "")
        found[place] = hashlib.sha256(body).hexdigest()
        assert found[place] == its.sha256, place
    return found


def plain_duckdb(address: str) -> duckdb.DuckDBPyConnection:
    """Return a connection of somebody who knows DuckDB and has never heard of us."""
    import duckdb_extension_httpfs

    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    folder = Path(duckdb_extension_httpfs.__file__).parent / "extensions" / f"v{duckdb.__version__}"
    connection.execute(f"LOAD '{folder / 'httpfs.duckdb_extension'}'")
    host = address.removeprefix("http://")
    connection.execute(
        f"CREATE SECRET (TYPE s3, KEY_ID 'reader', SECRET '{PASSWORD}', ENDPOINT '{host}',"
        " USE_SSL false, URL_STYLE 'path', REGION 'us-east-1')"
    )
    return connection


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Run an S3 server with a bucket for lakes, its address and keys in the environment."""
    with (
        s3_server(folder) as address,
        mock.patch.dict(os.environ, KEYS | {"AWS_ENDPOINT_URL": address}),
    ):
        make_bucket(BUCKET)
        yield address


def make_bucket(name: str) -> None:
    """Make a bucket on the server that the environment names."""
    client(os.environ["AWS_ENDPOINT_URL"]).create_bucket(Bucket=name)


def client(address: str) -> Any:
    """Return a plain client of the server."""
    import botocore.session

    session = botocore.session.get_session()
    return session.create_client("s3", endpoint_url=address, region_name="us-east-1")
