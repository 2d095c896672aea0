"""Sources in a real S3 server and a real SFTP server, both on loopback."""

import gzip
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from lake_fixtures import Site
from remote_servers import PASSWORD, USER, free_port, s3_server, sftp_server
from source_sites import assert_no_secret, configure, day_of, ingested, put, run, site, web  # noqa: F401 fixtures

pytestmark = pytest.mark.xdist_group("stores")  # one S3 server for all


@pytest.fixture(scope="module")
def s3_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run an S3 server."""
    with s3_server(tmp_path_factory.mktemp("s3")) as address:
        yield address


@pytest.fixture
def s3(s3_address: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a client with an empty bucket `logs`, its keys in the environment as a user's."""
    import s3fs

    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "reader")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", PASSWORD)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    client = s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)
    if not client.exists("logs"):
        client.mkdir("logs")
    for path in client.find("logs"):
        client.rm(path)
    return client


def test_a_bucket_is_read_once(site: Site, s3: Any) -> None:
    for day in (7, 8, 9, 20):
        s3.pipe(f"logs/in/web01-201611{day:02}-00.gz", gzip.compress(day_of(day)))
    s3.pipe("logs/in/web02-20161108-00.gz", gzip.compress(day_of(8, 5)))
    configure(site, 'name = "web01"\nurl = "s3://logs/in/web01-{day:%Y%m%d}*.gz"')
    said = run(site, 8)
    assert sorted(ingested(site)) == ["web01-20161107-00.gz", "web01-20161108-00.gz"]
    before = site.hashes()
    said += run(site, 8)
    assert site.hashes() == before
    assert "fetched 2 of 2" not in run(site, 8)
    assert not [path for path in (site.lake / ".fetched").rglob("*.gz") if "20161108" in path.name]
    assert_no_secret(site, said)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Every request that goes to the S3 server: method, and a listing's prefix or the path."""
    from aiobotocore.httpsession import AIOHTTPSession

    found: list[tuple[str, str]] = []
    send = AIOHTTPSession.send

    async def count(session: Any, request: Any) -> Any:
        url = urlsplit(request.url)
        query = parse_qs(url.query)
        is_list = "list-type" in query
        its = ("LIST", query.get("prefix", [""])[0]) if is_list else (request.method, url.path)
        found.append(its)
        return await send(session, request)

    monkeypatch.setattr(AIOHTTPSession, "send", count)
    return found


def test_a_bucket_of_many_names_is_listed_and_none_is_asked_for(
    site: Site, s3: Any, asked: list[tuple[str, str]]
) -> None:
    """1,000 names a request; only what is new is asked for, in a night and by its source's name."""
    s3.pipe({f"logs/in/web01-20161001-{n:04}.gz": b"x" for n in range(1_100)})
    for number in range(3):
        s3.pipe(
            f"logs/in/web01-new{number}.gz", gzip.compress(day_of(8, agent=f"Firefox/{number}"))
        )
    s3.pipe("logs/in/web02-20161108-0.gz", b"another's")
    s3.pipe("logs/in/web01-deeper/20161108.gz", b"another's")
    configure(site, 'name = "web01"\nurl = "s3://logs/in/web01-*.gz"')
    del asked[:]
    run(site, 8)
    assert Counter(asked)["LIST", "in/web01-"] == 2
    assert {path for kind, path in asked if kind != "LIST"} == {
        f"/logs/in/web01-new{number}.gz" for number in range(3)
    }
    assert len(ingested(site)) == 3
    before = site.hashes()
    for again in (lambda: run(site, 8), lambda: site.run("ingest", "web01", "--no-geo")):
        del asked[:]
        again()
        assert asked == [("LIST", "in/web01-")] * 2
        assert site.hashes() == before


@pytest.mark.parametrize(
    ("pattern", "prefixes"),
    [
        ("{day:%Y/%m/%d}/web01-*", {f"2016/11/{day:02}/web01-" for day in (7, 8, 9)}),
        ("2016/11/web01-{day:%Y%m%d}*", {f"2016/11/web01-201611{day:02}" for day in (7, 8, 9)}),
        ("at-*/{day:%Y%m%d}/*.gz", {"at-", *(f"at-eu/201611{day:02}/" for day in (7, 8, 9))}),
        ("**/web01-{day:%Y%m%d}-0.gz", {""}),
    ],
)
def test_only_the_prefixes_of_the_days_asked_for_are_listed(
    site: Site, s3: Any, asked: list[tuple[str, str]], pattern: str, prefixes: set[str]
) -> None:
    """Of a backfill, which takes no late files."""
    for day in (5, 7, 8, 20):
        for place in (f"2016/11/{day:02}/", "2016/11/", f"at-eu/201611{day:02}/"):
            s3.pipe(f"logs/{place}web01-201611{day:02}-0.gz", gzip.compress(day_of(day)))
    configure(site, f'name = "web01"\nurl = "s3://logs/{pattern}"')
    del asked[:]
    run(site, 8)
    assert {prefix for kind, prefix in asked if kind == "LIST"} == prefixes
    assert sorted(ingested(site)) == ["web01-20161107-0.gz", "web01-20161108-0.gz"]


