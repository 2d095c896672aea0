"""One sentence for a disk that is full, read-only or broken, whoever says so and however."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from pipeline.errors import StorageError

STORAGE_ERRORS = (OSError, duckdb.IOException)
_CAUSES = tuple(
    os.strerror(number)
    for number in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO)
)


@contextmanager
def storage_named(lake: Path, then: str) -> Iterator[None]:
    """Turn what DuckDB, Arrow and the system say of a lake's disk into one sentence.

    Args:
        lake: named in the sentence.
        then: what stands, and what the next run does.

    Raises:
        StorageError: names the lake and the reason.
    """
    try:
        yield
    except STORAGE_ERRORS as error:
        raise StorageError(f"lake {lake}: {cause_of(error)}; {then}") from error


def cause_of(error: Exception) -> str:
    """The system's words for what is wrong; DuckDB wraps them into several lines."""
    text = " ".join(str(error).split())
    number = getattr(error, "errno", None)
    return os.strerror(number) if number else next((c for c in _CAUSES if c in text), text)
