"""Progress of long work, for the person at the terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Bar:
    """How far some work is; nobody watches this one."""

    def advance(self, by: int = 1, of: int | None = None) -> None:
        """So much more is done, of so much in all where that is known."""

    def reach(self, done: int, of: int | None) -> None:
        """So much is done in all."""


@dataclass(frozen=True)
class _Drawn(Bar):
    progress: "Progress"
    task: "TaskID"

    def advance(self, by: int = 1, of: int | None = None) -> None:
        self.progress.update(self.task, advance=by, total=of)

    def reach(self, done: int, of: int | None) -> None:
        self.progress.update(self.task, completed=done, total=of)


@contextmanager
def show_bytes(title: str, total: int | None) -> Iterator[Bar]:
    """A bar over bytes with rate and time left, on stderr, when that is a terminal."""
    yield from _show(title, total, of_bytes=True)


@contextmanager
def show_steps(title: str, total: int | None) -> Iterator[Bar]:
    """A bar over counted steps with time left, on stderr, when that is a terminal."""
    yield from _show(title, total, of_bytes=False)


def _show(title: str, total: int | None, *, of_bytes: bool) -> Iterator[Bar]:
    if not sys.stderr.isatty():
        yield Bar()
        return
    # To import what draws takes 30 ms.
    from rich import progress as rich  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415

    class Rate(rich.ProgressColumn):
        def render(self, task: rich.Task) -> str:
            return f"{task.speed:,.0f}/s" if task.speed else ""

    done = [rich.DownloadColumn(), rich.TransferSpeedColumn()]
    columns = done if of_bytes else [rich.MofNCompleteColumn(), Rate()]
    with rich.Progress(
        rich.TextColumn("{task.description}"), rich.BarColumn(), *columns,
        rich.TimeRemainingColumn(), console=Console(stderr=True), transient=True,
    ) as progress:  # fmt: skip
        yield _Drawn(progress, progress.add_task(title, total=total))
