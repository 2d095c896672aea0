"""Fetching over HTTP, from a local server that fails, truncates, redirects or serves junk."""

import base64
import gzip
import logging
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from conftest import build_database
from geo_server import (
    KEY,
    MAXMIND_PATH,
    Answer,
    Server,
    hang_up,
    make_archive,
    make_database,
    redirect,
    refuse,
    serve,
    serve_undeclared,
)
from pydantic import SecretStr

from pipeline.enrich.geo.check import KNOWN_NETWORKS
from pipeline.enrich.geo.download import check_answer
from pipeline.enrich.geo.fetch import Effects, Fetched, Options, fetch
from pipeline.enrich.geo.providers import Download, Services
from pipeline.errors import GeoError, SettingsError
from pipeline.orchestration.refresh_geo import refresh
from pipeline.settings import load_settings

NOW = datetime(2016, 11, 22, 9, tzinfo=UTC)
ACCOUNT = "424242"
ASN_PATH = MAXMIND_PATH.replace("City", "ASN")
AUTHORIZATION = "Basic " + base64.b64encode(f"{ACCOUNT}:{KEY}".encode()).decode()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def run(server: Server, tmp_path: Path, pauses: list[float]) -> Callable[[str], Fetched]:
    services = Services(
        dbip_url=server.url("/dbip/"),
        maxmind_url=server.url("/maxmind"),
        maxmind_account_id=ACCOUNT,
        maxmind_license_key=SecretStr(KEY),
    )

    def run_fetch(source: str) -> Fetched:
        options = Options(services=services)
        return fetch(source, tmp_path / "geo", NOW, options, Effects(pause=pauses.append))

    return run_fetch


Run = Callable[[str], Fetched]


def test_maxmind_archive_is_fetched_with_the_account(
    server: Server, run: Run, tmp_path: Path
) -> None:
    """HTTP basic authentication, suffix=tar.gz; the one .mmdb inside gets its build date's name."""
    content = make_database(tmp_path, "GeoLite2-City")
    server.answers[MAXMIND_PATH] = [serve(make_archive(content, "GeoLite2-City.mmdb"))]
    fetched = run("maxmind")
    assert server.requests == [(f"{MAXMIND_PATH}?suffix=tar.gz", AUTHORIZATION)]
    assert fetched.is_new
    assert fetched.database.path == tmp_path / "geo/GeoLite2-City-2016-11-03.mmdb"
    assert fetched.database.path.read_bytes() == content
    assert [path.name for path in (tmp_path / "geo").iterdir()] == ["GeoLite2-City-2016-11-03.mmdb"]


@pytest.mark.parametrize(("host", "is_told"), [("127.0.0.1", True), ("localhost", False)])
def test_account_follows_a_redirect_on_the_same_host_only(
    server: Server, run: Run, tmp_path: Path, host: str, is_told: bool
) -> None:
    """MaxMind redirects to its storage at another host, which must not learn the key."""
    content = make_database(tmp_path, "GeoLite2-City")
    server.answers[MAXMIND_PATH] = [redirect(server.url("/store?signed=1", host))]
    server.answers["/store"] = [serve(make_archive(content, "GeoLite2-City.mmdb"))]
    assert run("maxmind").is_new
    assert server.requests[1] == ("/store?signed=1", AUTHORIZATION if is_told else None)


def test_dbip_takes_this_months_file(server: Server, run: Run, tmp_path: Path) -> None:
    """No account; the country kind unless asked otherwise."""
    content = make_database(tmp_path, "DBIP-Country-Lite (compat=Country)")
    path = "/dbip/free/dbip-country-lite-2016-11.mmdb.gz"
    server.answers[path] = [serve(gzip.compress(content))]
    fetched = run("dbip-lite")
    assert server.requests == [(path, None)]
    assert fetched.database.provider == "dbip"
    assert fetched.database.path.name == "DBIP-Country-Lite-2016-11-03.mmdb"


def test_dbip_takes_last_months_file_when_this_months_is_not_there(
    server: Server, run: Run, tmp_path: Path
) -> None:
    """On the first days of a month the new file may be missing: 404, then the month before."""
    content = make_database(tmp_path, "DBIP-Country-Lite")
    path = "/dbip/free/dbip-country-lite-2016-10.mmdb.gz"
    server.answers[path] = [serve(gzip.compress(content))]
    assert run("dbip-lite").is_new
    assert [path for path, _ in server.requests] == [
        "/dbip/free/dbip-country-lite-2016-11.mmdb.gz",
        "/dbip/free/dbip-country-lite-2016-10.mmdb.gz",
    ]


