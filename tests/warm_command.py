"""Runs the installed command many times in one process, which imports it only once.

Each run has its own arguments, environment, standard output and error, and is over a second faster
than a process of its own. As a script it serves requests on standard input, one JSON object a line.
(A fork for each run would hang: the command's libraries start threads as they are imported.)
"""

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any


class WarmCommand:
    """A serving process; `run` is like `subprocess.run` with captured output."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        """Start the process; captured output passes through files in `folder`."""
        self._captured = [folder / "stdout", folder / "stderr"]
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def run(
        self, args: Sequence[str], environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[bytes]:
        """Run the command with these arguments in this environment."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"args": args, "env": environment, "to": list(map(str, self._captured))}
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        return subprocess.CompletedProcess(args, code, *(c.read_bytes() for c in self._captured))

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def serve() -> None:
    """Run each request in turn and answer with its exit code."""
    (script,) = entry_points(group="console_scripts", name="tidegauge")
    main = script.load()
    answers = os.fdopen(os.dup(1), "w")
    while line := sys.stdin.readline():
        request = json.loads(line)
        become(request)
        code = exit_code_of(main)
        sys.stdout.flush()
        sys.stderr.flush()
        print(code, file=answers, flush=True)


def become(request: dict[str, Any]) -> None:
    """Take on the request's arguments, environment and output files."""
    for descriptor, path in zip((1, 2), request["to"], strict=True):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, descriptor)
        os.close(file)
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = ["tidegauge", *request["args"]]


def exit_code_of(main: Callable[[], object]) -> int:
    """Return the code with which the process would have ended."""
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001  # whatever it is, the caller shows it
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    serve()
