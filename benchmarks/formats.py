"""Every layout's speed beside combined's, what detection costs, and lines made to be slow.

Run by ``make bench``. The lines are simulated: a layout's example with other clients, times,
targets, statuses, sizes, referrers and agents; each must become a hit. One thread reads, as each
of ``ingest``'s does. Exit code 1 when a layout misses an aim.
"""

import argparse
import random
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product

import duckdb
import numpy as np
import pyarrow as pa

from pipeline.formats.detection import detect
from pipeline.formats.fields import ReadBlock
from pipeline.formats.json_lines import JsonLayout
from pipeline.formats.layouts import Layout, list_layouts
from pipeline.formats.numbers import WORTH_BYTES, compiled_for
from pipeline.formats.pattern import Pattern
from pipeline.formats.reader import Reader, read_parts
from pipeline.formats.unwrapping import SAMPLE_LINES
from pipeline.lake.database import connect

BASE = "combined"
"""The commonest, which has loops of its own."""
LEAST_SHARE, LEAST_OF_JSON = 0.25, 0.15
"""Of its lines a second: of layouts that an automaton reads, and of JSON."""
MOST_DETECTION_SECONDS = 0.2
MOST_HOSTILE_SECONDS = 0.1
HOSTILE_BYTES = 1_000_000
FILLERS = ("a", " ", '"', "\\", '\\"', "\t", '" "', "1 ", "[", "é")
HEADERS = {
    "iis": "#Software: Microsoft Internet Information Services 10.0\n"
    "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip"
    " cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken",
    "cloudfront": "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method"
    " cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie)"
    " x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken"
    " x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version"
    " fle-status fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type"
    " sc-content-type sc-content-len sc-range-start sc-range-end",
    "zeek": (
        "#fields ts uid id.orig_h id.orig_p id.resp_h id.resp_p trans_depth method host uri"
        " referrer version user_agent origin request_body_len response_body_len status_code"
        " status_msg info_code info_msg tags username password proxied orig_fuids orig_filenames"
        " orig_mime_types resp_fuids resp_filenames resp_mime_types"
    ).replace(" ", "\t"),
}  # fmt: skip
"""Headers of examples that need none; with one the layout is measured once more."""


_WORDS = ("english", "francais", "visit", "study", "work", "immigrate", "settle", "news", "forms")
_SYSTEMS = ("Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_11_6", "X11; Linux x86_64")
_TIME = re.compile(r"(:\d\d:|14786370|17285613)\d\d(?:([.,]?)(\d{3,9}))?")
_ENCODERS: tuple[Callable[[str], str], ...] = (
    str,
    lambda text: text.replace(" ", "%20"),
    lambda text: text.replace(" ", "%20").replace("/", "%2F"),
    lambda text: text.replace(" ", "+"),
    lambda text: text.replace("%", "%25"),
    lambda text: text.replace('"', '""'),
)


def make_lines(example: str, hit: dict[str, object], count: int) -> list[str]:
    """Vary a line's fields; ``hit`` is what the layout reads of it."""
    pick = random.Random(7)
    targets = [f"/{pick.choice(_WORDS)}/{pick.choice(_WORDS)}/page-{n:05}" for n in range(2000)]
    pools = {
        "client": [".".join(str(pick.randrange(1, 224)) for _ in range(4)) for _ in range(5000)],
        "user_agent": [_make_agent(pick) for _ in range(500)],
        "referrer": [f"https://www.example.org{target}" for target in targets],
        "query": [f"id={pick.randrange(1 << 40):x}" for _ in range(5000)],
        "path": targets,
        "bytes_sent": [str(pick.randrange(200, 90_000)) for _ in range(5000)],
        "status": ["200"] * 4 + ["304", "301", "404"],
    }
    template, texts = example.replace("%", "%%"), {}
    for name, pool in pools.items():
        for encode in _ENCODERS if hit[name] is not None else ():
            text = re.escape(encode(str(hit[name])).replace("%", "%%"))
            alone = rf"{'(?<![0-9.])' if text[0].isalnum() else ''}{text}(?![\w.])"
            template, found = re.subn(alone, f"%({name})s", template)
            if found:
                texts[name] = [encode(one) for one in pool]
                break
    template = _TIME.sub(_vary_time, template)
    return [
        template % {
            **{name: pick.choice(pool) for name, pool in texts.items()},
            "second": n % 60, "fraction": f"{pick.randrange(10**9):09}",
        }
        for n in range(count)
    ]  # fmt: skip


def _make_agent(pick: random.Random) -> str:
    return (
        f"Mozilla/5.0 ({pick.choice(_SYSTEMS)}) AppleWebKit/537.36 (KHTML, like Gecko)"
        f" Chrome/{pick.randrange(30, 55)}.0.{pick.randrange(1000, 2900)}.99 Safari/537.36"
    )


def _vary_time(found: re.Match[str]) -> str:
    fraction = f"{found[2]}%(fraction).{len(found[3])}s" if found[3] else ""
    return f"{found[1]}%(second)02d{fraction}"