def test_january_asks_for_december(server: Server, tmp_path: Path) -> None:
    """The month before January belongs to the year before; the city kind has its own name."""
    options = Options(kind="city", services=Services(dbip_url=server.url()))
    with pytest.raises(GeoError, match=r"dbip-city-lite-2016-12\.mmdb\.gz: there is no such file"):
        fetch("dbip-lite", tmp_path / "geo", datetime(2017, 1, 31, tzinfo=UTC), options)


@pytest.mark.parametrize("source", ["maxmind", "dbip-lite"])
def test_networks_are_fetched_by_their_own_name(
    server: Server, tmp_path: Path, source: str
) -> None:
    """Put beside the countries under type and date; as a database of countries it is refused."""
    path = tmp_path / "x.mmdb"
    networks = {f"{ip}/32": f"AS{number}" for ip, number in KNOWN_NETWORKS.items()}
    build_database(path, "GeoLite2-ASN", "2016-11-03T00:00:00Z", networks)
    wanted = {
        "maxmind": f"{ASN_PATH}?suffix=tar.gz",
        "dbip-lite": "/dbip/free/dbip-asn-lite-2016-11.mmdb.gz",
    }[source]
    content = path.read_bytes()
    server.answers[wanted.partition("?")[0]] = [
        serve(make_archive(content, "GeoLite2-ASN.mmdb") if source == "maxmind"
              else gzip.compress(content))
    ]  # fmt: skip
    services = Services(
        dbip_url=server.url("/dbip"), maxmind_url=server.url("/maxmind"),
        maxmind_account_id=ACCOUNT, maxmind_license_key=SecretStr(KEY),
    )  # fmt: skip
    fetched = fetch(source, tmp_path / "geo", NOW, Options(kind="asn", services=services))
    assert [asked for asked, _ in server.requests] == [wanted]
    assert fetched.database.path.name == "GeoLite2-ASN-2016-11-03.mmdb"
    with pytest.raises(GeoError, match="holds networks, no countries: say --kind asn"):
        fetch(str(path), tmp_path / "geo", NOW)


def test_airflow_keeps_networks_new_where_there_are_any(server: Server, tmp_path: Path) -> None:
    """Without one it asks for the addresses alone."""
    networks = {f"{ip}/32": f"AS{number}" for ip, number in KNOWN_NETWORKS.items()}
    answers = {MAXMIND_PATH: make_database(tmp_path, "GeoLite2-City")}
    for built in ("2016-11-10", "2016-10-04"):
        build_database(tmp_path / "asn", "GeoLite2-ASN", f"{built}T00:00:00Z", networks)
        answers.setdefault(ASN_PATH, (tmp_path / "asn").read_bytes())
    for path, content in answers.items():
        server.answers[path] = [serve(make_archive(content, "x.mmdb"))] * 2
    settings = load_settings(
        geo=tmp_path / "geo", maxmind_url=server.url("/maxmind"), maxmind_account_id=ACCOUNT,
        maxmind_license_key=KEY,
    )  # fmt: skip
    assert refresh(settings, NOW) == "GeoLite2-City-2016-11-03.mmdb"
    fetch(str(tmp_path / "asn"), tmp_path / "geo", NOW, Options(kind="asn"))
    wanted = "GeoLite2-City-2016-11-03.mmdb, GeoLite2-ASN-2016-11-10.mmdb"
    assert refresh(settings, NOW) == wanted


def test_any_url_of_a_plain_file(server: Server, run: Run, tmp_path: Path) -> None:
    """What it is, is read from its content; user and password of the URL are used, never shown."""
    server.answers["/some/file"] = [serve(make_database(tmp_path, "own-country"))]
    url = server.url("/some/file?license_key=" + KEY).replace("//", f"//{ACCOUNT}:{KEY}@", 1)
    assert run(url).database.path.name == "own-country-2016-11-03.mmdb"
    assert server.requests == [(f"/some/file?license_key={KEY}", AUTHORIZATION)]


