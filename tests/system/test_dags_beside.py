"""The DAGs beside the nightly one, in a real Airflow."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import build_database
from dag_tester import DagTester, settings_of
from geo_server import KEY, MAXMIND_PATH, Server, make_archive, make_database, refuse, serve
from lake_fixtures import Site, make_line

pytestmark = pytest.mark.xdist_group("airflow")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Return a site with a line on 8 November and one on the 9th, located in Canada."""
    site = Site(tmp_path)
    (tmp_path / "geo").mkdir()
    networks = {"192.0.2.0/24": "CA"}
    build_database(tmp_path / "geo" / "a.mmdb", "City", "2016-10-01T00:00:00+00:00", networks)
    for day in (8, 9):
        line = make_line(f"{day:02}/Nov/2016:10:00:00 -0500")
        site.write(f"web01-201611{day:02}.log", line)
    return site


@pytest.fixture
def maxmind(tmp_path: Path) -> Iterator[Server]:
    """Return a loopback server with a database built on 3 November 2016."""
    from threading import Thread

    server = Server()
    content = make_archive(make_database(tmp_path, "GeoLite2-City"), "GeoLite2-City.mmdb")
    server.answers[MAXMIND_PATH] = [serve(content)]
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def account(login: str = "4711", password: str = KEY) -> dict[str, str]:
    """Return the connection as Airflow reads it from the environment."""
    content = {"conn_type": "generic", "login": login, "password": password}
    return {"AIRFLOW_CONN_MAXMIND": json.dumps(content)}


def test_a_new_database_offers_the_days_it_would_locate_otherwise(
    tester: DagTester, site: Site, maxmind: Server
) -> None:
    """The key is used and never logged; no day is rebuilt unasked, and a backfill rebuilds it."""
    site.run("run", "--from", "2016-11-08", "--to", "2016-11-09", "--geo", "geo")
    before = site.hashes()
    settings = settings_of(site, TIDEGAUGE_MAXMIND_URL=maxmind.url("/maxmind"))
    done = tester.test("tidegauge_refresh_geo", settings | account(), {})
    assert (done.state, len(maxmind.requests)) == ("success", 1)
    assert maxmind.requests[0][1]
    assert "backfill tidegauge_nightly from 2016-11-08 to 2016-11-09" in done.log
    assert KEY not in done.log
    assert site.hashes() == before
    assert tester.test("tidegauge_nightly", settings, {"day": "2016-11-08"}).state == "success"
    built = {str(row["geo_built"]) for row in site.rows("daily", columns=["geo_built"])}
    assert built == {"2016-10-01", "2016-11-03"}


def test_a_key_that_is_refused_is_not_logged_either(
    tester: DagTester, site: Site, maxmind: Server
) -> None:
    """MaxMind says no: one request, one sentence, and no day is offered."""
    maxmind.answers[MAXMIND_PATH] = [refuse(401, KEY.encode())]
    settings = settings_of(site, TIDEGAUGE_MAXMIND_URL=maxmind.url("/maxmind"))
    done = tester.test("tidegauge_refresh_geo", settings | account(), {}, with_retries=True)
    assert (done.state, len(maxmind.requests)) == ("failed", 1)
    assert "401" in done.log
    assert KEY not in done.log


def test_without_the_connection_a_sentence_says_how_to_make_it(
    tester: DagTester, site: Site
) -> None:
    done = tester.test("tidegauge_refresh_geo", settings_of(site), {})
    assert done.state == "failed"
    assert "make one in Airflow (Admin, Connections; type Generic;" in done.log


def test_retention_lists_then_deletes_within_its_guard(tester: DagTester, site: Site) -> None:
    """The figures of the two days of 2016 stand."""
    site.run("run", "--from", "2016-11-08", "--to", "2016-11-09", "--geo", "geo")
    settings = settings_of(site, TIDEGAUGE_HITS_KEPT_DAYS="30")
    guarded = tester.test(
        "tidegauge_retention", settings | {"TIDEGAUGE_RETENTION_MAX_DAYS": "1"}, {}
    )
    assert guarded.tasks == {"list": ["success"], "delete": ["failed"]}
    assert "hits of 2 days would be deleted, 2016-11-08 to 2016-11-09" in guarded.log
    assert len(list((site.lake / "hits").rglob("*.parquet"))) == 2
    assert tester.test("tidegauge_retention", settings, {}).state == "success"
    assert list((site.lake / "hits").rglob("*.parquet")) == []
    assert len(site.rows("daily")) == 2


def test_retention_is_idle_where_it_is_not_set(tester: DagTester, site: Site) -> None:
    """Also before there is a lake; once it is set, a missing one is a sentence."""
    assert tester.test("tidegauge_retention", settings_of(site), {}).state == "success"
    done = tester.test("tidegauge_retention", settings_of(site, TIDEGAUGE_HITS_KEPT_DAYS="30"), {})
    assert done.tasks == {"list": ["failed"], "delete": ["upstream_failed"]}
    assert "no lake at" in done.log


def test_an_example_runs_for_the_days_that_were_counted(tester: DagTester, site: Site) -> None:
    """By `dag.test()` no event triggered it: it has no day to print, and says so by skipping."""
    done = tester.test("tidegauge_example_downstream", settings_of(site), {})
    assert done.tasks == {"figures": ["skipped"]}
