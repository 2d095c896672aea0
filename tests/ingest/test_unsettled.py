"""Files that would drop other lines by other rules are found among few, and are those of all."""

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from lake_fixtures import Site, make_line

from pipeline.ingest.deduplication import OverlapRules, SourceFiles
from pipeline.ingest.unsettled import count_unsettled
from pipeline.lake.lake import Lake


def make_file(chance: random.Random) -> bytes:
    """Write a few minutes of one server: copies, ends sent again, floods, a cut-off last line."""
    first = chance.randrange(100, 260, 5)
    count, of_flood = chance.choice([4, 12, 24, 45]), chance.choice([1, 1, 6, 40])
    lines = [
        make_line(
            f"0{5 + n // 200}/Nov/2016:{n % 200 // 60:02d}:{n % 60:02d}:00 -0500",
            request=f"GET /{n // of_flood} HTTP/1.1",
        )
        for n in (n // of_flood * of_flood for n in range(first, first + count))
    ]
    content = b"".join(lines)
    return content[:-9] if chance.random() < 0.2 else content


def count_among_all(lake: Lake, rules: OverlapRules) -> Counter[str]:
    """Compare each file with every other one."""
    files, found = SourceFiles(lake, rules, lake.root), Counter[str]()
    files._neighbours.load_all()
    for key, record in sorted(files._live.items()):
        drops = files._overlap_of(record, {key}).lines if rules.drops else 0
        before = record.overlap_lines if record.whole_days else 0
        if drops != before:
            days = record.read_days.items()
            found.update(day for day, its in days if its.first_line <= max(drops, before))
    return found


@pytest.mark.large
@pytest.mark.parametrize("seed", range(4))
def test_few_records_tell_which_files_rules_change(seed: int, tmp_path: Path) -> None:
    chance, site = random.Random(seed), Site(tmp_path)
    raw = [site.write(f"web0{n % 2}.log.{n}", make_file(chance)) for n in range(24)]
    for some in (raw[:9], raw[9:10], raw[10:]):
        least = str(chance.choice([20, 20, 8]))
        site.run("ingest", "--no-geo", *some, env={"TIDEGAUGE_OVERLAP_LEAST_LINES": least})
    lake, found = Lake(site.lake), Counter[str]()
    for least in (2, 5, 8, 13, 20, 21, 30):
        for drops in (True, False):
            rules = OverlapRules(least, drops)
            its = count_unsettled(lake, rules)
            assert its == count_among_all(lake, rules), rules
            found += its
    assert found.total() > 5


def test_what_an_earlier_version_read_is_compared_whatever_its_record_tells(
    tmp_path: Path,
) -> None:
    """It did not tell of fewer lines than prove an overlap, and has no networks."""
    site = Site(tmp_path)
    lines = [make_line(f"08/Nov/2016:10:{n:02d}:00 -0500", request=f"GET /{n}") for n in range(60)]
    site.ingest(
        site.write("web01.log.2", b"".join(lines[:35])),
        site.write("web01.log.1", b"".join(lines[25:])),
    )
    lake = Lake(site.lake)
    its = [replace(one, flood_lines=0, flood_with=None, networks=None) for one in lake.files()]
    with lake.lock():
        lake.commit([], its)
    assert count_unsettled(lake, OverlapRules(8)) == {"2016-11-08": 1}
    assert not count_unsettled(lake, OverlapRules())
