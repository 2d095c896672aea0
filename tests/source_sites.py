"""Sites whose raw files lie in stores."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import build_default_databases
from lake_fixtures import Site, make_line
from remote_servers import PASSWORD, WebServer, web_server

from pipeline.orchestration import nightly


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Return a site with address databases and a folder `logs`, whose runs draw no page."""
    monkeypatch.setattr(nightly, "make_page", lambda *_: "no page")
    build_default_databases(tmp_path / "geo")
    (tmp_path / "logs").mkdir()
    return Site(tmp_path)


@pytest.fixture
def web(site: Site) -> Iterator[WebServer]:
    """Serve the site's folder `logs`."""
    with web_server(site.folder / "logs") as server:
        yield server


def configure(site: Site, *tables: str) -> None:
    text = "".join(f"[[source]]\n{table}\n" for table in tables)
    (site.folder / "tidegauge.toml").write_text(text)


def put(site: Site, name: str, content: bytes) -> Path:
    path = site.folder / "logs" / name
    path.write_bytes(content)
    return path


def day_of(day: int, count: int = 3, agent: str = "Firefox/50.0") -> bytes:
    """Write lines of a day of November 2016, each of another client."""
    return b"".join(
        make_line(f"{day:02}/Nov/2016:10:00:{n:02} -0500", f"192.0.2.{day + n}", agent=agent)
        for n in range(count)
    )


def ingested(site: Site) -> dict[str, int]:
    return {record["name"]: record["lines"] for record in site.records().values()}


def run(site: Site, day: int, code: int = 0) -> str:
    done = site.run("run", "--from", f"2016-11-{day:02}", "--to", f"2016-11-{day:02}", code=code)
    return done.out + done.err


def assert_no_secret(site: Site, *texts: str) -> None:
    files = [path for path in site.lake.rglob("*") if path.is_file()]
    assert files
    held = [path for path in files if PASSWORD.encode() in path.read_bytes()]
    assert not held
    assert not [path for path in files if PASSWORD in str(path)]
    assert all(PASSWORD not in text for text in texts)
