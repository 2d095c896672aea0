"""Runs the installed command in forks of one process that has imported it already.

Each run is a process of its own with its own environment, standard output and error, but starts in
a hundredth of a second. As a script it serves requests on standard input, one JSON object a line.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
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
    """Fork for each request and answer with the exit code; a fork ends as the command does."""
    (script,) = entry_points(group="console_scripts", name="tidegauge")
    main = script.load()
    while line := sys.stdin.readline():
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            become(request)
            sys.exit(main())
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def become(request: dict[str, Any]) -> None:
    """Take on the request's arguments, environment and output files."""
    for descriptor, path in zip((1, 2), request["to"], strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = ["tidegauge", *request["args"]]


if __name__ == "__main__":
    serve()
