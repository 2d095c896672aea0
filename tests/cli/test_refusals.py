"""What a site needs before it counts: settings, databases, a time zone and a key."""

from pathlib import Path

import pytest
from conftest import build_default_databases
from lake_fixtures import GOOD, Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_lake_that_is_a_file_exits_2(site: Site) -> None:
    """A lake that cannot be written is an error that names it."""
    done = site.ingest("--lake", site.write("file", b""), site.write("web.log", GOOD), code=2)
    assert "can't be written" in done.err


def test_settings_are_overridden_in_order(site: Site) -> None:
    """The option wins over the environment, the environment over tidegauge.toml."""
    log = site.write("web.log", GOOD)
    (site.folder / "tidegauge.toml").write_text('lake = "of-file"\n')
    site.ingest(log)
    site.run("ingest", "--no-geo", log, env={"TIDEGAUGE_LAKE": "of-variable"})
    done = site.run(
        "ingest", "--no-geo", log, "--lake", "of-option", env={"TIDEGAUGE_LAKE": "of-variable2"}
    )
    assert "New lake in of-option" in done.err
    made = {path.name for path in site.folder.glob("of-*")}
    assert made == {"of-file", "of-variable", "of-option"}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("lake = [", ["tidegauge.toml", "not valid TOML"]),
        ('laek = "x"', ["laek", "'(hidden)'", "did you mean lake?"]),
        ("session_timeout_minutes = 9999", ["session_timeout_minutes", "9999", "1440"]),
        ('timezone = "Toronto"', ["timezone", "'Toronto'", "America/Toronto"]),
    ],
)
def test_wrong_setting_exits_2(text: str, parts: list[str], site: Site) -> None:
    """Key, value and what would be right stand in one line on stderr."""
    (site.folder / "tidegauge.toml").write_text(text)
    done = site.run("status", code=2, env={"TIDEGAUGE_TIMEZONE": None})
    for part in parts:
        assert part in done.err
    assert done.err.count("\n") == 1
    assert done.out == ""


def test_a_short_key_is_counted_in_characters(site: Site) -> None:
    """A secret has no items; it is not shown."""
    done = site.run("status", code=2, env={"TIDEGAUGE_VISITOR_KEY": "short"})
    assert "visitor_key = '(hidden)': Value should have at least 16 characters, not 5" in done.err


def test_no_database_exits_2_and_says_how_to_get_one(site: Site) -> None:
    """Without a database: exit 2 and the sentence; with --no-geo everybody is ZZ."""
    log = site.write("web.log", GOOD)
    done = site.run("ingest", log, code=2)
    for part in ("no address database in geo", "tidegauge geo fetch dbip-lite", "--no-geo"):
        assert part in done.err
    assert not site.records()
    site.ingest(log)
    assert [(r["country"], r["geo_built"]) for r in site.rows("hits")] == [("ZZ", None)]


@pytest.mark.parametrize("damage", ["garbage", "cut", "empty"])
def test_damaged_database_exits_2_and_is_named(damage: str, site: Site) -> None:
    """A damaged database is an error that names the file, never a silent ZZ."""
    folder = build_default_databases(site.folder / "geo")
    path = min(folder.glob("*.mmdb"))
    whole = path.read_bytes()
    path.write_bytes(
        {"garbage": b"x" * 5000, "cut": whole[: len(whole) // 3], "empty": b""}[damage]
    )
    log = site.write("web.log", GOOD)
    done = site.run("ingest", log, code=2)
    assert path.name in done.err
    assert not site.records()
    assert path.name in site.run("geo", "list", code=2).err


def test_damaged_database_does_not_matter_without_geo(site: Site) -> None:
    """With --no-geo no database is looked at, damaged or not."""
    (site.folder / "geo").mkdir()
    (site.folder / "geo" / "x.mmdb").write_bytes(b"garbage")
    site.ingest(site.write("web.log", GOOD))
    assert len(site.rows("hits")) == 1


def test_key_file_that_others_may_read_exits_2(site: Site) -> None:
    """The key comes from its file; one that others may read is refused."""
    key = site.folder / "visitor.key"
    env: dict[str, str | None] = {
        "TIDEGAUGE_VISITOR_KEY": None,
        "TIDEGAUGE_VISITOR_KEY_FILE": str(key),
    }
    log = site.write("web.log", GOOD)
    site.run("ingest", "--no-geo", log, env=env)
    assert key.stat().st_mode & 0o777 == 0o600
    key.chmod(0o640)
    done = site.run("ingest", "--no-geo", log, env=env, code=2)
    assert "visitor_key_file" in done.err
    assert "chmod 600" in done.err
    assert key.read_text().strip() not in done.err
