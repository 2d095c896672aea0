"""A lake in a real S3 server against one in a folder; one process against several.

Run by ``make bench``. The logs are the demo's, simulated, at a small scale. The server is on this
machine and has its processors, too: what a store elsewhere costs is its requests times its delay.
"""

import argparse
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

from bench import TIDEGAUGE, Run, measure

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from bucket_sites import BUCKET, serving
from troubled_network import troubled

STEPS = ("ingest", "build", "figure")
ASKED = ("--day", "2016-11-09", "--country", "all")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", default="0.02")
    how = parser.parse_args()
    settings = {"TIDEGAUGE_GEO": "none", "TIDEGAUGE_TIMEZONE": "America/Toronto"}
    with ExitStack() as ending:
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory()))
        (folder / "s3").mkdir()
        address = ending.enter_context(serving(folder / "s3"))
        counted = ending.enter_context(troubled(address, 0, 0.0))
        its = {"AWS_ENDPOINT_URL": counted.address, "TIDEGAUGE_VISITOR_KEY": "of the bench" * 3}
        ending.enter_context(mock.patch.dict(os.environ, settings | its))
        measure(
            [[TIDEGAUGE, "simulate", "--out", str(folder / "raw"), "--scale", how.scale]],
            {**os.environ},
        )
        places = {
            "a folder": (folder / "lake", "1"),
            "a folder, two workers": (folder / "lake2", "2"),
            "a store": (f"s3://{BUCKET}/one", "1"),
            "a store, two workers": (f"s3://{BUCKET}/two", "2"),
        }
        print(f"| the demo at {how.scale} in: s of processors, with waiting | ingest | build"
              " | figure, by a machine without a copy | requests | MB sent |")  # fmt: skip
        print("|---|---|---|---|---|---|")
        for name, (place, workers) in places.items():
            counted.requests = counted.sent = 0
            runs = [run_step(step, str(place), workers, folder) for step in STEPS]
            cells = [f"{run.cpu_seconds:.1f}, {run.seconds:.1f}" for run in runs]
            cells += [f"{counted.requests:,}", f"{counted.sent / 1e6:.1f}"]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


def run_step(step: str, place: str, workers: str, folder: Path) -> Run:
    """Run a command on a lake; ``figure`` with a copy that is not there yet."""
    machine = folder / ("reader" if step == "figure" else "writer")
    args: dict[str, list[str]] = {
        "ingest": [str(folder / "raw"), "--workers", workers],
        "build": ["--workers", workers],
        "figure": [*ASKED],
    }
    command = [TIDEGAUGE, step, *args[step], "--lake", place]
    return measure([command], os.environ | {"XDG_CACHE_HOME": str(machine)})


if __name__ == "__main__":
    main()