@dataclass(frozen=True)
class Case:
    """A layout, and lines of it below their header."""

    name: str
    layout: Layout
    header: list[str]
    example: str
    lines: pa.Array

    def read(self, connection: duckdb.DuckDBPyConnection, lines: pa.Array) -> ReadBlock:
        """Read a block as a file's first."""
        reader = Reader(self.layout)
        return read_parts(connection, reader.cut(np.arange(1, len(lines) + 1), lines))


def make_case(
    connection: duckdb.DuckDBPyConnection, layout: Layout, name: str, text: str, count: int
) -> Case:
    """Make lines of an example; they must be hits, as different from each other as they are.

    Raises:
        SystemExit: they are not.
    """
    *header, example = text.split("\n")
    case = Case(name, layout, header, example, pa.array([*header, example]))
    hit = case.read(connection, case.lines).hits.to_pylist()[-1]
    case = replace(case, lines=pa.array([*header, *make_lines(example, hit, count)]))
    hits = case.read(connection, case.lines).hits
    varied = [name for name in ("client", "path", "status") if hit[name] not in (None, "-")]
    if len(hits) != count or any(len(hits[name].unique()) < 3 for name in varied):
        raise SystemExit(f"{name}: {len(hits)} of {count} lines are hits, or they are all alike")
    return case


def make_cases(connection: duckdb.DuckDBPyConnection, count: int) -> list[Case]:
    """Every layout of requests, and once more those that may have a header and need none."""
    cases = []
    for layout in list_layouts():
        if isinstance(layout, Pattern) and layout.fields == ("request", "time"):
            continue  # its lines are no requests
        cases.append(make_case(connection, layout, layout.name, layout.example, count))
        if header := HEADERS.get(layout.name):
            text = f"{header}\n{layout.example}"
            name = f"{layout.name} with header"
            cases.append(make_case(connection, layout, name, text, count))
    return cases


def measure(act: Callable[..., object], *given: object) -> float:
    """Seconds that it takes."""
    started = time.perf_counter()
    act(*given)
    return time.perf_counter() - started


def measure_share(
    connection: duckdb.DuckDBPyConnection, base: Case, case: Case, rounds: int
) -> tuple[float, float]:
    """Lines a second, and the fraction of the base's; best of rounds, the base in each."""
    its, own = (
        min(times)
        for times in zip(
            *[[measure(one.read, connection, one.lines) for one in (base, case)]
              for _ in range(rounds)], strict=True,
        )
    )  # fmt: skip
    return len(case.lines) / own, its / own


def measure_hostile(connection: duckdb.DuckDBPyConnection, case: Case) -> tuple[float, str]:
    """Seconds for the slowest of lines in which something fills 1 MB, best of three; which."""
    end = len(case.example)
    found = []
    for filler, start in product(FILLERS, (0, end // 4, end // 2, end * 3 // 4, end)):
        many = filler * (HOSTILE_BYTES // len(filler.encode()))
        line = case.example[:start] + many + case.example[start:]
        lines = pa.array([*case.header, line])
        seconds = measure(case.read, connection, lines)
        if seconds > max(found, default=(0.0, ""))[0]:
            again = (measure(case.read, connection, lines) for _ in range(2))
            found.append((min(seconds, *again), f"{filler!r} at {start}"))
    return max(found)


def measure_case(
    connection: duckdb.DuckDBPyConnection, base: Case, case: Case, rounds: int
) -> bool:
    """Print a layout's row; whether it meets every aim."""
    speed, share = measure_share(connection, base, case, rounds)
    is_json = isinstance(case.layout, JsonLayout)
    sample = case.lines[: len(case.header) + SAMPLE_LINES]
    detection = min(measure(detect, connection, sample) for _ in range(3))
    hostile, worst = measure_hostile(connection, case)
    missed = [
        aim
        for aim, is_missed in (
            ("speed", share < (LEAST_OF_JSON if is_json else LEAST_SHARE)),
            ("detection", detection > MOST_DETECTION_SECONDS),
            (f"hostile line: {worst}", hostile > MOST_HOSTILE_SECONDS),
        )
        if is_missed
    ]
    print(f"| {case.name} | {speed:,.0f} | {share:.2f} | {detection:.3f} | {hostile:.3f} |"
          f" {', '.join(missed)} |", flush=True)  # fmt: skip
    return not missed


def main() -> int:
    """Read the options and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--layouts", nargs="*", help="only these")
    given = parser.parse_args()
    connection = connect(threads=1)
    compiled_for(WORTH_BYTES)  # as behind the first megabytes that a process reads
    cases = make_cases(connection, given.lines)
    base = next(case for case in cases if case.name == BASE)
    print(f"| layout | lines/s | of {BASE} | detection, s | hostile line, s | misses |")
    print("|---|---|---|---|---|---|")
    chosen = [case for case in cases if not given.layouts or case.name in given.layouts]
    is_good = [measure_case(connection, base, case, given.rounds) for case in chosen]
    print(f"aims: {LEAST_SHARE} of {BASE}, {LEAST_OF_JSON} if it is JSON,"
          f" {MOST_DETECTION_SECONDS} s for a file's layout,"
          f" {MOST_HOSTILE_SECONDS} s for a line of 1 MB")  # fmt: skip
    return 0 if all(is_good) else 1


if __name__ == "__main__":
    sys.exit(main())
