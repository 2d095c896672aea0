"""A simulated combined log for the benchmarks: seeded, 400,000+ addresses, 5,000+ user agents.

A thousandth of the requests is odd, as in every log. Simulated data: it serves to measure time, not
to be counted.
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from isal import igzip

LINES_PER_BLOCK = 250_000
ADDRESSES = 450_000
AGENTS = 5_500
PATHS = 40_000
ODD = 1_000
"""One of so many requests is odd."""
FIRST_SECOND = 1_478_491_200
"""Midnight of a zone four hours west of UTC."""


def _agents(rng: np.random.Generator) -> list[str]:
    systems = [
        "Windows NT 10.0; Win64; x64", "Windows NT 6.1; WOW64", "Macintosh; Intel Mac OS X 10_11_6",
        "X11; Linux x86_64", "Linux; Android 6.0.1; SM-G920V", "Linux; Android 5.1; Nexus 5",
    ]  # fmt: skip
    webkit = "AppleWebKit/537.36 (KHTML, like Gecko)"
    found = dict.fromkeys(
        f"Mozilla/5.0 ({systems[rng.integers(len(systems))]}) {webkit}"
        f" Chrome/{rng.integers(30, 55)}.0.{rng.integers(1000, 2900)}.{rng.integers(10, 130)}"
        f" Safari/537.36"
        for _ in range(AGENTS)
    )
    robots = [
        f"Mozilla/5.0 (compatible; Googlebot/2.{n}; +http://example.org/bot)" for n in range(60)
    ]
    return [*found, *robots]


def _paths(rng: np.random.Generator) -> list[str]:
    words = [
        "english",
        "francais",
        "visit",
        "study",
        "work",
        "immigrate",
        "refugees",
        "settle",
        "news",
        "forms",
        "status",
    ]
    return [
        f"/{words[rng.integers(11)]}/{words[rng.integers(11)]}/page-{n:05d}"
        + (".asp", "/index.html", f"?id={rng.integers(1 << 40):x}", ".css", ".png")[rng.integers(5)]
        for n in range(PATHS)
    ]


def _odd_requests(rng: np.random.Generator) -> list[str]:
    """Nothing sent, TLS on a plain port, no method or protocol, a proxy's; and long queries."""
    hello = [
        "".join(rf"\x{byte:02X}" for byte in [22, 3, 1, *rng.integers(256, size=40)])
        for _ in range(ODD)
    ]
    long = [
        f"GET /search?{'&'.join(f'k{n}={rng.integers(1 << 60):x}' for n in range(99))} HTTP/1.1"
        for _ in range(ODD)
    ]
    few = [
        "-", "", "quit", "get / http/1.0", "\\n", "GET / HTTP/1.1 x", "\\x04\\x01\\x00P",
        "CONNECT example.org:443 HTTP/1.1", "GET http://example.org/azenv HTTP/1.1",
        "OPTIONS * HTTP/1.0", "t3 12.1.2", "GET /a b HTTP/1.1",
    ]  # fmt: skip
    return [*hello, *long, *(few * (ODD // len(few)))]


def _addresses(rng: np.random.Generator) -> list[str]:
    octets = rng.integers(1, 224, (ADDRESSES, 4))
    v4 = [f"{a}.{b}.{c}.{d}" for a, b, c, d in octets[: ADDRESSES * 9 // 10]]
    groups = rng.integers(1, 1 << 16, (ADDRESSES - len(v4), 7))
    return v4 + [
        f"2{a % 4096:03x}:{b:x}:{c:x}:{d:x}::{e:x}:{f:x}" for a, b, c, d, e, f, _ in groups
    ]


def _pick(values: list[str], index: np.ndarray) -> pa.Array:
    return pa.array(values, pa.string()).take(pa.array(index.astype(np.int64)))


def write_log(
    target: Path, lines: int, seed: int = 7, days: int = 4, *, is_each_new: bool = False
) -> None:
    """Write ``lines`` combined lines over some days as gz, about 230 bytes each, in time order.

    If each is new, no query comes twice.
    """
    rng = np.random.default_rng(seed)
    addresses, agents, paths = _addresses(rng), _agents(rng), _paths(rng)
    agent_of = rng.integers(len(agents), size=ADDRESSES)
    odd = _odd_requests(rng)
    with igzip.open(target, "wb", compresslevel=3) as out:
        for start in range(0, lines, LINES_PER_BLOCK):
            count = min(LINES_PER_BLOCK, lines - start)
            pools = addresses, agents, paths, agent_of, odd
            out.write(_block(rng, pools, start, count, lines / days, is_each_new=is_each_new))


def _block(  # noqa: PLR0913 what the whole log has, and where this block is
    rng: np.random.Generator, pools: tuple, start: int, count: int, lines_a_day: float,
    *, is_each_new: bool,
) -> memoryview:  # fmt: skip
    addresses, agents, paths, agent_of, odd = pools
    visitor = np.repeat(rng.integers(ADDRESSES, size=count // 3 + 1), 3)[:count]
    visitor = visitor[np.argsort(np.arange(count) + rng.integers(0, 4000, count))]
    seconds = (np.arange(start, start + count) * (86_400 / lines_a_day)).astype(np.int64)
    stamps = pc.strftime(
        pa.array(seconds + FIRST_SECOND, pa.int64()).cast(pa.timestamp("s")),
        format="%d/%b/%Y:%H:%M:%S",
    ).cast(pa.string())
    status = rng.choice([200, 200, 200, 200, 200, 304, 301, 404, 500], size=count)
    sizes = rng.integers(200, 90_000, count)
    path = _pick(paths, rng.choice([40, PATHS], count) * rng.random(count) // 1)
    if is_each_new:
        new = pa.array(rng.integers(1 << 60, size=count)).cast(pa.string())
        mark = pc.if_else(pc.match_substring(path, "?"), "&q=", "?q=")
        path = pc.binary_join_element_wise(path, mark, new, "")
    is_odd = rng.integers(ODD, size=count) == 0
    request = pc.if_else(
        pa.array(is_odd),
        _pick(odd, rng.integers(len(odd), size=count)),
        pc.binary_join_element_wise("GET ", path, " HTTP/1.1", ""),
    )
    text = pc.binary_join_element_wise(
        _pick(addresses, visitor), " - - [", stamps, ' +0000] "', request, '" ',
        pa.array(status).cast(pa.string()), " ", pa.array(sizes).cast(pa.string()),
        ' "http://www.example.org', _pick(paths, rng.integers(PATHS, size=count)), '" "',
        _pick(agents, agent_of[visitor]), '"\n', "",
    )  # fmt: skip
    return memoryview(text.buffers()[2])


if __name__ == "__main__":
    write_log(Path(sys.argv[1]), int(sys.argv[2]), is_each_new=sys.argv[3:] == ["queries"])