def test_an_object_written_anew_is_read_anew(site: Site, s3: Any) -> None:
    """Same size, same second: only the entity tag tells."""
    configure(site, 'name = "web01"\nurl = "s3://logs/live.log"')
    s3.pipe("logs/live.log", day_of(8))
    run(site, 8)
    s3.pipe("logs/live.log", day_of(8).replace(b"GET /a", b"GET /b"))
    run(site, 8)
    assert len(ingested(site)) == 1
    assert sum(record["lines"] for record in site.records().values()) == 6


def test_an_objects_name_leads_nowhere(site: Site, s3: Any) -> None:
    for number, key in enumerate(("logs/a/..;..x.log", "logs/a/...", "logs/a/%2e%2e%2fy.log")):
        s3.pipe(key, day_of(8, agent=f"Firefox/{number}"))
    configure(site, 'name = "web01"\nurl = "s3://logs/a/**"')
    site.run("ingest", "web01", "--no-geo")
    assert sorted(ingested(site)) == ["log", "~..x.log", "~2e~2e~2fy.log"]
    assert {path.name for path in site.folder.iterdir()} == {
        "geo",
        "lake",
        "logs",
        "tidegauge.toml",
    }


def test_a_bucket_that_is_not_there_is_one_sentence(site: Site, s3: Any) -> None:
    assert s3
    for url in ("s3://nowhere/web01-*.gz", "s3://nowhere/web01.gz"):
        configure(site, f'name = "web01"\nurl = "{url}"')
        done = site.run("run", "--from", "2016-11-08", code=2)
        assert "setting source.web01.url" in done.err
        assert len(done.err.strip().splitlines()) == 1


def test_a_store_that_does_not_answer_is_one_sentence(
    site: Site,
    s3: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert s3
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    configure(site, 'name = "web01"\nurl = "s3://logs/web01-*.gz"')
    done = site.run("run", "--from", "2016-11-08", code=2)
    assert "setting source.web01.url" in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert PASSWORD not in done.err


@pytest.fixture
def sftp(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Serve the folder `logs`; the server's key is known to the user."""
    home = site.folder / "home"
    (home / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with sftp_server(site.folder / "logs") as (port, known):
        (home / ".ssh" / "known_hosts").write_text(known)
        yield port


def sftp_url(port: int, path: str, password: str = PASSWORD) -> str:
    return f"sftp://{USER}:{password}@127.0.0.1:{port}/{path}"


def test_an_sftp_server_is_read_once(site: Site, sftp: int) -> None:
    for day in (7, 8, 20):
        put(site, f"web01-201611{day:02}.log.gz", gzip.compress(day_of(day)))
    put(site, "web01-20161108.big.log", day_of(8, 50, "Firefox/51.0") * 2000)  # many messages
    configure(site, f'name = "web01"\nurl = "{sftp_url(sftp, "web01-{day:%Y%m%d}*")}"')
    said = run(site, 8)
    assert len(ingested(site)) == 3
    before = site.hashes()
    said += run(site, 8)
    assert site.hashes() == before
    assert said.count("fetched 3 of 3") <= 1
    assert_no_secret(site, said)


@pytest.mark.parametrize("what", ["password", "host key", "folder"])
def test_an_sftp_server_that_is_not_as_expected_is_one_sentence(
    site: Site,
    sftp: int,
    what: str,
) -> None:
    wrong = PASSWORD + "x" if what == "password" else PASSWORD
    path = "nowhere/x*" if what == "folder" else "x*"
    if what == "host key":
        (site.folder / "home" / ".ssh" / "known_hosts").write_text("")
    configure(site, f'name = "web01"\nurl = "{sftp_url(sftp, path, wrong)}"')
    done = site.run("run", "--from", "2016-11-08", code=2)
    assert "setting source.web01.url" in done.err
    assert ("known_hosts" in done.err) == (what == "host key")
    assert len(done.err.strip().splitlines()) == 1
    assert PASSWORD not in done.err


def test_a_missing_package_names_the_extra(
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import sys

    registry = sys.modules["fsspec.registry"]._registry

    for package, scheme in (("s3fs", "s3"), ("paramiko", "sftp")):
        monkeypatch.setitem(sys.modules, package, None)
        monkeypatch.delitem(registry, scheme, raising=False)
        configure(site, f'name = "web01"\nurl = "{scheme}://host/x*.gz"')
        done = site.run("run", "--from", "2016-11-08", code=2)
        assert f"pip install 'tidegauge[{scheme}]'" in done.err
