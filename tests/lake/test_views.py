"""Views: `tidegauge.duckdb` for any DuckDB, from anywhere, while others build."""

import shutil
from pathlib import Path

import duckdb
import pytest
from lake_fixtures import GOOD, Site, make_line


@pytest.fixture
def built(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site of two days, built."""
    site = Site(tmp_path_factory.mktemp("built"))
    site.ingest(site.write("web.log", GOOD * 2 + make_line("09/Nov/2016:10:00:00 -0500")))
    site.run("build")
    return site


@pytest.mark.large
def test_open_reader_blocks_no_build(built: Site) -> None:
    """While a reader has the views open, a build ends, and the reader still gets its answers."""
    days = "SELECT count(DISTINCT day) FROM daily"
    with duckdb.connect(str(built.lake / "tidegauge.duckdb"), read_only=True) as reader:
        assert reader.execute(days).fetchall() == [(2,)]
        built.ingest(built.write("late.log", make_line("10/Nov/2016:10:00:00 -0500")))
        built.run("build")
        assert reader.execute(days).fetchall() == [(3,)]


@pytest.mark.large
def test_views_work_from_anywhere_and_after_a_move(
    built: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plain DuckDB reads the moved lake's views from another working directory."""
    moved = tmp_path / "it's moved"
    shutil.copytree(built.lake, moved)
    monkeypatch.chdir(tmp_path)
    for name in ("it's moved/tidegauge.duckdb", str(moved / "tidegauge.duckdb")):
        with duckdb.connect(name, read_only=True) as views:
            assert views.execute("SELECT count(*) FROM hits").fetchall() == [(3,)]
            by_view = views.execute("SELECT * FROM daily ORDER BY ALL").fetchall()
            by_path = views.execute(
                "SELECT * FROM read_parquet($p, hive_partitioning = true) ORDER BY ALL",
                {"p": f"{built.lake}/daily/**/*.parquet"},
            ).fetchall()
    assert by_view == by_path


@pytest.mark.rest_large
@pytest.mark.parametrize("name", ["lake/tidegauge.duckdb", "./lake/tidegauge.duckdb"])
def test_opened_by_a_relative_path_as_duckdbs_command_keeps_it(
    name: str, built: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lake answers where it was built, and fails where it was moved to."""
    monkeypatch.chdir(built.folder)
    with duckdb.connect(name, read_only=True, config={"temp_directory": f"{name}.tmp"}) as views:
        assert views.execute("SELECT count(*) FROM hits").fetchone() == (3,)
    shutil.copytree(built.lake, tmp_path / "lake")
    monkeypatch.chdir(tmp_path)
    with (
        duckdb.connect(name, read_only=True, config={"temp_directory": f"{name}.tmp"}) as views,
        pytest.raises(duckdb.InvalidInputException, match="run `tidegauge build` there"),
    ):
        views.execute("SELECT count(*) FROM hits")


def test_views_of_one_lake_are_the_same_bytes(built: Site) -> None:
    """Made anew, with all their comments; and not made anew where nothing has changed."""
    views = built.lake / "tidegauge.duckdb"
    before, made_at = views.read_bytes(), views.stat().st_mtime_ns
    built.run("build")
    assert views.stat().st_mtime_ns == made_at
    views.unlink()
    built.run("build")
    assert views.read_bytes() == before


def test_views_of_an_empty_lake_have_no_rows(tmp_path: Path) -> None:
    """A lake into which only an empty file went has every view, each without rows."""
    site = Site(tmp_path)
    site.ingest(site.write("web.log", b""))
    site.run("build")
    with duckdb.connect(str(site.lake / "tidegauge.duckdb"), read_only=True) as views:
        for table in ("hits", "rejects", "sessions", "daily", "hourly", "minutes", "days"):
            assert views.table(table).fetchall() == []


@pytest.mark.rest_large
@pytest.mark.parametrize("name", ["lake[5]", "la*ke", "it's", "la ke", "l\u00e9k"])
def test_lake_may_have_any_name(name: str, tmp_path: Path) -> None:
    """Characters that mean something to SQL or to a search pattern are only a name here."""
    site = Site(tmp_path)
    site.lake = tmp_path / name
    site.ingest("--lake", name, site.write("web.log", GOOD))
    site.run("build", "--lake", name)
    done = site.run(
        "sql", "--lake", name, "--format", "csv", "SELECT sum(sessions) AS n FROM daily"
    )
    assert done.out == "n\n1\n"


def test_lake_whose_name_duckdb_cannot_open_is_refused(tmp_path: Path) -> None:
    """DuckDB reads options behind a question mark in a path: said before anything is made."""
    site = Site(tmp_path)
    done = site.ingest("--lake", "la?ke", site.write("web.log", GOOD), code=2)
    assert "lake" in done.err
    assert not (tmp_path / "la?ke").exists()
