"""How long the ten questions of docs/how-to/query.md take on the lake of `make demo`.

`python benchmarks/questions.py --lake demo/lake`: wall seconds of each in DuckDB, by the views, and
in Polars, best of several. Exit code 1 when DuckDB takes longer for one than it may.
"""

import argparse
import os
import re
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import duckdb

LIMIT_SECONDS = 2.0
PAGE = (Path(__file__).parents[1] / "docs/how-to/query.md").read_text(encoding="utf-8")


def best_seconds(ask: Callable[[], object], rounds: int) -> float:
    """The shortest of several times."""
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        ask()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def main() -> None:
    """Print a line a question."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", type=Path, default=Path("demo/lake"))
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    programs = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (program,) = (text for text in programs if "SQLContext" in text)
    views = duckdb.connect(str(options.lake / "tidegauge.duckdb"), read_only=True)
    ((sessions,),) = views.execute("SELECT count(*) FROM sessions").fetchall()
    print(f"{sessions:,} sessions, {os.cpu_count()} cores\n{'DuckDB':>8} {'Polars':>8}  seconds")
    known: dict[str, Any] = {}
    with redirect_stdout(None):
        exec(program.replace("demo/lake", str(options.lake)), known)  # noqa: S102 the page's own
    is_slow = False
    blocks = re.findall(r"^### (.+)$(?s:.*?)^```sql\n((?s:.*?))^```$", PAGE, re.MULTILINE)
    for title, question in blocks:
        in_duckdb = best_seconds(lambda q=question: views.execute(q).fetchall(), options.rounds)
        in_polars = best_seconds(
            lambda q=question: known["lake"].execute(q, eager=True), options.rounds
        )
        is_slow |= in_duckdb > LIMIT_SECONDS
        print(f"{in_duckdb:8.2f} {in_polars:8.2f}  {title}")
    raise SystemExit(is_slow)


if __name__ == "__main__":
    main()