def test_same_build_again_changes_nothing(server: Server, run: Run, tmp_path: Path) -> None:
    """The second fetch says so, and leaves the file alone to its inode."""
    server.answers["/file"] = [serve(make_database(tmp_path, "GeoLite2-City"))]
    first = run(server.url("/file"))
    inode = first.database.path.stat().st_ino
    second = run(server.url("/file"))
    assert (first.is_new, second.is_new) == (True, False)
    assert second.database.path.stat().st_ino == inode


@pytest.mark.parametrize("failure", [refuse(500), refuse(503), hang_up, serve(b"half", 4000)])
def test_what_may_pass_is_tried_again(
    server: Server, run: Run, tmp_path: Path, pauses: list[float], failure: Answer
) -> None:
    """Server errors, cut connections and short answers: twice bad, then good, with pauses."""
    good = serve(make_database(tmp_path, "GeoLite2-City"))
    server.answers["/file"] = [failure, failure, good]
    assert run(server.url("/file")).is_new
    assert pauses == [1.0, 3.0]


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (refuse(500), "the server answers 500"),
        (hang_up, "the connection failed or was cut"),
        (serve(b"half", 4000), "the connection failed or was cut"),
    ],
)
def test_retries_end(server: Server, run: Run, tmp_path: Path, failure: Answer, said: str) -> None:
    """After four tries it is an error that names the address, and nothing is left behind."""
    server.answers["/file"] = [failure]
    with pytest.raises(GeoError, match=rf"{server.url('/file')}: {said} \(4 tries\)"):
        run(server.url("/file"))
    assert len(server.requests) == 4
    assert list((tmp_path / "geo").iterdir()) == []


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "licence key was refused"),
        (403, "access was refused"),
        (404, "there is no such file"),
        (410, "the server refuses"),
        (429, "too many downloads"),
    ],
)
def test_refusal_is_final(
    server: Server, run: Run, pauses: list[float], status: int, said: str
) -> None:
    """A wrong key does not get better by trying: one request, no pause."""
    server.answers[MAXMIND_PATH] = [refuse(status, KEY.encode())]
    with pytest.raises(GeoError, match=rf"{said}.*\({status}\)"):
        run("maxmind")
    assert (len(server.requests), pauses) == (1, [])


def test_nobody_listening_is_an_error(run: Run, pauses: list[float]) -> None:
    """A closed port is tried again, then told."""
    with Server() as closed:
        url = closed.url("/file")
    with pytest.raises(GeoError, match="the connection failed or was cut"):
        run(url)
    assert pauses == [1.0, 3.0, 9.0]


def test_redirect_in_circles_is_an_error(server: Server, run: Run, pauses: list[float]) -> None:
    """Redirects are followed a limited number of times, and not retried."""
    server.answers["/file"] = [redirect(server.url("/file"))]
    with pytest.raises(GeoError, match="TooManyRedirects"):
        run(server.url("/file"))
    assert pauses == []


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://"])
def test_redirect_out_of_http_is_refused(server: Server, run: Run, to: str) -> None:
    """Only http and https are followed."""
    server.answers["/file"] = [redirect(to)]
    with pytest.raises(GeoError, match="cannot fetch"):
        run(server.url("/file"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<!DOCTYPE html><html><body>Please sign in</body></html>",
        bytes(range(256)) * 400,
        gzip.compress(b""),
        gzip.compress(b"<html></html>"),
        gzip.compress(bytes(100_000))[:60],
        b"\x1f\x8b",
        b"PK\x03\x04" + bytes(600),
    ],
    ids=["empty", "page", "random", "gz of nothing", "gz of a page", "cut gz", "2 bytes", "zip"],
)
def test_wrong_file_is_refused(server: Server, run: Run, tmp_path: Path, content: bytes) -> None:
    """A sign-in page with status 200, noise, an empty gzip: named, not stored."""
    server.answers["/file"] = [serve(content)]
    said = r"/file (is no usable address database: it is damaged|is cut off or damaged)"
    with pytest.raises(GeoError, match=said):
        run(server.url("/file"))
    assert list((tmp_path / "geo").iterdir()) == []


