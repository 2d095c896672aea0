"""First contact with one log of one's own, from clone to page, beside GoAccess.

    python benchmarks/make_log.py access.log.gz 100000 && gunzip access.log.gz
    python benchmarks/first_contact.py access.log GEO

What the README says under "Your own logs", in a new folder; but the database of addresses is the
newest of a folder, as fetching one takes what the network takes. GoAccess (Debian: goaccess), where
it is there, makes its page of the same log. Wall seconds, and CPU seconds of each step with all
that it starts, as others may be at work on the machine.
"""

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]


def take(*command: str | Path, at: Path, **environment: str) -> None:
    """Run a step and print its seconds."""
    wall, before = time.monotonic(), os.times()
    subprocess.run(
        command, cwd=at, env=os.environ | environment, check=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    after = os.times()
    name = " ".join([Path(command[0]).name, *map(str, command[1:2])])
    cpu = sum(after[2:4]) - sum(before[2:4])
    print(f"{name}: {time.monotonic() - wall:.1f} s wall, {cpu:.1f} s CPU", flush=True)


def main() -> None:
    """Print a line a step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("geo", type=Path, help="a folder with a database of addresses")
    log, geo = (path.resolve() for path in vars(parser.parse_args()).values())
    newest = max(geo.glob("*City*.mmdb"))
    with tempfile.TemporaryDirectory() as name:
        home = Path(name, "tidegauge")
        take("git", "clone", "--quiet", CHECKOUT, home, at=Path(name))
        take("make", "install", at=home)
        for words in (["ingest", log], ["build"], ["report", "--out", "report.html"]):
            command = home / ".venv/bin/tidegauge"
            take(command, *words, at=home, TIDEGAUGE_GEO=str(geo), TIDEGAUGE_TIMEZONE="UTC")
        if shutil.which("goaccess"):
            how = ["--log-format=COMBINED", f"--geoip-database={newest}", "-o", "page.html"]
            take("goaccess", log, *how, at=home)


if __name__ == "__main__":
    main()
