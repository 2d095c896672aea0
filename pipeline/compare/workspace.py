"""A temporary folder outside the lake, removed whatever ends the command."""

import secrets
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from pipeline.errors import SettingsError, StorageError
from pipeline.lake.lake import Lake

_WAITS_S = (0.0, 0.1, 0.2, 0.4, 0.8)
"""Before each try to remove the temporary folder."""
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def open_workspace(lake: Lake) -> Iterator[Path]:
    """A temporary folder outside the lake, removed at the end, whatever ends the command.

    Raises:
        SettingsError: the system's temporary folder lies in the lake.
        StorageError: there is none that can be written.
    """
    try:
        parent = Path(tempfile.gettempdir()).resolve()
    except OSError as error:
        raise _without_folder(error) from error
    if parent.is_relative_to(lake.root.resolve()):
        raise SettingsError("TMPDIR", str(parent), "lies in the lake; set a folder outside it")
    folder = parent / f"tidegauge-compare-{secrets.token_hex(8)}"
    with _ended_by_exceptions():
        try:  # named before it is made: whenever the end comes, it is known
            folder.mkdir(mode=0o700)
            yield folder
        except OSError as error:
            if error.filename != str(folder):
                raise
            raise _without_folder(error) from error
        finally:
            _remove(folder)


def _without_folder(error: OSError) -> StorageError:
    return StorageError(
        f"no temporary folder can be made: {error.strerror}; set TMPDIR to one that can be"
    )


def _remove(folder: Path) -> None:
    """Remove it, though threads that do not know of the end yet write there, or it comes twice."""
    for wait in _WAITS_S:
        with suppress(KeyboardInterrupt):
            time.sleep(wait)
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                return


@contextmanager
def _ended_by_exceptions() -> Iterator[None]:
    """Let a request to end, and a terminal that closes, do what Ctrl-C does: tidy up.

    DuckDB may lose the exception of a signal that comes at a bad moment; the end does not.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def end(number: int, _frame: object) -> NoReturn:
        came.append(number)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in _ENDING}
    try:
        yield
        if came:
            raise KeyboardInterrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
