"""Where work runs that falls into parts: in this process, in several of it, or on a Spark cluster.

An engine is asked for one thing, ``map``. What it maps may run anywhere and more than once: a part
leaves files under names of its own, or changes the lake as a whole or not at all.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from pipeline.errors import EngineError, TidegaugeError

Item = TypeVar("Item")
Result = TypeVar("Result")
_LIBRARIES = ("tidegauge", "duckdb", "numpy", "pyarrow")
_PARTS_EACH = 3
"""So many parts a worker: none waits long for another."""


@dataclass(frozen=True)
class Lost:
    """What stands for the result of a part that was lost, where an engine goes on without it."""

    why: TidegaugeError


@dataclass(frozen=True)
class Engine:
    """In how many processes work runs, and where."""

    workers: int = 1
    master: str | None = None
    """Spark's; None: on this machine."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What processes elsewhere need of this one's: stores' keys, which are shown nowhere."""

    @property
    def is_apart(self) -> bool:
        """Whether parts run in other processes than this one."""
        return self.workers > 1 or self.master is not None

    @property
    def is_elsewhere(self) -> bool:
        """Whether parts run on other machines, where each round of them takes seconds to begin."""
        return self.master is not None

    @property
    def parts(self) -> int:
        """Into how many parts work is best divided."""
        return _PARTS_EACH * self.workers if self.is_apart else 1

    def reach(self) -> None:
        """See that its cluster is there.

        Raises:
            EngineError: nobody listens at the master's address.
        """
        if self.master is not None:
            _reach(self.master)

    def __enter__(self) -> Self:
        """Begin to map: what is mapped until ``__exit__`` is one application of Spark."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the application, if there is one: to begin it takes seconds, on each executor."""
        if self.master is not None and "pyspark" in sys.modules:
            from pyspark.sql import SparkSession  # noqa: PLC0415 few have a cluster

            if session := SparkSession.getActiveSession():
                session.stop()

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """The results of all items, in their order. Within ``with``.

        Raises:
            EngineError: the cluster can't be reached, is of other versions, or a process was ended
                again and again.
            TidegaugeError: what ``function`` raised first.
        """
        if not self.is_apart or not items:
            yield from map(function, items)
        elif self.master is None:
            yield from self._map_here(function, items)
        else:
            yield from self._map_by_spark(function, items, self.master)

    def _map_here(
        self, function: Callable[[Item], Result], items: Sequence[Item]
    ) -> Iterator[Result]:
        import multiprocessing  # noqa: PLC0415 most work runs here
        from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415 as above
        from concurrent.futures.process import BrokenProcessPool  # noqa: PLC0415 as above

        spawn = multiprocessing.get_context("spawn")  # a fork would have this one's threads' locks
        with ProcessPoolExecutor(self.workers, mp_context=spawn) as pool:
            try:
                yield from pool.map(function, items)
            except BrokenProcessPool:
                raise EngineError(
                    "a process was ended from outside, for lack of memory perhaps: run the command"
                    " again, with fewer workers or a smaller memory_limit_mb"
                ) from None

    def _map_by_spark(
        self, function: Callable[[Item], Result], items: Sequence[Item], master: str
    ) -> Iterator[Result]:
        self.reach()
        session = _start_spark(master)
        part = _Part(function, dict(self.environment), _versions())
        try:
            context = session.sparkContext
            results = context.parallelize(items, len(items)).map(part).collect()
        except Exception as error:
            lines = [
                line for line in str(error).splitlines() if "rror" in line or "xception" in line
            ]
            why = " ".join((lines or [type(error).__name__])[0].split())[:300]
            raise EngineError(
                f"Spark at {master} gave up: {why}; nothing was changed that is not whole, run the"
                " command again"
            ) from error
        for result in results:
            if isinstance(result, TidegaugeError):
                raise result
            yield result


HERE = Engine()


@dataclass(frozen=True)
class _Part:
    """What an executor does with an item: a function, by name, with what it needs beside it."""

    function: Callable[[Any], Any]
    environment: Mapping[str, str] = field(repr=False)
    versions: Mapping[str, str]

    def __call__(self, item: Any) -> Any:
        """The result, or what is wrong: an exception would be Spark's."""
        here = _versions()
        if here != self.versions:
            theirs = ", ".join(f"{k} {v}" for k, v in here.items() if self.versions[k] != v)
            ours = ", ".join(f"{k} {v}" for k, v in self.versions.items() if here[k] != v)
            return EngineError(
                f"Spark's executors have {theirs}, and here is {ours}: install the same there"
            )
        os.environ.update(self.environment)
        try:
            return self.function(item)
        except TidegaugeError as error:
            return error


def _versions() -> dict[str, str]:
    from importlib.metadata import version  # noqa: PLC0415 as above

    python = ".".join(platform.python_version_tuple()[:2])
    return {"Python": python} | {name: version(name) for name in _LIBRARIES}


def _reach(master: str) -> None:
    """See that somebody listens at a master's address: Spark itself would try for a minute."""
    import socket  # noqa: PLC0415 few have a cluster

    its = urlsplit(master)
    if its.scheme != "spark" or not its.hostname:
        return
    try:
        socket.create_connection((its.hostname, its.port or 7077), timeout=10).close()
    except OSError as error:
        raise EngineError(
            f"Spark's master {master} can't be reached ({error.strerror or error}): start it, or"
            " set spark_master to where it is"
        ) from None


def _start_spark(master: str) -> Any:
    try:
        from pyspark.sql import SparkSession  # noqa: PLC0415 few have a cluster
    except ImportError:
        raise EngineError("a package is missing: pip install 'tidegauge[spark]'") from None
    if master.startswith("local"):  # the machine's workers have this very Python
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    try:
        session = (
            SparkSession.builder.master(master)
            .appName("tidegauge")
            .config("spark.ui.showConsoleProgress", "false")
            .getOrCreate()
        )
    except Exception as error:
        why = " ".join(str(error).split())[:200]
        raise EngineError(
            f"Spark does not start ({why}): it needs Java 17, as JAVA_HOME or on PATH"
        ) from error
    session.sparkContext.setLogLevel("ERROR")
    return session
