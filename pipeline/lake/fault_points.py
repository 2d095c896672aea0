"""The named steps between which a process may die. Does nothing, but tests of faults listen."""

from collections.abc import Callable

listener: Callable[[str], None] | None = None
"""Told each step's name when it is reached; set by the fault tests alone."""


def reach(step: str) -> None:
    """Say that a step is reached: what comes before it has happened, what comes after has not."""
    if listener is not None:
        listener(step)
