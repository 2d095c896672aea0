"""The views of several lakes, opened and attached in every way: their own rows, or no rows."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from lake_fixtures import GOOD, Site, make_line

Opened = Callable[..., duckdb.DuckDBPyConnection]
COUNT = "SELECT (SELECT count(*) FROM {0}.hits), (SELECT sum(hits) FROM {0}.daily)"
DAYS = ("08", "09", "10")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the lakes `a`, of 3 hits on three days, and `b`, of 6."""
    folder = tmp_path_factory.mktemp("lakes")
    for name, times in {"a": 1, "b": 2}.items():
        site = Site(folder)
        site.lake = folder / name
        lines = [make_line(f"{day}/Nov/2016:10:00:00 -0500", request=f"GET /{n} HTTP/1.1")
                 for day in DAYS for n in range(times)]  # fmt: skip
        site.ingest("--lake", site.lake, site.write(f"{name}.log", b"".join(lines)))
        site.run("build", "--lake", site.lake)
    return folder


@pytest.fixture
def lakes(made: Path, tmp_path: Path) -> Path:
    """Those two lakes where they were built; what a test moves is put back."""
    yield made
    for name in "ab":
        if not (made / name).is_dir():
            shutil.move(tmp_path / name, made / name)


@pytest.fixture
def opened() -> Opened:
    """Open a database, or one in memory, and attach others by the aliases given."""
    open_ones = []

    def open_one(
        main: Path | str = ":memory:", **attached: Path | str
    ) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(str(main), read_only=str(main) != ":memory:")
        open_ones.append(connection)
        for alias, path in attached.items():
            quoted = str(path).replace("'", "''")
            connection.execute(f"ATTACH '{quoted}' AS {alias} (READ_ONLY)")
        return connection

    yield open_one
    for connection in open_ones:
        connection.close()


def views(lake: Path | str) -> Path:
    """Return the file of views of a lake."""
    return Path(lake) / "tidegauge.duckdb"


def count(connection: duckdb.DuckDBPyConnection, alias: str) -> tuple[int, int]:
    """Return the rows of `hits` and the sum of hits in `daily` of an attached lake."""
    ((rows, hits),) = connection.execute(COUNT.format(alias)).fetchall()
    return rows, int(hits)


@pytest.mark.rest_large
@pytest.mark.parametrize("main", [":memory:", "a", "b", "other", "named"])
def test_attached_lakes_each_show_their_own_rows(
    main: str, lakes: Path, opened: Opened, tmp_path: Path
) -> None:
    """Beside each other, and beside whatever was opened: a lake, another database, no file."""
    others = {"other": tmp_path / "other.duckdb", "named": tmp_path / "lake_root.duckdb"}
    if main in others:
        duckdb.connect(str(others[main])).close()
    place = others.get(main) or (views(lakes / main) if main in "ab" else main)
    aliases = {name: name for name in "ab" if name != main}
    connection = opened(place, **{alias: views(lakes / name) for alias, name in aliases.items()})
    names = aliases | ({main: "tidegauge"} if main in "ab" else {})
    assert {name: count(connection, names[name]) for name in "ab"} == {"a": (3, 3), "b": (6, 6)}
    joined = f"FROM {names['a']}.daily JOIN {names['b']}.daily USING (day, country)"
    assert connection.execute(joined).fetchall()
    connection.execute(f"USE {names['b']}")
    assert connection.execute("SELECT count(*) FROM hits").fetchall() == [(6,)]
    assert count(connection, names["a"]) == (3, 3)


@pytest.mark.parametrize("alias", ["tidegauge", "lake", "memory2", '"it\'s a lake"', "main2"])
def test_an_alias_means_nothing(alias: str, lakes: Path, opened: Opened) -> None:
    """Whatever one lake is called, the other shows its own rows."""
    connection = opened(b=views(lakes / "b"))
    connection.execute(f"ATTACH '{views(lakes / 'a')}' AS {alias} (READ_ONLY)")
    assert count(connection, alias) == (3, 3)
    assert count(connection, "b") == (6, 6)


