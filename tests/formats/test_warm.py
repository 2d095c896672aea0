"""What is compiled ahead is all that an ingest calls."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.large

COUNT = """
import pyarrow as pa
from pipeline.formats import compiled, kernel, xxh3

def kinds():
    its = [*vars(kernel).items(), *vars(xxh3).items()]
    return {name: len(f.signatures) for name, f in its if hasattr(f, "signatures")}

compiled.warm()
before = kinds()
line = '1.2.3.4 - - [08/Nov/2016:23:04:05 -0500] "GET /{} HTTP/1.1" 200 5 "-" "Firefox"'
lines = pa.array([line.format(n) for n in range(3000)])
text = lines.buffers()[2].to_pybytes()
for kind in (bytes, bytearray):
    buffers = lines.buffers()[1], pa.py_buffer(kind(text))
    own = pa.StringArray.from_buffers(len(lines), *buffers)
    compiled.take_apart(own).coded(kernel.REQUEST)
    compiled.hash_lines(own)
    compiled.find_ipv4(own)
assert len(before) > 5
assert kinds() == before, (before, kinds())
"""


def test_an_ingest_compiles_nothing_that_was_not_compiled_ahead(tmp_path: Path) -> None:
    """In a process of its own, with an empty cache: bytes that may be written, and that may not."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", COUNT], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
