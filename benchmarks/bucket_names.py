"""What it costs to find a day's raw files in a bucket of very many names.

The bucket is **simulated**: a server on loopback answers ListObjectsV2 alone, a thousand names a
page, as S3 does. Prints CPU seconds and peak memory of a process that lists and chooses, of a lake
that has taken in nothing yet; no file is fetched.
"""

import argparse
import os
import resource
import sys
import tempfile
import threading
import time
from bisect import bisect_left
from concurrent.futures import ProcessPoolExecutor
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from pipeline.ingest.maker import ingest_settings
from pipeline.ingest.source_names import Sources
from pipeline.ingest.sources import _find_remote, days_around
from pipeline.lake.lake import Lake
from pipeline.settings import load_settings

LAST = date(2026, 3, 1)
PAGE = 1000
_ENTRY = (
    "<Contents><Key>{}</Key><LastModified>2026-03-01T00:00:00.000Z</LastModified>"
    "<ETag>&quot;{:032x}&quot;</ETag><Size>900</Size></Contents>"
)


class Bucket(ThreadingHTTPServer):
    """Names of a source's files, so many days of them."""

    daemon_threads = True

    def __init__(self, names: int, days: int) -> None:
        """Listen on a free port of the loopback interface."""
        super().__init__(("127.0.0.1", 0), _Handler)
        each, first = names // days, LAST - timedelta(days - 1)
        self.names = [
            f"logs/E2EXAMPLE.{first + timedelta(day)}-{number * 24 // each:02d}.{number:08x}.gz"
            for day in range(days)
            for number in range(each)
        ]
        self.asked = 0


class _Handler(BaseHTTPRequestHandler):
    server: Bucket
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.asked += 1
        asked = {name: its[0] for name, its in parse_qs(urlsplit(self.path).query).items()}
        names, prefix = self.server.names, asked.get("prefix", "")
        start = int(asked.get("continuation-token", bisect_left(names, prefix)))
        end = min(start + PAGE, bisect_left(names, prefix + "\x7f"))
        entries = (_ENTRY.format(names[n], n) for n in range(start, end))
        is_cut = end < len(names) and names[end].startswith(prefix)
        token = f"<NextContinuationToken>{end}</NextContinuationToken>" if is_cut else ""
        body = (
            "<ListBucketResult><Name>raw</Name>"
            f"<IsTruncated>{str(is_cut).lower()}</IsTruncated>{token}{''.join(entries)}"
            "</ListBucketResult>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def find(lake: Path, url: str, days: list[date]) -> tuple[float, int, int]:
    """CPU seconds and peak memory (MB) of a search, and how many files it chose."""
    (lake.parent / "tidegauge.toml").write_text(f'[[source]]\nname = "cdn"\nurl = "{url}"\n')
    os.chdir(lake.parent)
    sources: Sources = ingest_settings(load_settings()).sources
    began = time.process_time()
    found, _ = _find_remote(Lake(lake), sources, sources.tables[0], days, ())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return time.process_time() - began, peak, len(found.files)


def main() -> None:
    """Search by name, and by day."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=100)
    arguments = parser.parse_args()
    server = Bucket(arguments.names, arguments.days)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_DEFAULT_REGION": "us-east-1",
    }  # fmt: skip
    for name, pattern, with_late in (
        ("a glob, a day", "*.gz", False),
        ("a glob, a day and late files", "*.gz", True),
        ("the day in the pattern", "E2EXAMPLE.{day:%Y-%m-%d}-*.gz", False),
        ("the day in the pattern, late files", "E2EXAMPLE.{day:%Y-%m-%d}-*.gz", True),
    ):
        server.asked = 0
        with (
            tempfile.TemporaryDirectory() as folder,
            ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
        ):
            days = days_around(LAST, with_late=with_late)
            args = (Path(folder, "lake"), f"s3://raw/logs/{pattern}", days)
            seconds, peak, count = pool.submit(find, *args).result()
        print(
            f"{len(server.names):,} names (simulated), {name}: {seconds:.1f} CPU s, {peak} MB,"
            f" {server.asked:,} requests, {count:,} files chosen"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