@pytest.mark.rest_large
@pytest.mark.parametrize("folder", [".", "a", "b", "a/daily"])
@pytest.mark.parametrize("way", ["relative", "dotted", "link to the folder", "link to the file"])
def test_attached_by_any_path_from_anywhere(
    folder: str,
    way: str,
    lakes: Path,
    opened: Opened,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A relative path and a link are as good as the path, also from within another lake."""
    monkeypatch.chdir(lakes / folder)
    (tmp_path / "folder").symlink_to(lakes / "b")
    (tmp_path / "file.duckdb").symlink_to(views(lakes / "b"))
    path = {
        "relative": os.path.relpath(views(lakes / "b")),
        "dotted": f"{lakes}/a/../b/./tidegauge.duckdb",
        "link to the folder": views(tmp_path / "folder"),
        "link to the file": tmp_path / "file.duckdb",
    }[way]
    assert count(opened(lake=path), "lake") == (6, 6)
    assert count(opened(views(lakes / "a"), lake=path), "lake") == (6, 6)
    assert opened(path).execute("SELECT count(*) FROM hits").fetchall() == [(6,)]


def test_writable_and_with_a_spill_folder_of_its_own(
    lakes: Path, opened: Opened, tmp_path: Path
) -> None:
    """Opened to write, or with another folder for what spills, the rows are the same.

    With another lake's folder for what spills, there are none.
    """
    connection = opened(views(lakes / "a"))
    connection.execute(f"SET temp_directory = '{tmp_path}/spill'")
    assert count(connection, "tidegauge") == (3, 3)
    connection.execute(f"SET temp_directory = '{lakes}/b/tidegauge.duckdb.tmp'")
    with pytest.raises(duckdb.Error, match=f"the views in {lakes}/a/ would read"):
        count(connection, "tidegauge")
    copied = shutil.copytree(lakes / "a", tmp_path / "copy")
    with duckdb.connect(str(views(copied))) as writable:
        assert writable.execute("SELECT count(*) FROM hits").fetchall() == [(3,)]


def test_moved_lake_is_right_when_opened(lakes: Path, opened: Opened, tmp_path: Path) -> None:
    """Moved, and another lake in its old place: opened it shows its own rows, beside others too."""
    moved = Path(shutil.move(lakes / "a", tmp_path / "a"))
    (lakes / "a").symlink_to(lakes / "b")
    try:
        connection = opened(views(moved), b=views(lakes / "b"))
        assert count(connection, "tidegauge") == (3, 3)
        assert count(connection, "b") == (6, 6)
        connection.execute("USE b")
        assert count(connection, "tidegauge") == (3, 3)
    finally:
        (lakes / "a").unlink()


ASKED = [
    "SELECT * FROM {}.daily",
    "SELECT count(*) FROM {}.daily",
    "SELECT count(*) FROM {}.surges",
    "SELECT * FROM {}.hits LIMIT 1",
    "SELECT * FROM {}.hits WHERE day = '2030-01-01'",
    "SELECT * FROM {}.hits WHERE path = '/none'",
    "SELECT * FROM {}.daily WHERE sessions > 99999",
    "SELECT * FROM {}.days WHERE day > '2030-01-01'",
    "SELECT * FROM {}.days WHERE sources IS NULL",
    "SELECT max(day) FROM {}.days",
    "SELECT max(day) FROM {}.daily",
    "SELECT EXISTS (FROM {}.hits WHERE status = 599)",
    "SELECT count(*) FROM {}.hits WHERE day BETWEEN '2016-11-08' AND '2016-11-09'",
    "SELECT count(*) FROM range(9) ANTI JOIN {}.days ON all_hits = range",
    "SELECT range FROM range(9) WHERE range NOT IN (SELECT all_hits FROM {}.days)",
]


@pytest.mark.rest_large
@pytest.mark.parametrize("statement", ASKED)
def test_attached_copy_fails_and_does_not_answer_for_the_original(
    statement: str, lakes: Path, opened: Opened, tmp_path: Path
) -> None:
    """No question, however little it reads, is answered from where the lake was written."""
    copy = shutil.copytree(lakes / "a", tmp_path / "copy")
    says = f"the views in {copy}/ would read the lake in {lakes}/a/: open"
    for main in (":memory:", views(lakes / "b")):
        with pytest.raises(duckdb.Error, match=re.escape(says)):
            opened(main, copy=views(copy)).execute(statement.format("copy")).fetchall()
    for main, other in ((copy, lakes / "a"), (lakes / "a", copy)):
        both = opened(views(main), other=views(other))
        for alias in ("tidegauge", "other"):
            with pytest.raises(duckdb.Error, match="copies of one lake are attached"):
                both.execute(statement.format(alias)).fetchall()


def test_attached_after_a_move_fails_until_a_build(
    lakes: Path, opened: Opened, tmp_path: Path
) -> None:
    """Moved and attached there is nothing to go by: it fails; any build makes it right again."""
    moved = Path(shutil.move(lakes / "a", tmp_path / "a"))
    with pytest.raises(duckdb.Error, match=str(lakes / "a")):
        opened(moved=views(moved)).execute("FROM moved.daily").fetchall()
    site = Site(tmp_path)
    site.run("build", "--lake", moved)
    assert count(opened(views(lakes / "b"), moved=views(moved)), "moved") == (3, 3)
    shutil.move(moved, lakes / "a")
    site.run("build", "--lake", lakes / "a")


def test_moved_lake_is_proven_like_another(lakes: Path, tmp_path: Path) -> None:
    """A move is no damage: `verify` finds nothing, and asks for no build."""
    copy = shutil.copytree(lakes / "a", tmp_path / "copy")
    done = Site(tmp_path).run("verify", "--lake", copy)
    assert "tidegauge.duckdb" not in done.out + done.err


@pytest.mark.parametrize("table", ["daily", "hits", "sessions", "hourly"])
@pytest.mark.parametrize("where", ["opened", "attached"])
@pytest.mark.parametrize(
    "chosen",
    [
        "WHERE day = '2016-11-09'",
        "WHERE day < DATE '2016-11-09'",
        "WHERE day = (SELECT max(start.d) FROM (SELECT DATE '2016-11-09' AS d) AS start)",
        "JOIN (SELECT DATE '2016-11-10' AS day) USING (day)",
    ],
)
def test_only_the_files_of_the_days_asked_are_read(
    table: str, where: str, chosen: str, lakes: Path, opened: Opened
) -> None:
    """A day chosen by a constant, a query or a join is found by its folder's name."""
    if where == "opened":
        connection, place = opened(views(lakes / "b")), table
    else:
        connection, place = opened(lake=views(lakes / "b")), f"lake.{table}"
    asked = f"EXPLAIN ANALYZE SELECT min(country) FROM {place} {chosen}"
    ((_, plan),) = connection.execute(asked).fetchall()
    assert re.findall(r"Total Files Read: (\d+)", plan) == ["1"]


def test_views_of_an_unlucky_name_cannot_be_told_from_text(tmp_path: Path, opened: Opened) -> None:
    """Quotes, braces and search characters of a folder are only its name, attached too."""
    site = Site(tmp_path)
    site.lake = tmp_path / "it's {root} [a]* $1 '' \"x\" lake"
    site.ingest("--lake", site.lake, site.write("web.log", GOOD))
    assert opened(x=views(site.lake)).execute("SELECT count(*) FROM x.hits").fetchall() == [(1,)]
