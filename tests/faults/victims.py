"""Commands that are killed at random moments, and what these leave behind."""

import os
import random
import signal
import time
from pathlib import Path

from forks import Fork

LONGEST_S = 200.0


def kill_at_random(
    victim: Fork, lake: Path, chance: random.Random, within_s: float, *, writing: bool
) -> bool:
    """Kill it at a random moment, `writing` after it has begun to write; False when it ended.

    The moment is drawn from the time that the command takes, `within_s`.
    """
    begin = time.monotonic()

    def go_on_to_write() -> None:
        while (
            writing
            and not is_writing(lake)
            and victim.poll() is None
            and time.monotonic() < begin + LONGEST_S
        ):
            time.sleep(0.001)

    go_on_to_write()
    time.sleep(chance.uniform(0, within_s))
    go_on_to_write()
    victim.kill()
    return victim.wait() == -signal.SIGKILL


def is_writing(lake: Path) -> bool:
    """Whether somebody is writing in the lake."""
    return any(True for _ in leftovers(lake))


def leftovers(lake: Path) -> list[Path]:
    """What only a process at work, or a killed one, has in a lake: unfinished files."""
    found = []
    for folder, _, names in os.walk(lake):  # what vanishes meanwhile is no error to it
        parts = Path(folder).relative_to(lake).parts
        is_work = parts[:1] in ((".staging",), (".commit",))
        found += [
            Path(folder, name) for name in names if (is_work and name != ".lock") or "draft" in name
        ]
    return found
