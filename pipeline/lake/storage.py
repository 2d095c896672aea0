"""One sentence for a full or broken disk and a damaged file, whoever says so and however."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from pipeline.errors import LakeError, StorageError

STORAGE_ERRORS = (OSError, duckdb.IOException, duckdb.TransactionException)
_CAUSES = tuple(
    os.strerror(number)
    for number in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO)
)


_INTERRUPTS = ("Query interrupted", "KeyboardInterrupt: <EMPTY MESSAGE>")
"""What DuckDB makes of Ctrl-C: while it is at work, and while it reads what Python gives it."""


@contextmanager
def storage_named(lake: str | Path, then: str) -> Iterator[None]:
    """Turn what DuckDB, Arrow and the system say of a lake's disk into one sentence.

    Args:
        lake: what the sentence calls it.
        then: what stands, and what the next run does.

    Raises:
        LakeError: a file of it is damaged.
        StorageError: names the lake and the reason.
    """
    try:
        yield
    except duckdb.Error as error:
        if is_damage(error):
            raise name_damage(lake, error) from error
        if isinstance(error, STORAGE_ERRORS):
            raise StorageError(f"lake {lake}: {cause_of(error)}; {then}") from error
        raise
    except OSError as error:
        raise StorageError(f"lake {lake}: {cause_of(error)}; {then}") from error


@contextmanager
def tables_named(lake: str | Path) -> Iterator[None]:
    """Turn what DuckDB says of our own queries over a lake's tables into one sentence.

    Raises:
        LakeError: a file is damaged, or what is asked for is not in it.
    """
    try:
        yield
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        remedy = "`tidegauge build` makes its tables those of this version"
        raise LakeError(f"the lake was built by an earlier version: {remedy}") from error
    except duckdb.Error as error:
        if is_damage(error):
            raise name_damage(lake, error) from error
        if is_of_the_disk(error):
            raise
        raise LakeError(f"lake {lake}: {write_reason(error)}") from error


@contextmanager
def damage_named(file: Path) -> Iterator[None]:
    """Turn what Arrow says of a damaged Parquet file of the lake into one sentence.

    Raises:
        LakeError: names the file.
    """
    import pyarrow as pa  # noqa: PLC0415 slow to load, and not for who asks DuckDB alone

    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if getattr(error, "errno", None):
            raise
        why = cause_of(error).removesuffix(".")
        raise LakeError(
            f"{file} is damaged: {why}; `tidegauge verify` tells what else is"
        ) from error


def is_interrupt(error: Exception) -> bool:
    """Whether it is DuckDB's word for Ctrl-C."""
    return any(text in str(error) for text in _INTERRUPTS)


def is_damage(error: duckdb.Error) -> bool:
    """Whether it is of a file whose bytes are not those of Parquet; some name the file.

    What its readers of Thrift and zstd say has no class of its own.
    """
    is_short = "Could not read enough bytes" in str(error)
    return not is_interrupt(error) and (
        isinstance(error, duckdb.InvalidInputException) or type(error) is duckdb.Error or is_short
    )


def is_of_lake(lake: Path, error: duckdb.Error) -> bool:
    """Whether what is damaged may be the lake's: a statement of a user's may read other files."""
    return type(error) is duckdb.Error or os.path.realpath(lake) in str(error)


def name_damage(lake: str | Path, error: duckdb.Error) -> LakeError:
    """The sentence for damage; DuckDB names the file where its end is damaged, seldom otherwise."""
    reason = write_reason(error).removeprefix("Invalid Input Error: ")
    return LakeError(f"lake {lake} is damaged: {reason}; `tidegauge verify` tells what else is")


def write_reason(error: duckdb.Error) -> str:
    """What DuckDB says on one line, without the lines of the statement that it shows below."""
    return " ".join(str(error).split("\nLINE ")[0].split())


def is_of_the_disk(error: Exception) -> bool:
    """Whether the system says that the disk is full, or can't be read or written."""
    return isinstance(error, STORAGE_ERRORS) and cause_of(error) in _CAUSES


def cause_of(error: Exception) -> str:
    """The system's words for what is wrong; DuckDB wraps them into several lines."""
    text = " ".join(str(error).split())
    number = getattr(error, "errno", None)
    return os.strerror(number) if number else next((c for c in _CAUSES if c in text), text)
