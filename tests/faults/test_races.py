"""Commands beside each other on one lake: whichever comes first, no figure is lost."""

from pathlib import Path

from lake_processes import assert_ends_well, start
from restated_lakes import NINTH, Publisher
from retention_sites import check, lines_of, make_original

PUBLISH = """
import sys
from datetime import datetime
from pathlib import Path
from pipeline.lake.lake import Lake
from pipeline.build.restatements import publish
from pipeline.settings import load_settings
from pipeline.build.build import build_settings
lake = Lake(Path(sys.argv[1]))
made_with = build_settings(load_settings(lake=lake.root), lake)
publish(lake, datetime.fromisoformat(sys.argv[2]), made_with)
sys.exit()
"""


def test_publishers_at_once_end_in_one_table(tmp_path: Path) -> None:
    """Each figure has two values whoever came first, and no draft stays."""
    site = Publisher(tmp_path)
    site.deliver("web01.log", US=3, CA=2)
    site.build()
    site.publish(NINTH)
    site.deliver("web02.log", US=1, CA=1)
    site.build()
    running = [
        start(site.site, site.lake.root, f"2016-11-1{n}T12:00:00Z", first=PUBLISH) for n in range(4)
    ]
    assert [process.wait() for process in running] == [0] * 4
    for country, sessions in {"US": [3, 4], "CA": [2, 3], "all": [5, 7]}.items():
        assert [row["sessions"] for row in site.rows(8, country)] == sessions
    assert not (site.lake.root / ".staging").exists()


def test_retention_beside_a_build_and_an_ingest(tmp_path: Path) -> None:
    """Whichever comes first, the file is counted or refused, and no figure is lost."""
    site = make_original(tmp_path)
    late = site.write("late.log", lines_of(3, 50))
    (site.folder / "tidegauge.toml").write_text("hits_kept_days = 7\n")
    retire = ("retention", "--delete", "--max-days", "10")  # all days are old by now
    before = site.rows("daily")
    processes = {
        "ingest": start(site, "ingest", "--no-geo", late),
        "retention": start(site, *retire),
        "build": start(site, "build"),
    }
    said = {name: process.communicate()[1] for name, process in processes.items()}
    codes = {name: process.returncode for name, process in processes.items()}
    assert codes["build"] == 0, said
    was_taken = codes["ingest"] == 0
    if was_taken and codes["retention"]:
        assert b"run `tidegauge build` first" in said["retention"]
        site.run("build")
        assert_ends_well(start(site, *retire))
    elif not was_taken:
        assert b"late.log: has hits of 2016-11-03" in said["ingest"]
    site.run("build")
    assert not list((site.lake / "hits").iterdir())
    assert (len(site.rows("daily")), site.rows("daily") == before) == (10, not was_taken)
    check(site)
