"""What commands say of a lake with a damaged file, and `sql` of a statement that is wrong."""

from collections.abc import Callable
from pathlib import Path

import pytest
import verify_lakes as lakes
from lake_fixtures import Done, Site, make_line

DAILY, HITS = "daily/day=2016-11-08/part.parquet", "hits/day=2016-11-08/web01-*.parquet"
NOW = ("now", "--as-of", "2016-11-09T20:10")
FIGURE = ("figure", "--day", "2016-11-08", "--country", "US")
ASK = ("sql", "SELECT sum(sessions) FROM daily")
ERASE = ("erase", "--client", "192.0.2.21")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A lake with every kind of file; never changed."""
    return lakes.make_everything(tmp_path_factory.mktemp("sound"))


@pytest.fixture
def site(sound: Site, tmp_path: Path) -> Site:
    """A copy of it, to be damaged."""
    return sound.copy(tmp_path)


def overwrite(path: Path) -> None:
    """Put something else in its place."""
    path.write_bytes(b"this is no file of the kind that was here")


def run(site: Site, *command: str) -> Done:
    return site.run(*command, "--geo", "geo", code=2)


@pytest.mark.parametrize(
    ("pattern", "damage", "command"),
    [
        (DAILY, lakes.append, ("report", "--out", "report.html")),
        (DAILY, lakes.append, ("compare", "--timeout", "15")),
        (DAILY, lakes.append, ("daily",)),
        (DAILY, lakes.append, FIGURE),
        (DAILY, lakes.append, ASK),
        (DAILY, lakes.append, ("sql", "--safe", ASK[1])),
        (HITS, overwrite, ("compare", "--timeout", "15")),
        (HITS, overwrite, NOW),
        (HITS, overwrite, ERASE),
        ("rejects/day=2016-11-07/web01-*.parquet", overwrite, ("replay",)),
        ("days/part.parquet", overwrite, ("replay",)),
    ],
)
def test_one_sentence_names_the_damaged_file(
    pattern: str, damage: Callable[[Path], None], command: tuple[str, ...], site: Site
) -> None:
    """It is the lake that is at fault, no setting and no statement of the user's."""
    path = min(site.lake.glob(pattern))
    damage(path)
    (said,) = [line for line in run(site, *command).err.splitlines() if "tidegauge:" in line]
    assert path.relative_to(site.lake).as_posix() in said
    assert said.endswith("; `tidegauge verify` tells what else is")
    assert "setting" not in said


@pytest.mark.rest_large
@pytest.mark.parametrize(
    ("pattern", "damage"), [("daily/day=2016-11-07/part.parquet", lakes.append), (HITS, overwrite)]
)
def test_a_build_names_the_damaged_file(
    pattern: str, damage: Callable[[Path], None], site: Site
) -> None:
    """It makes the days of a late file anew: of their hits, and the tables of all days' figures."""
    site.write("web04.log", make_line("09/Nov/2016:10:00:00 -0500"))
    site.run("ingest", "raw/web04.log", "--geo", "geo")
    path = min(site.lake.glob(pattern))
    damage(path)
    said = run(site, "build").err
    assert path.relative_to(site.lake).as_posix() in said
    assert "; `tidegauge verify` tells what else is" in said


@pytest.mark.large
@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("damage", [overwrite, lakes.delete])
def test_days_beside_damaged_hits_are_built(
    damage: Callable[[Path], None], workers: str, tmp_path: Path
) -> None:
    """The damaged one's day and its neighbours are named, and stale until it is whole."""
    site = Site(tmp_path)
    for day in range(1, 9):
        site.write(f"web01-{day}.log", make_line(f"0{day}/Nov/2016:10:00:00 -0500") * 3)
    site.ingest("raw")
    (path,) = site.lake.glob("hits/day=2016-11-04/*.parquet")
    whole = path.read_bytes()
    damage(path)
    said = site.run("build", "--workers", workers, code=2).err
    assert "not built: 2016-11-03, 2016-11-04, 2016-11-05 (" in said
    assert path.relative_to(site.lake).as_posix() in said
    assert said.endswith("; every other day is built\n")
    built = sorted(folder.name[-1] for folder in site.lake.glob("daily/day=*"))
    assert built == ["1", "2", "6", "7", "8"]
    path.write_bytes(whole)
    site.run("build")
    assert len([*site.lake.glob("daily/day=*")]) == 8
    site.run("verify")


@pytest.mark.parametrize("damage", [overwrite, lakes.truncate, lakes.delete])
def test_views_that_are_damaged_are_made_anew(damage: Callable[[Path], None], site: Site) -> None:
    """Who reads them says how, and it is so."""
    damage(site.lake / "tidegauge.duckdb")
    said = run(site, "daily").err
    assert "tidegauge.duckdb" in said
    assert said.endswith("; `tidegauge build` makes it anew\n")
    site.run("build", "--geo", "geo")
    site.run("daily")


@pytest.mark.parametrize("safe", [(), ("--safe",)])
def test_a_wrong_statement_is_the_users(safe: tuple[str, ...], sound: Site) -> None:
    """What DuckDB says of it is one line, without the lines that show where."""
    said = run(sound, "sql", *safe, "SELECT sesions FROM daily").err
    assert said.startswith("tidegauge: setting SQL = 'SELECT sesions FROM daily': Binder Error: ")
    assert "sessions" in said.partition("Candidate bindings")[2]
    assert "\\x0a" not in said
    assert "LINE" not in said


def test_a_damaged_file_of_the_users_is_not_the_lakes(sound: Site) -> None:
    """A statement may read other files than the lake's."""
    overwrite(sound.folder / "mine.parquet")
    said = run(sound, "sql", "FROM 'mine.parquet'").err
    assert said.startswith("tidegauge: setting SQL = ")
    assert "verify" not in said
