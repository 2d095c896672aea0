"""Processes that run the command when told to, and are killed while they do.

As a script: imports the command, and for each line with arguments runs it in a fork of itself.
"""

import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

LONGEST_S = 200.0


class Victims:
    """One process that is warm, and its forks, one at a time."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Start it."""
        self._process = subprocess.Popen(
            [sys.executable, __file__], env=dict(environment), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
        )  # fmt: skip

    def start(self, args: Sequence[str | Path]) -> None:
        """Run the command from now on."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(list(map(str, args))).encode() + b"\n")
        self._victim = self._read()

    def _read(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

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
        was_running = self._is_running()
        if was_running:
            with suppress(ProcessLookupError):
                os.kill(self._victim, signal.SIGKILL)
        return self._read() == -signal.SIGKILL and was_running

    def _goes_on(self, begin: float) -> bool:
        return self._is_running() and time.monotonic() < begin + LONGEST_S

    def _is_running(self) -> bool:
        """Whether nobody has said yet how it ended."""
        return not select.select([self._process.stdout], [], [], 0)[0]

    def end(self) -> None:
        """Start no more."""
        with self._process as process:
            process.kill()


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
    """Import the command; for each line of arguments say a process, and how it ended."""
    from pipeline.cli import build, ingest, main  # noqa: F401 imported before it is told to begin

    for line in sys.stdin:
        if (process := os.fork()) == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what it says is nobody's answer
            sys.argv = ["tidegauge", *json.loads(line)]
            main.main()
            sys.exit()
        os.write(1, b"%d\n" % process)
        ended = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        os.write(1, b"%d\n" % ended)


if __name__ == "__main__":
    serve()
