"""A program in a session of its own (of the operating system's): started, watched, ended whole.

Its processes may change their process groups and lose their parents, but they stay in the session.
"""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

Program = subprocess.Popen[bytes]


def start_session(
    command: Sequence[str | Path], environment: Mapping[str, str], folder: Path, log: Path
) -> Program:
    """Start a program that the terminal's Ctrl-C does not reach; ``log`` gets what it says."""
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603 the caller's own command
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip


def has_ended(program: Program) -> bool:
    """Whether the program, or a process that it started itself, is dead. Takes half a second."""
    if program.poll() is not None:
        return True
    dead = [part for part in psutil.Process(program.pid).children() if _is_dead(part)]
    time.sleep(0.5)  # what is just being waited for is gone by then
    return any(map(_is_dead, dead))


def _is_dead(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    return False


def end_session(program: Program, patience_s: float) -> None:
    """End the program as Ctrl-C would, and after ``patience_s`` whatever is left of its session.

    A second Ctrl-C ends the patience.
    """
    with suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
        if program.poll() is None:
            program.send_signal(signal.SIGINT)
            program.wait(patience_s)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGKILL):
        left = _members(program.pid)
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        psutil.wait_procs(left, timeout=5)
    program.wait()


def _members(session: int) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with suppress(OSError):
            if os.getsid(process.pid) == session:
                found.append(process)
    return found
