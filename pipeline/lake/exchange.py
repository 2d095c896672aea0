"""Readers see one state of the lake: they share a lock that who exchanges its files holds alone.

It is held for the exchange itself, not for the work before it, so nobody waits for a build. Who
waits for it holds a gate, so that readers who come and go cannot keep a writer out for good.
Who may only read, or reads a medium that can't be written, shares the locks all the same; where
there are none, nothing was ever exchanged.
"""

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import IO

_LOCK, _GATE = ".exchange.lock", ".gate.lock"
_exchanged = ContextVar[Path | None]("_exchanged", default=None)
"""The ledger whose files this very work exchanges."""


@contextmanager
def exchanging(ledger: Path) -> Iterator[None]:
    """Wait for the readers that are at it, and keep others out; not to be nested."""
    with ExitStack() as held:
        for name in (_GATE, _LOCK):
            file = held.enter_context((ledger / name).open("ab"))
            fcntl.flock(file, fcntl.LOCK_EX)
        token = _exchanged.set(ledger)
        try:
            yield
        finally:
            _exchanged.reset(token)


@contextmanager
def sharing(ledger: Path, name: str = _LOCK) -> Iterator[None]:
    """Keep the lake as it is; wait for an exchange that has begun. Not to be nested.

    With the ``name`` of another lock: keep what that guards, for who may only read.
    """
    with ExitStack() as held:
        with ExitStack() as passing:
            if name == _LOCK:
                _share(passing, ledger / _GATE)
            _share(held, ledger / name)
        yield


@contextmanager
def holding_still(ledger: Path) -> Iterator[None]:
    """Keep an exchange from beginning for a moment, also for one who shares the lock.

    And for one who is at an exchange, as no other can be: to wait for it would be for ever.
    """
    with ExitStack() as held:
        if _exchanged.get() != ledger:
            _share(held, ledger / _LOCK)
        yield


def _share(held: ExitStack, path: Path) -> None:
    file = _open(path)
    if file is not None:
        held.enter_context(file)
        fcntl.flock(file, fcntl.LOCK_SH)


def _open(path: Path) -> IO[bytes] | None:
    for mode in ("rb", "ab"):
        try:
            return path.open(mode)
        except OSError:
            continue
    return None
