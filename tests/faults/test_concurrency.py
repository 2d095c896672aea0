"""Many processes at one lake at once, and a clock that jumps: the bytes of an undisturbed lake."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import build_default_databases
from forks import Fork
from lake_fixtures import Site
from lake_processes import TORONTO, make_server, start

FILES = {f"web0{n}-access.log": make_server(n, hours=90) for n in (1, 2, 3)}
LATE = make_server(4, hours=40).replace(b"/Nov/2016", b"/Dec/2016")


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Return a site that one process after another has built; `unbuilt` is its lake before."""
    site = Site(tmp_path_factory.mktemp("reference"))
    for name, content in FILES.items():
        site.write(name, content)
    site.ingest("raw")
    shutil.copytree(site.lake, site.folder / "unbuilt")
    site.run("build")
    return site


def finish(processes: list[Fork]) -> list[str]:
    """Wait for processes that must all end well; return what they said."""
    try:
        said = [process.communicate() for process in processes]
    finally:
        for process in processes:
            process.kill()  # ours, and ended by now unless one of them hangs
    for process, (_, err) in zip(processes, said, strict=True):
        assert process.returncode == 0, err.decode()
        assert "Traceback" not in err.decode()
    return [(out + err).decode() for out, err in said]


def assert_clean(site: Site) -> None:
    assert not [path for path in (".staging", ".commit") if (site.lake / path).exists()]
    assert not list(site.lake.rglob("*draft*"))


def test_one_file_taken_in_by_four_processes_is_in_once(reference: Site, tmp_path: Path) -> None:
    """The lake does not exist yet: one makes it, one takes each file, the others know it."""
    site = Site(tmp_path)
    raw = reference.folder / "raw"
    said = finish([start(site, "ingest", "--no-geo", raw) for _ in range(4)])
    assert len(site.records()) == len(FILES)
    assert sum(text.count("already in the lake") for text in said) == 3 * len(FILES)
    site.run("build")
    assert site.hashes() == reference.hashes()
    assert_clean(site)


def test_eight_builders_at_once_build_each_day_once(reference: Site, tmp_path: Path) -> None:
    """They wait for one another; a reader meanwhile sees the lake before or after, never half."""
    site = Site(tmp_path)
    shutil.copytree(reference.folder / "unbuilt", site.lake)
    builders = [start(site, "build") for _ in range(8)]
    wanted = len(json_rows(reference))
    seen = set()
    while any(builder.poll() is None for builder in builders):
        seen.add(len(json_rows(site)))
    said = finish(builders)
    assert seen <= {0, wanted}
    assert sum("nothing was stale" in text for text in said) == 7
    assert site.hashes() == reference.hashes()
    assert_clean(site)


def json_rows(site: Site) -> list[str]:
    return site.run("daily", "--format", "csv").out.splitlines()[1:]


def test_ingest_builds_and_retention_at_once(reference: Site, tmp_path: Path) -> None:
    """Whatever comes first, a build and a retention afterwards make it the undisturbed lake."""
    kept = (datetime.now(TORONTO).date() - datetime(2016, 11, 8, tzinfo=UTC).date()).days
    settings = {"TIDEGAUGE_HITS_KEPT_DAYS": str(kept)}
    delete = ("retention", "--delete", "--max-days", "30")
    lakes = []
    for name in ("one after another", "at once"):
        site = Site(tmp_path / name)
        shutil.copytree(reference.lake, site.lake)
        late = site.write("web04-access.log", LATE)
        steps = [delete, ("ingest", "--no-geo", late), ("build",), ("build",), delete]
        if name == "at once":
            finish([start(site, *step, **settings) for step in steps])
        for step in (*steps, ("build",)):
            site.run(*step, env=dict(settings))
        assert_clean(site)
        lakes.append(site)
    assert not (lakes[0].lake / "hits" / "day=2016-11-07").exists()
    assert (lakes[0].lake / "hits" / "day=2016-12-05").exists()
    assert lakes[1].hashes() == lakes[0].hashes()


@contextmanager
def clock_at(instant: datetime) -> Iterator[None]:
    """Make it another time for all of the program: wherever it asks for now, and for new files."""

    class Kind(type(datetime)):  # type: ignore[misc]
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, datetime)

    class Clock(datetime, metaclass=Kind):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return instant.astimezone(tz)

    with pytest.MonkeyPatch.context() as patch:
        for name, module in list(sys.modules.items()):
            if name.startswith("pipeline.") and getattr(module, "datetime", None) is datetime:
                patch.setattr(module, "datetime", Clock)
        yield


def set_back(paths: list[Path], instant: datetime) -> None:
    for path in paths:
        os.utime(path, (instant.timestamp(), instant.timestamp()))


def test_clock_that_was_set_back_changes_nothing(reference: Site, tmp_path: Path) -> None:
    """Ingests, builds and publications of 2026, 2001 and 2031, and files that are as old or new."""
    site = Site(tmp_path)
    build_default_databases(site.folder / "geo")
    times = [datetime(year, 11, 25, 12, tzinfo=UTC) for year in (2026, 2017, 2031)]
    for (name, content), instant in zip(FILES.items(), times, strict=True):
        path = site.write(name, content)
        set_back([path], instant)
        with clock_at(instant):
            site.ingest("raw")
            site.run("build")
        abandoned = site.lake / ".staging" / "0123456789abcdef"
        abandoned.mkdir(parents=True)
        (abandoned / ".lock").touch()
        set_back([abandoned, abandoned / ".lock", site.lake / "ledger"], times[2])
    ingested = {record["name"]: record["ingested_at"][:4] for record in site.records().values()}
    assert sorted(ingested.values()) == ["2017", "2026", "2031"]
    with clock_at(times[1] - timedelta(days=5)):
        assert site.ingest("raw").err.count("already in the lake") == len(FILES)
        assert "nothing was stale" in site.run("build").out
    assert site.hashes() == reference.hashes()
    assert_clean(site)
    asked = ("history", "--day", "2016-11-07", "--country", "ZZ", "--format", "json")
    values = sorted(json.loads(site.run(*asked).out), key=lambda row: row["published_at"])
    assert len(values) == len(FILES)
    before = [None, *(row["sessions"] for row in values[:-1])]
    assert [row["previous_sessions"] for row in values] == before
