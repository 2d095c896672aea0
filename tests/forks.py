"""The command in processes that are forks of one that has imported it: 0.9 CPU s less each.

As a script: imports all that commands do, and runs one in a fork of itself for each that asks.
"""

import atexit
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, Any

_LONGEST_REQUEST = 1 << 17
_WITHOUT_THREADS = {
    "PYTHONHASHSEED": "7", "OPENBLAS_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system",
}  # fmt: skip
"""As the command has them before it imports; and a hash seed that is not that of the tests."""
_STOPPING = """
import os
from pipeline.lake import fault_points
left = {number}
def go_on():
    pass
def stop(step):
    global left
    if step == {step!r}:
        left -= 1
        if left == 0:
            os.kill(os.getpid(), {sent})
            go_on()
fault_points.listener = stop
"""


def stop_at(step: str, number: int = 1, sent: signal.Signals = signal.SIGKILL) -> str:
    """Return what ends or stops a program at a step's so-manieth time; it then does ``go_on``."""
    return _STOPPING.format(step=step, number=number, sent=int(sent))


class Fork:
    """A command at work, with what `subprocess.Popen` has for it; what it says goes into files."""

    def __init__(
        self, args: Sequence[str | Path], cwd: Path, env: Mapping[str, str], first: str = ""
    ) -> None:
        """Start it with these arguments; ``first``: what its program does first, as Python."""
        its = [*map(str, args)]
        asked = json.dumps({"args": its, "cwd": str(cwd), "env": dict(env), "first": first})
        self._files = [tempfile.TemporaryFile() for _ in range(2)]  # noqa: SIM115 it ends later
        ours, theirs = socket.socketpair()
        with ours, theirs:
            files = [theirs.fileno(), *(file.fileno() for file in self._files)]
            socket.send_fds(_begin(), [asked.encode()], files)
            self._answers = ours.makefile("rb", buffering=0)
        self.pid = int(self._answers.readline())
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Return how it ended, as `Popen.wait` does."""
        if self.returncode is None:
            if not select.select([self._answers], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("tidegauge", timeout or 0)
            self.returncode = int(self._answers.readline())
            self._answers.close()
            self._out, self._err = map(_read, self._files)
        return self.returncode

    def poll(self) -> int | None:
        """Return how it ended, None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def communicate(self) -> tuple[bytes, bytes]:
        """Wait until it ends, and return what it wrote on standard output and error."""
        self.wait()
        return self._out, self._err

    def send_signal(self, sent: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, sent)

    def kill(self) -> None:
        """Kill it, unless it has ended."""
        self.send_signal(signal.SIGKILL)

    def wait_until_stopped(self) -> None:
        """Wait until a signal has stopped it."""
        while Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
            assert self.poll() is None, self.communicate()
            select.select([self._answers], [], [], 0.01)


def _read(file: IO[bytes]) -> bytes:
    with file:
        file.seek(0)
        return file.read()


@cache
def _begin() -> socket.socket:
    """Start the process that all are forks of; once in a process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * _LONGEST_REQUEST)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, __file__], stdin=theirs, env=os.environ | _WITHOUT_THREADS
        )
    atexit.register(lambda: (ours.close(), process.wait()))
    return ours


def _serve() -> None:
    """Import the commands, and attend to each request in a fork, until nobody can ask any more."""
    import duckdb

    import pipeline

    for one in pkgutil.walk_packages(pipeline.__path__, "pipeline."):
        if not one.name.startswith(("pipeline.demo", "pipeline.orchestration.")):  # Airflow's
            import_module(one.name)
    duckdb.default_connection().close()  # it has a thread, which forks would not have
    with socket.socket(fileno=0) as control:
        while True:
            asked, files, *_ = socket.recv_fds(control, _LONGEST_REQUEST, 3)
            if not asked:
                return
            if os.fork() == 0:
                _attend(json.loads(asked), *files)
            for file in files:
                os.close(file)
            while _reap():
                pass


def _reap() -> bool:
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def _attend(asked: dict[str, Any], answers: int, out: int, err: int) -> None:
    """Run a command in a fork; say its process, and how it ended."""
    if (process := os.fork()) == 0:
        os.close(answers)
        for file, its in enumerate((os.open(os.devnull, os.O_RDONLY), out, err)):
            os.dup2(its, file)
        _run(**asked)
    os.write(answers, b"%d\n" % process)
    ended = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    os.write(answers, b"%d\n" % ended)
    os._exit(0)


def _run(args: list[str], cwd: str, env: dict[str, str], first: str) -> None:
    from pipeline.cli import main

    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = ["tidegauge", *args]
    exec(first, {})  # noqa: S102 a test's own
    main.run()
    sys.exit()


if __name__ == "__main__":
    _serve()
