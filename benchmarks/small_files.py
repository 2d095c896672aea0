"""Many small files against the same lines in few: a CDN's 20,000 files, and a million records.

Run by ``make bench``. The logs are simulated, CloudFront's unless ``--layout`` says otherwise, 50
lines a file; the million records are written into a ledger as they are, with empty files in place
of theirs.
"""

import argparse
import gzip
import json
import random
import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench import TIDEGAUGE, Run, measure

from pipeline.lake.lake import Lake
from pipeline.lake.ledger import DayShare, FileRecord, Seen, quoted, stat_of
from pipeline.lake.packs import stem_of

LINES = 50
DAYS = 20
PER_DAY = 10_000
FIRST = datetime(2026, 3, 1, tzinfo=UTC)
KEY = "ab" * 32
ENV = {
    "TIDEGAUGE_VISITOR_KEY": KEY, "TIDEGAUGE_TIMEZONE": "UTC", "PATH": "/usr/bin:/bin",
    "TIDEGAUGE_HITS_KEPT_DAYS": "30",
}  # fmt: skip
LIST = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from pipeline.orchestration.watch import find_so_far
from pipeline.settings import load_settings
settings = load_settings(Path(sys.argv[1]), lake=Path(sys.argv[2]), geo="none")
find_so_far(settings, datetime(2026, 2, 20, 15, tzinfo=UTC))
"""
FIELDS = (
    "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer)"
    " cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header"
    " cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher"
    " x-edge-response-result-type cs-protocol-version fle-status fle-encrypted-fields c-port"
    " time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len"
    " sc-range-start sc-range-end"
)
HEAD = f"#Version: 1.0\n#Fields: {FIELDS}\n"
AGENT = (
    "Mozilla/5.0%20(Windows%20NT%2010.0;%20Win64;%20x64)%20AppleWebKit/537.36%20(KHTML,%20like"
    "%20Gecko)%20Chrome/{}.0.0.0%20Safari/537.36"
)


def write_cloudfront(chance: random.Random, at: datetime) -> str:
    """Write a hit as CloudFront does."""
    client = f"203.0.{chance.randrange(256)}.{chance.randrange(1, 255)}"
    return "\t".join(
        [
            f"{at:%Y-%m-%d}", f"{at:%H:%M:%S}", f"FRA56-P{chance.randrange(1, 9)}",
            str(chance.randrange(300, 90_000)), client, "GET", "d111111abcdef8.cloudfront.net",
            f"/pages/{chance.randrange(500)}.html", chance.choice(["200"] * 9 + ["404"]), "-",
            AGENT.format(chance.randrange(90, 150)), "-", "-", "Hit",
            f"{chance.getrandbits(128):032x}==", "www.example.org", "https",
            str(chance.randrange(100, 900)), "0.012", "-", "TLSv1.3", "TLS_AES_128_GCM_SHA256",
            "Hit", "HTTP/2.0", "-", "-", str(chance.randrange(1024, 65_000)), "0.001", "Hit",
            "text/html", "-", "-", "-",
        ]
    )  # fmt: skip


def write_s3(chance: random.Random, at: datetime) -> str:
    """Write a hit as S3's server access logs do."""
    client = f"203.0.{chance.randrange(256)}.{chance.randrange(1, 255)}"
    page = f"pages/{chance.randrange(500)}.html"
    return (
        f"{'79a59df900b949e5' * 4} example-bucket [{at:%d/%b/%Y:%H:%M:%S} +0000] {client} -"
        f' {chance.getrandbits(64):016X} WEBSITE.GET.OBJECT {page} "GET /{page} HTTP/1.1" 200 -'
        f' {chance.randrange(300, 90_000)} 90000 12 11 "-" "Mozilla/5.0 (X11) Chrome/'
        f'{chance.randrange(90, 150)}.0.0.0" - {chance.getrandbits(64):016x}= SigV4'
        " ECDHE-RSA-AES128-GCM-SHA256 AuthHeader www.example.org TLSv1.2 - -"
    )


def write_cloudflare(chance: random.Random, at: datetime) -> str:
    """Write a hit as Cloudflare's Logpush does."""
    return json.dumps(
        {
            "ClientIP": f"203.0.{chance.randrange(256)}.{chance.randrange(1, 255)}",
            "ClientRequestHost": "www.example.org", "ClientRequestMethod": "GET",
            "ClientRequestURI": f"/pages/{chance.randrange(500)}.html",
            "EdgeResponseBytes": chance.randrange(300, 90_000), "EdgeResponseStatus": 200,
            "EdgeStartTimestamp": f"{at:%Y-%m-%dT%H:%M:%SZ}",
            "RayID": f"{chance.getrandbits(64):016x}",
            "ClientRequestUserAgent": f"Mozilla/5.0 (X11) Chrome/{chance.randrange(90, 150)}.0.0.0",
        }
    )  # fmt: skip


