"""Progress of long work, for the person at the terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

progress_console = Console(stderr=True)


class _RateColumn(ProgressColumn):
    """Steps a second."""

    def render(self, task: Task) -> Text:
        """Write the rate; empty before the first step."""
        return Text(f"{task.speed:,.0f}/s" if task.speed else "")


@contextmanager
def show_bytes(title: str, total: int | None) -> Iterator[tuple[Progress, TaskID]]:
    """A bar over bytes with rate and time left, on stderr, when that is a terminal."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
        TimeRemainingColumn(),
    )  # fmt: skip
    yield from _shown(columns, title, total)


@contextmanager
def show_steps(title: str, total: int | None) -> Iterator[tuple[Progress, TaskID]]:
    """A bar over counted steps with time left, on stderr, when that is a terminal."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _RateColumn(),
        TimeRemainingColumn(),
    )  # fmt: skip
    yield from _shown(columns, title, total)


def _shown(
    columns: tuple[ProgressColumn, ...], title: str, total: int | None
) -> Iterator[tuple[Progress, TaskID]]:
    progress = Progress(
        *columns, console=progress_console, transient=True, disable=not progress_console.is_terminal
    )
    with progress:
        yield progress, progress.add_task(title, total=total)
