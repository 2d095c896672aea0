"""Values numbered as they come, by compiled loops where they are worth loading."""

import gc
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from threading import RLock
from types import ModuleType
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.text import say

WORTH_BYTES = 8 * 1024 * 1024
"""From so many on, read by one process, the compiled loops win back the time that loading takes."""
_MOST_VALUES = 1_000_000
_MOST_BYTES = 32_000_000
_read_bytes = [0]
"""By this process."""


def compiled_for(read_bytes: int = 0) -> ModuleType | None:
    """``formats.compiled``, when with these bytes so many are read that it is worth loading."""
    _read_bytes[0] += read_bytes
    return load_compiled() if _read_bytes[0] >= WORTH_BYTES else None


@cache
def load_compiled() -> ModuleType | None:
    """``formats.compiled``; None, and a word, where numba is not there for this machine."""
    # numba looks whether SciPy's linear algebra is there; to import that takes longer than numba.
    is_hidden = sys.modules.setdefault("scipy.linalg", None) is None  # type: ignore[arg-type]
    try:
        import_module("numba.np.arraymath")
        return import_module("pipeline.formats.compiled")
    except ImportError as error:
        say(
            f"numba is not installed for this Python ({error}): lines are read one by one, which"
            " takes ten times as long"
        )
        return None
    finally:
        if is_hidden:
            sys.modules.pop("scipy.linalg", None)
        gc.freeze()  # what is loaded stays: no collection has to go through it


class Numbers(Protocol):
    """Different values, numbered from 0 as they come."""

    def number(self, values: pa.StringArray | pa.Int64Array) -> npt.NDArray[np.int32]:
        """The number of each of n texts, or integers, none of them null."""

    def __len__(self) -> int:
        """So many different ones there are."""

    @property
    def nbytes(self) -> int:
        """Of all values together."""


class _Dictionary:
    """The same without compiled loops."""

    def __init__(self) -> None:
        self._known: dict[str | int, int] = {}
        self.nbytes = 0

    def number(self, values: pa.StringArray | pa.Int64Array) -> npt.NDArray[np.int32]:
        self.nbytes += values.nbytes  # also those that came again
        known = self._known
        numbers = [known.setdefault(value, len(known)) for value in values.to_pylist()]
        return np.array(numbers, np.int32)

    def __len__(self) -> int:
        return len(self._known)


def new_numbers() -> Numbers:
    """None yet."""
    compiled = compiled_for()
    return compiled.Texts() if compiled else _Dictionary()


def are_full(numbers: Numbers) -> bool:
    """Whether so many are remembered that it is time to begin anew."""
    return len(numbers) > _MOST_VALUES or numbers.nbytes > _MOST_BYTES


def first_rows(numbers: npt.NDArray[np.int32], begin: int, end: int) -> npt.NDArray[np.intp]:
    """The first row of each number from ``begin`` on, shape ``(end - begin,)``."""
    rows = np.flatnonzero(numbers >= begin)[::-1]
    first = np.zeros(end - begin, np.intp)
    first[numbers[rows] - begin] = rows  # the last one that is written stays
    return first


class Remembered:
    """The answers of a function of texts, which is asked once for those that come again.

    May be used by several threads at once; the function is asked by one at a time.
    """

    def __init__(self, ask: Callable[[pa.StringArray], tuple[pa.Array, ...]]) -> None:
        """``ask`` gives arrays of ``n`` answers to ``n`` texts, also to none."""
        self._ask, self._lock = ask, RLock()
        self.forget()

    def forget(self) -> None:
        """Remember nothing."""
        with self._lock:
            self._numbers = new_numbers()
            self._answers = self._ask(pa.array([], pa.string()))

    def answer(self, texts: pa.StringArray) -> list[pa.Array]:
        """What the function says of n texts."""
        with self._lock:
            # They differ after an error.
            if are_full(self._numbers) or len(self._numbers) != len(self._answers[0]):
                self.forget()
            known = len(self._numbers)
            numbers = self._numbers.number(texts)
            if known < len(self._numbers):
                rows = first_rows(numbers, known, len(self._numbers))
                found = self._ask(texts.take(pa.array(rows)))
                self._answers = tuple(map(pa.concat_arrays, zip(self._answers, found, strict=True)))
            return [answers.take(pa.array(numbers)) for answers in self._answers]
