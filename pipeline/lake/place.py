"""Where a lake may lie: a path that DuckDB and the lake's readers take for nothing but a path."""

import os
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class BucketUrl:
    """A lake's place in an object store, and that of this machine's copy of it."""

    url: str
    """``s3://bucket`` or ``s3://bucket/prefix``, without a slash at its end."""
    copy: Path
    """A folder."""

    def __str__(self) -> str:
        """What it is called."""
        return self.url

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self.url.split("/")[2]

    @property
    def prefix(self) -> str:
        """What all keys of the lake's objects begin with: nothing, or folders with a slash."""
        inner = self.url.removeprefix(f"s3://{self.bucket}").strip("/")
        return f"{inner}/" if inner else ""

    def is_absolute(self) -> bool:
        """As a path says it: it is the same place wherever a command runs."""
        return True


def check_bucket(url: str, copies: Path) -> BucketUrl:
    """The place of a lake in an object store.

    Args:
        url: as it was given.
        copies: the folder of this machine's copies of lakes.

    Raises:
        ValueError: it can't lie there, and why.
    """
    plain = url.rstrip("/")
    if "@" in plain:
        raise ValueError("keys stand in AWS_ACCESS_KEY_ID and the like or ~/.aws, not in the URL")
    if not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[\w.+-]+)*", plain, re.ASCII):
        raise ValueError(
            "write s3://bucket or s3://bucket/prefix, the prefix of letters, digits and . _ - +"
        )
    if {".", ".."} & {*plain.split("/")}:
        raise ValueError("a prefix leads nowhere else: without . and .. between slashes")
    name = re.sub(r"\W", "-", plain.removeprefix("s3://"))
    return BucketUrl(plain, copies / f"{name[:40]}-{_short(plain)}")


def _short(text: str) -> str:
    import hashlib  # noqa: PLC0415 settings of most lakes need none

    return hashlib.sha256(text.encode()).hexdigest()[:16]


def check_place(lake: Path) -> Path:
    """The path of a lake, when one may lie there.

    The path as given and the one that links lead to count, both from the root on: a reader may
    write either.

    Raises:
        ValueError: it can't lie there, and why.
    """
    if re.match(r"[A-Za-z][\w+.-]*:", str(lake)):
        raise ValueError(
            "a name before a colon is no folder; write the path of one, from / on, or s3://bucket"
        )
    if str(lake).startswith("~"):
        raise ValueError("only a shell knows whose folder ~ is; write its path, from / on")
    for path in {os.path.normpath(lake.absolute()), os.path.realpath(lake)}:
        if why := _refuse(path):
            raise ValueError(why)
    return lake


def _refuse(path: str) -> str | None:
    if any("\ud800" <= char <= "\udfff" for char in path):
        return "its path is not UTF-8, which DuckDB can't read; choose another folder"
    if "\\" in path:
        return "DuckDB reads a \\ in a path as a /; choose another folder"
    if "?" in path:
        return "DuckDB reads options behind a ? in a path; choose another folder"
    for folder in path.split("/"):
        name, equals, _ = folder.partition("=")
        if equals and name.lower() in _list_columns():
            return (
                f"who reads its Parquet by path would take the folder {folder} for the column"
                f" {name.lower()}; choose another folder"
            )
    return None


def _list_columns() -> set[str]:
    from pipeline.tables import TABLES  # noqa: PLC0415 DAGs are to be read fast

    return {name for schema in TABLES.values() for name in schema.names}