LAYOUTS = {
    "cloudfront": (HEAD, write_cloudfront), "s3": ("", write_s3),
    "cloudflare": ("", write_cloudflare),
}  # fmt: skip


def write_logs(folder: Path, files: int, layout: str = "cloudfront") -> tuple[Path, Path, Path]:
    """Write the same lines as many files and as one a day; and one file more."""
    chance, (head, write) = random.Random(7), LAYOUTS[layout]

    def write_lines(start: datetime, span: timedelta) -> str:
        return "".join(f"{write(chance, start + span * n / LINES)}\n" for n in range(LINES))

    many, few, more = (folder / name for name in ("many", "few", "more"))
    for one in (many, few, more):
        one.mkdir()
    span = timedelta(days=1) / (files // DAYS)
    for day in range(DAYS):
        together = [head]
        for number in range(files // DAYS):
            start = FIRST + timedelta(days=day) + span * number
            lines = write_lines(start, span)
            name = f"E2EXAMPLE.{start:%Y-%m-%d-%H}.{chance.getrandbits(32):08x}.gz"
            (many / name).write_bytes(gzip.compress((head + lines).encode(), 6))
            together.append(lines)
        at = FIRST + timedelta(days=day)
        content = gzip.compress("".join(together).encode(), 6)
        (few / f"E2EXAMPLE.{at:%Y-%m-%d}.gz").write_bytes(content)
    lines = write_lines(FIRST + timedelta(days=DAYS - 1, hours=12), span)
    name = f"E2EXAMPLE.{FIRST:%Y-%m-%d}-12.ffffffff.gz"
    (more / name).write_bytes(gzip.compress((head + lines).encode(), 6))
    return many, few, more


def ingest(folder: Path, lake: Path) -> Run:
    """Take a folder's files into a lake."""
    return run("ingest", str(folder), "--no-geo", "--source", "cdn", "--lake", str(lake))


def run(*arguments: str) -> Run:
    """Measure a command."""
    return measure([[TIDEGAUGE, *arguments]], ENV)


def compare(files: int, layout: str, work: Path) -> None:
    """Print many small files beside the same lines in few."""
    many, few, more = write_logs(work, files, layout)
    lake, other = work / "lake", work / "few-lake"
    print(f"{files:,} files of {LINES} lines over {DAYS} days; the same lines in {DAYS} files")
    first = ingest(more, work / "first-lake")
    rows = [("ingest", ingest(many, lake), ingest(few, other))]
    rows += [("build", *(run("build", "--lake", str(one)) for one in (lake, other)))]
    rows += [("nothing stale", *(run("build", "--lake", str(one)) for one in (lake, other)))]
    print(f"{'':20}{'many':>9}{'few':>9}{'ratio':>8}{'peak MB':>10}")
    for name, its, of_few in rows:
        ratio = its.seconds / of_few.seconds
        print(f"{name:20}{its.seconds:8.1f}s{of_few.seconds:8.1f}s{ratio:8.2f}{its.peak_mb:10.0f}")
    last = ingest(more, lake)
    print(f"one file: {first.seconds:.2f} s into a new lake, {last.seconds:.2f} s into this one")
    objects = [len(list(day.iterdir())) for day in (lake / "hits").iterdir()]
    print(f"files of hits: {max(objects)} a day at most; all of the lake's:", end=" ")
    print(f"{sum(path.is_file() for path in lake.rglob('*')):,}")


def put_records(lake: Lake, records: int, folder: Path) -> None:
    """Write a ledger of so many records, as if their files, empty ones here, had been read."""
    chance = random.Random(8)
    record = lake.files()[0]
    for day in range(records // PER_DAY):
        its: list[FileRecord] = []
        start = FIRST - timedelta(days=day + 1)
        for number in range(PER_DAY):
            at = start + timedelta(days=1) * number / PER_DAY
            sha256 = f"{chance.getrandbits(256):064x}"
            share = {str(at.date()): DayShare(LINES, 3, geo_is_late=False, geo_built=None)}
            first_at = at.isoformat(timespec="seconds")
            name = f"E2EXAMPLE.{at:%Y-%m-%d-%H}.{sha256[-8:]}.gz"
            (folder / name).touch()
            seen = Seen(quoted(folder / name), *stat_of(folder / name), 1)
            its.append(
                replace(
                    record, file_key=f"cdn-{sha256[:16]}", sha256=sha256, name=name, days=share,
                    first_at=first_at, last_at=first_at, seen=(seen,),
                    lies_in=stem_of("cdn", first_at),
                )
            )  # fmt: skip
        with lake.lock():
            lake.commit([], its)


def _put_apart(lake: Path, records: int, folder: Path) -> None:
    """The same in a process of its own: a command's peak is at least the size of who starts it."""
    with ProcessPoolExecutor(1) as pool:
        pool.submit(put_records, Lake(lake), records, folder).result()


def fill(records: int, work: Path) -> None:
    """Print what questions and one file more cost in a lake of very many records."""
    _, few, more = write_logs(work, DAYS)
    lake = work / "lake"
    ingest(more, lake)
    names = _made(work / "names")
    _put_apart(lake, records, names)
    shutil.rmtree(few)
    _, _, again = write_logs(_made(work / "again"), 2 * DAYS)
    look = f"import os; [one.stat() for one in os.scandir({str(names)!r})]"
    (config := work / "tidegauge.toml").write_text(f'source = [{{name="cdn", files="{names}/*"}}]')
    for name, measured in (
        ("status", lambda: run("status", "--lake", str(lake))),
        ("ingest of one file", lambda: ingest(again, lake)),
        ("ingest of the folder of all of them", lambda: ingest(names, lake)),
        (
            "a watch's search through it",
            lambda: measure([[sys.executable, "-c", LIST, str(config), str(lake)]], ENV),
        ),
        (
            "a look at each of that folder's files",
            lambda: measure([[sys.executable, "-c", look]], {}),
        ),
    ):
        done = measured()
        print(f"{records:,} records: {name} {done.cpu_seconds:.2f} CPU s, {done.peak_mb:.0f} MB")


def ask(records: int, work: Path) -> None:
    """Print what commands cost in a lake of so many records whose days were built.

    Of each day four files, of six hours each, are real: the others' hits would lie in their packs.
    """
    chance, lake = random.Random(9), work / "lake"
    hours = timedelta(hours=6)
    starts = [FIRST - hours * n for n in range(1, 4 * (records // PER_DAY) + 1)]
    real, new = _made(work / "real"), _made(work / "zz-new")
    for start in (*starts, FIRST):
        lines = (write_cloudfront(chance, start + hours * n / LINES) for n in range(LINES))
        name = f"E2EXAMPLE.{start:%Y-%m-%d-%H}.{chance.getrandbits(32):08x}.gz"
        content = gzip.compress((HEAD + "".join(f"{line}\n" for line in lines)).encode(), 6)
        ((new if start == FIRST else real) / name).write_bytes(content)
    ingest(real, lake)
    _put_apart(lake, records, _made(work / "names"))
    run("build", "--lake", str(lake))
    day, one = f"{FIRST - timedelta(days=2):%Y-%m-%d}", min(real.iterdir()).name
    whole = ("--country", "all", "--lake", str(lake))
    for name, measured in (
        ("figure of a day", lambda: run("figure", "--day", day, *whole)),
        ("figure of 27 days", lambda: run("figure", "--from", "2026-02-01", "--to", day, *whole)),
        ("a list of retention", lambda: run("retention", "--lake", str(lake))),
        ("a list of erase", lambda: run("erase", "--client", "203.0.17.9", "--lake", str(lake))),
        ("replay", lambda: run("replay", "--lake", str(lake))),
        ("first file of a day into a new lake", lambda: ingest(new, work / "new-lake")),
        ("first file of a day", lambda: ingest(new, lake)),
        ("build --explain", lambda: run("build", "--explain", "--lake", str(lake))),
        ("build of it", lambda: run("build", "--lake", str(lake))),
        ("forget", lambda: run("forget", one, "--lake", str(lake))),
    ):
        done = measured()
        print(f"{records:,} records, built: {name} {done.cpu_seconds:.2f} CPU s,", end=" ")
        print(f"{done.peak_mb:.0f} MB")


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def main() -> None:
    """Run all parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--layout", choices=LAYOUTS, default="cloudfront")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        compare(arguments.files, arguments.layout, _made(Path(folder, "files")))
        fill(arguments.records, _made(Path(folder, "records")))
        ask(arguments.records, _made(Path(folder, "built")))


if __name__ == "__main__":
    main()
