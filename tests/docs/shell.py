"""A shell in which `tidegauge` is the command of this process: nothing is imported for each one.

DuckDB's own command, which no lock has, is its library's.
"""

import json
import os
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lake_fixtures import Done, Site

_CLIENT = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect({address!r})
    said = {{k: v for k, v in os.environ.items() if k.startswith("TIDEGAUGE_")}}
    asked = {{"args": sys.argv[1:], "env": said, "folder": os.getcwd()}}
    connection.sendall(json.dumps(asked).encode() + b"\\n" + sys.stdin.buffer.read())
    connection.shutdown(socket.SHUT_WR)
    done = json.load(connection.makefile("rb"))
sys.stderr.write(done["err"])
sys.stdout.write(done["out"])
sys.exit(done["code"])
"""
_DUCKDB = """#!{python}
import sys
import duckdb
option, *file, statement = sys.argv[1:]
assert option == ("-readonly" if file else "-c")
print(duckdb.connect(*file, read_only=bool(file)).sql(statement))
"""


class _Answer(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        asked = json.loads(self.rfile.readline())
        site = Site(Path(asked["folder"]))
        done = site.run(*asked["args"], code=None, env=asked["env"], stdin=self.rfile.read())
        self.wfile.write(json.dumps(vars(done)).encode())


class Shell:
    """Runs lines by bash in a site's folder."""

    def __init__(self, programs: Path) -> None:
        """`programs`: the folder that goes before those of PATH."""
        self.programs = programs

    def run(self, line: str, site: Site) -> Done:
        """Return what the line left behind."""
        path = f"{self.programs}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", line], cwd=site.folder, timeout=120, text=True,
            env=site.environment() | {"PATH": path}, stdin=subprocess.DEVNULL,
            capture_output=True, check=False,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)


@contextmanager
def open_shell(folder: Path) -> Iterator[Shell]:
    """Serve the shell's `tidegauge`, by a socket in `folder`."""
    address = str(folder / "s")
    for name, text in (("tidegauge", _CLIENT), ("duckdb", _DUCKDB)):
        (folder / name).write_text(text.format(python=sys.executable, address=address))
        (folder / name).chmod(0o755)
    with socketserver.UnixStreamServer(address, _Answer) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.05,))
        serving.start()
        yield Shell(folder)
        server.shutdown()
        serving.join()
