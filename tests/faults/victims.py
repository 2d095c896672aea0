"""Processes that run the command when told to, and are killed while they do.

As a script: imports the command, waits for a line with its arguments, runs it.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

LONGEST_S = 200.0


class Victim:
    """One process, warm and waiting."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Start it; its imports go on while others run."""
        self._process = subprocess.Popen(
            [sys.executable, __file__], env=dict(environment), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def start(self, args: Sequence[str | Path]) -> None:
        """Run the command from now on."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdout.readline()
        self._process.stdin.write(json.dumps(list(map(str, args))).encode() + b"\n")
        self._process.stdin.flush()

    def kill_at(self, lake: Path, chance: random.Random, within_s: float, *, writing: bool) -> bool:
        """Kill it at a random moment, `writing` after it has begun to write; False when it ended.

        The moment is drawn from the time that the command takes, `within_s`.
        """
        begin = time.monotonic()
        while writing and not is_writing(lake) and self._goes_on(begin):
            time.sleep(0.001)
        time.sleep(chance.uniform(0, within_s))
        while writing and not is_writing(lake) and self._goes_on(begin):
            time.sleep(0.001)
        was_running = self._process.poll() is None
        self._process.send_signal(signal.SIGKILL)
        return self.end() == -signal.SIGKILL and was_running

    def _goes_on(self, begin: float) -> bool:
        return self._process.poll() is None and time.monotonic() < begin + LONGEST_S

    def end(self) -> int:
        """Wait for its end; its exit code."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        code = self._process.wait(LONGEST_S)
        self._process.stdin.close()
        self._process.stdout.close()
        return code


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


def serve() -> None:
    """Import the command, say so, run it once with the arguments that come."""
    from pipeline.cli import build, ingest, main  # noqa: F401 imported before it is told to begin

    os.write(1, b"ready\n")
    sys.argv = ["tidegauge", *json.loads(sys.stdin.readline())]
    main.main()


if __name__ == "__main__":
    serve()