@pytest.mark.parametrize("pack", [gzip.compress, bytes, lambda c: make_archive(c, "x.mmdb")])
def test_file_cut_short_without_a_declared_length_is_refused(
    server: Server, run: Run, tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    """HTTP cannot tell here that bytes are missing: the gzip, the archive or the database does."""
    content = pack(make_database(tmp_path, "GeoLite2-City"))
    server.answers["/file"] = [serve_undeclared(content[: len(content) * 3 // 4])]
    with pytest.raises(GeoError, match="damaged"):
        run(server.url("/file"))
    assert list((tmp_path / "geo").iterdir()) == []


def test_progress_is_reported(server: Server, tmp_path: Path) -> None:
    """Bytes so far and the total that the server declared."""
    content = make_database(tmp_path, "GeoLite2-City")
    server.answers["/file"] = [serve(content)]
    seen: list[tuple[int, int | None]] = []
    effects = Effects(on_progress=lambda done, total: seen.append((done, total)))
    fetch(server.url("/file"), tmp_path / "geo", NOW, effects=effects)
    assert seen[-1] == (len(content), len(content))


def whole_chain(error: BaseException) -> str:
    """Everything a traceback could print, suppressed causes and local repr included."""
    text, seen = "", error
    while seen is not None:
        text += f"{seen!r} {seen} {seen.args!r} {vars(seen)!r}"
        seen = seen.__cause__ or seen.__context__
    return text


@pytest.mark.parametrize(
    "failure",
    [
        refuse(401, KEY.encode()),
        refuse(500, KEY.encode()),
        hang_up,
        redirect(f"http://localhost:1/?key={KEY}"),
        redirect("http://[bad/"),
        serve(b"<html>" + KEY.encode()),
    ],
    ids=["401", "500", "cut", "redirect", "bad redirect", "page"],
)
def test_key_shows_nowhere(
    server: Server, run: Run, caplog: pytest.LogCaptureFixture, failure: Answer
) -> None:
    """Not in the error, what it was raised from, nor any logger at DEBUG, from header or URL."""
    server.answers[MAXMIND_PATH] = [failure]
    server.answers["/file"] = [failure]
    url = server.url("/file").replace("//", f"//{ACCOUNT}:{KEY}@", 1) + "?license_key=" + KEY
    with caplog.at_level(logging.DEBUG):
        for source in ("maxmind", url):
            with pytest.raises(GeoError) as raised:
                run(source)
            assert KEY not in whole_chain(raised.value)
            assert AUTHORIZATION.split()[1] not in whole_chain(raised.value)
    assert KEY not in caplog.text
    assert KEY not in repr(Services(maxmind_license_key=SecretStr(KEY)))


def test_maxmind_without_an_account_names_the_setting(tmp_path: Path) -> None:
    """The message says which setting, and never asks the network."""
    with pytest.raises(SettingsError, match="TIDEGAUGE_MAXMIND_ACCOUNT_ID"):
        fetch("maxmind", tmp_path / "geo", NOW)
    options = Options(services=Services(maxmind_account_id="1"))
    with pytest.raises(SettingsError, match="TIDEGAUGE_MAXMIND_LICENSE_KEY"):
        fetch("maxmind", tmp_path / "geo", NOW, options)
    assert not (tmp_path / "geo").exists()


@pytest.mark.parametrize("source", ["geolite", "nowhere/file.mmdb", "ftp://127.0.0.1/x", ""])
def test_unknown_source_says_what_can_be_given(tmp_path: Path, source: str) -> None:
    """Neither a name, a URL nor a file."""
    with pytest.raises(GeoError, match="give `dbip-lite`, `maxmind`"):
        fetch(source, tmp_path / "geo", NOW)


@pytest.mark.parametrize("source", ["http://", "http://127.0.0.1:x/", "https://[bad/"])
def test_impossible_url_is_an_error(tmp_path: Path, source: str) -> None:
    """A URL that cannot be parsed ends in a sentence."""
    with pytest.raises(GeoError, match="no host or an impossible port"):
        fetch(source, tmp_path / "geo", NOW)


@pytest.mark.parametrize(("hop", "is_refused"), [("http://h/x", True), ("https://h/x", False)])
def test_redirect_to_an_unencrypted_address_is_refused(hop: str, is_refused: bool) -> None:
    """What began over https must not end over http, where anybody could change it."""
    first, last = requests.Response(), requests.Response()
    first.url, last.url = "https://h/", hop
    last.history, last.status_code = [first], 200
    if not is_refused:
        check_answer(Download("https://h/"), last)
        return
    with pytest.raises(GeoError, match="redirects to an unencrypted address"):
        check_answer(Download("https://h/"), last)
