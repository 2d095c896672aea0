"""A lake in a real S3 server: the same as in a folder, for its machines and for plain readers."""

import json
import os
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow.dataset as ds
import pytest
from bucket_sites import (
    BUCKET,
    KEYS,
    Machine,
    client,
    hashes_in_store,
    make_bucket,
    plain_duckdb,
    read_log,
)
from conftest import build_database
from lake_fixtures import Site, make_line
from lake_processes import SERVERS
from remote_servers import PASSWORD, free_port

from pipeline.lake import bucket, copied, garbage, objects
from pipeline.lake.commit_log import CommitLog
from pipeline.lake.digests import digest_of
from pipeline.lake.stand_ins import is_stand_in
from pipeline.orchestration.tab import TabPage, answer
from pipeline.settings import load_settings

pytestmark = pytest.mark.xdist_group("bucket")  # one S3 server for all
DAILY = "daily/day=2016-11-08/part.parquet"


@pytest.fixture
def url(address: str, tmp_path: Path) -> str:  # noqa: ARG001 it runs
    """Return the URL of a lake that is not there yet."""
    return f"s3://{BUCKET}/{tmp_path.name.replace('[', '-').replace(']', '')}/site"


@pytest.fixture
def folder(tmp_path: Path) -> Site:
    """Return a site whose lake is a folder."""
    (tmp_path / "folder").mkdir()
    return Site(tmp_path / "folder")


def raw_files(site: Site) -> list[Path]:
    return [site.write(name, content) for name, content in SERVERS.items()]


def ask(site: Site, statement: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(site.run("sql", statement, "--format", "json").out)
    return rows


def test_two_machines_make_the_lake_that_a_folder_is(
    url: str, folder: Site, tmp_path: Path, address: str
) -> None:
    """Byte for byte, in any order of files and machines; each sees what the other did."""
    raw = raw_files(folder)
    folder.ingest(*raw)
    folder.run("build")
    one, two = (Machine(tmp_path / name, url) for name in ("one", "two"))
    one.ingest(raw[2])
    two.ingest(raw[0])
    two.run("build")
    one.ingest(*raw)
    one.run("build")
    assert one.hashes() == folder.hashes()
    lines = [path for path in (folder.lake / "ledger/lines").rglob("*") if path.is_file()]
    assert {place: its for place, its in hashes_in_store(url).items() if "/lines/" in place} == {
        path.relative_to(folder.lake).as_posix(): digest_of(path) for path in lines
    }
    figures = [
        site.run("sql", "SELECT * FROM daily ORDER BY ALL", "--format", "json").out
        for site in (folder, one, two)
    ]
    assert figures[0] == figures[1] == figures[2]
    count = "SELECT count(*) AS n, sum(line_no) AS sum FROM hits"
    assert two.run("sql", count).out == folder.run("sql", count).out
    assert "nothing is off" in two.run("verify").err
    shutil.rmtree(two.lake)  # it is nothing but a copy
    assert two.run("sql", count).out == folder.run("sql", count).out
    assert plain_duckdb(address).sql(f"FROM '{url}/daily/**/*.parquet'").fetchall()


def test_airflows_tab_is_of_the_store_on_a_machine_that_only_reads(
    url: str, folder: Site, tmp_path: Path
) -> None:
    """The pages are those of the same lake in a folder, and nothing in the store is another."""
    one, two = (Machine(tmp_path / name, url) for name in ("one", "two"))
    raw = raw_files(folder)
    for site in (folder, one):
        site.ingest(*raw)
        site.run("build")
    before = hashes_in_store(url)
    for page in ("", "days"):
        of_folder = ask_tab(folder, str(folder.lake), page)
        of_store = ask_tab(two, url, page)
        assert of_folder.status == 200, of_folder.html
        assert of_store == of_folder
    assert hashes_in_store(url) == before


def ask_tab(site: Site, lake: str, page: str) -> TabPage:
    """Return the page as Airflow's api-server on this machine has it."""
    with mock.patch.dict(os.environ, site.environment({"TIDEGAUGE_LAKE": lake})):
        return answer(load_settings, page, {}, datetime(2016, 11, 10, tzinfo=UTC))


def test_names_of_subdivisions_are_the_store_s(url: str, tmp_path: Path, address: str) -> None:
    """Each machine has what the others' databases call them, and so has a plain reader."""
    one, two = (Machine(tmp_path / name, url) for name in ("one", "two"))
    for site, place, host in ((one, "CA-ON:Ontario", 1), (two, "CA-QC:Quebec", 2)):
        (site.folder / "geo").mkdir()
        database = site.folder / "geo/a.mmdb"
        networks = {f"192.0.2.{host}/32": place}
        build_database(database, "GeoLite2-City", "2016-10-04T00:00:00Z", networks)
        line = make_line("08/Nov/2016:10:00:00 -0500", f"192.0.2.{host}")
        site.run("ingest", site.write("web.log", line))
    asked = "SELECT subdivision, name FROM {}subdivisions ORDER BY name"
    wanted = [{"subdivision": "ON", "name": "Ontario"}, {"subdivision": "QC", "name": "Quebec"}]
    assert ask(one, asked.format("")) == ask(two, asked.format("")) == wanted
    plain = plain_duckdb(address)
    plain.execute(f"ATTACH '{url}/tidegauge.duckdb' AS lake (READ_ONLY)")
    assert plain.sql(asked.format("lake.")).fetchall() == [("ON", "Ontario"), ("QC", "Quebec")]
    two.run("build")
    assert "nothing is off" in two.run("verify").err


def test_a_commit_names_the_locks_that_its_writer_held_and_no_others(
    url: str, folder: Site, tmp_path: Path
) -> None:
    """A lock that was given back is nobody's: another machine's work under it is not in vain."""
    raw, machine = raw_files(folder), Machine(tmp_path / "one", url)
    machine.ingest(raw[0])
    machine.run("build")
    machine.ingest(raw[1])
    under = [commit.under for commit in CommitLog(objects.open_objects(url)).read(0)]
    assert ("build", "commit") in under
    assert under[0] == under[-1] == ("commit",)


def test_plain_readers_find_the_same_tables(
    url: str, folder: Site, tmp_path: Path, address: str
) -> None:
    """By glob, by the views that lie beside, and by another library, from elsewhere."""
    import pyarrow.fs as pafs

    raw, machine = raw_files(folder), Machine(tmp_path / "one", url)
    for site in (folder, machine):
        site.ingest(*raw)
        site.run("build")
    wanted = ask(folder, "SELECT day, country, sessions FROM daily ORDER BY ALL")
    plain = plain_duckdb(address)
    asked = "SELECT day::VARCHAR AS day, country, sessions FROM {} ORDER BY ALL"
    by_glob = f"read_parquet('{url}/daily/**/*.parquet', hive_partitioning = true)"
    plain.execute(f"ATTACH '{url}/tidegauge.duckdb' AS lake (READ_ONLY)")
    for rows in (by_glob, "lake.daily"):
        assert plain.sql(asked.format(rows)).fetchall() == [tuple(row.values()) for row in wanted]
    (hits,) = ask(folder, "SELECT count(*) AS n FROM hits")
    assert plain.sql("SELECT count(*) FROM lake.hits").fetchall() == [(hits["n"],)]
    assert plain.sql("SELECT count(*) FROM lake.files").fetchall() == [(len(raw),)]
    assert plain.sql("SELECT timezone FROM lake.site").fetchall() == [("America/Toronto",)]
    store = pafs.S3FileSystem(
        endpoint_override=address.removeprefix("http://"), scheme="http", region="us-east-1",
        access_key="reader", secret_key=PASSWORD,
    )  # fmt: skip
    daily = ds.dataset(f"{url.removeprefix('s3://')}/daily", filesystem=store, partitioning="hive")
    assert daily.count_rows() == len(wanted)
    views = client(address).get_object(
        Bucket=BUCKET, Key=f"{url.removeprefix(f's3://{BUCKET}/')}/tidegauge.duckdb"
    )
    assert str(tmp_path).encode() not in views["Body"].read()  # nothing of this machine's paths


def test_every_command_that_changes_a_lake_changes_it_there_alike(
    url: str, folder: Site, tmp_path: Path
) -> None:
    raw, machine = raw_files(folder), Machine(tmp_path / "one", url)
    both = (folder, machine)
    grown = SERVERS["web01-access.log"] + make_line("08/Nov/2016:11:00:00 -0500")
    steps: list[tuple[str, ...]] = [
        ("ingest", "--no-geo", *map(str, raw)),
        ("build",),
        ("ingest", "--no-geo", str(folder.write("later/web01-access.log", grown))),
        ("build",),
        ("forget", "web02-access.log"),
        ("build",),
        ("ingest", "--no-geo", str(raw[1])),
        ("build", "--also", "definitions"),
        ("run", "--from", "2016-11-05", "--to", "2016-11-09", "--raw", str(folder.folder / "raw")),
        ("retention", "--delete", "--max-days", "30"),
        ("build",),
    ]
    for step in steps:
        env = {"TIDEGAUGE_HITS_KEPT_DAYS": "3" if step[0] == "retention" else None}
        codes = [site.run(*step, code=None, env=env).code for site in both]
        assert codes[0] == codes[1] == 0, step
        assert machine.hashes() == folder.hashes(), step
    other = Machine(tmp_path / "other", url)
    assert ask(other, "FROM daily ORDER BY ALL") == ask(folder, "FROM daily ORDER BY ALL")
    assert "nothing is off" in other.run("verify").err


def test_what_no_commit_needs_is_collected_and_nothing_else(
    url: str, folder: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Machines whose copies are older than the log's rest, and new ones, go on as before."""
    monkeypatch.setattr(bucket, "CHECKPOINT_EACH", 2)
    raw, machine = raw_files(folder), Machine(tmp_path / "one", url)
    old = Machine(tmp_path / "old", url)
    folder.ingest(*raw)
    folder.run("build")
    old.ingest(raw[0])
    machine.ingest(*raw[:2])
    machine.run("build")
    for site in (machine, folder):
        site.run("forget", "web02-access.log")
        old.run("status")  # it knows commits by then of which it does not know that all is in place
        site.ingest(*raw)
        site.run("build")
    assert "no commit needs" not in machine.run("retention").err  # all is young
    monkeypatch.setattr(garbage, "KEPT_SECONDS", -1.0)
    before = hashes_in_store(url)
    assert "would go, too" in machine.run("retention").err
    assert "no commit needs any more: deleted" in machine.run("retention", "--delete").err
    assert "no commit needs" not in machine.run("retention").err
    assert hashes_in_store(url) == before
    assert machine.hashes() == folder.hashes()
    places = [one.place for one in objects.open_objects(url).list("")]
    assert not [place for place in places if place.startswith("staged/")]
    known = {*read_log(url), "tidegauge.duckdb"}
    strays = [p for p in places if p not in known and not p.startswith("ledger/")]
    assert not strays
    for site in (old, Machine(tmp_path / "new", url)):
        assert "nothing is off" in site.run("verify").err
        site.ingest(site.write("web09.log", make_line()))
        site.run("build")
    assert "nothing is off" in machine.run("verify").err


def test_a_copy_keeps_what_is_asked_for(
    url: str, folder: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hits that nobody asked for in days are left to the store; a question brings its own days."""
    raw, machine = raw_files(folder), Machine(tmp_path / "one", url)
    for site in (folder, machine):
        site.ingest(*raw)
        site.run("build")
    monkeypatch.setattr(copied, "_SPARED_EACH", -1)
    hits = sorted((machine.lake / "hits").rglob("*.parquet"))
    assert not any(map(is_stand_in, hits))
    days = 86_400.0
    for path in hits:
        os.utime(path, (time.time() - 4 * days,) * 2)
    count = "SELECT count(*) AS n, sum(line_no) AS sum FROM hits"
    asked = f"{count} WHERE day = '2016-11-06'"
    assert machine.run("sql", asked).out == folder.run("sql", asked).out
    is_here = {path.parent.name for path in hits if not is_stand_in(path)}
    assert is_here == {"day=2016-11-05", "day=2016-11-06"}  # the first one tells the columns
    used = [path for path in hits if not is_stand_in(path)]
    for path in used:
        os.utime(path, (time.time() - 2 * days,) * 2)
    machine.run("sql", asked)  # says that it is used
    assert all(time.time() - path.stat().st_mtime < days for path in used)
    assert machine.run("sql", count).out == folder.run("sql", count).out
    within = f"{count} WHERE ts >= '2016-11-06' AND ts < '2016-11-07 05:00'"
    for path in hits:
        os.utime(path, (time.time() - 4 * days,) * 2)
    assert machine.run("sql", within).out == folder.run("sql", within).out
    assert "nothing is off" in machine.run("verify").err


def test_verify_finds_what_is_off_in_the_store(url: str, folder: Site, tmp_path: Path) -> None:
    raw, machine = raw_files(folder), Machine(tmp_path / "one", url)
    machine.ingest(*raw)
    machine.run("build")
    store = objects.open_objects(url)
    days = sorted(place for place in read_log(url) if place.startswith("daily/"))
    store.put(days[0], b"other bytes")
    store.delete(days[1])
    store.put("daily/day=1999-01-01/part.parquet", b"nobody's")
    found = machine.run("verify", code=1).out
    for place in (*days[:2], "daily/day=1999-01-01/part.parquet"):
        assert place.split("/")[1] in found, place
    other = Machine(tmp_path / "other", url)  # of one day the bytes are nowhere else any more
    store.delete(read_log(url)[days[1]].object)
    other.run("status")
    assert days[1].split("/")[1] in other.run("verify", code=1).out


def test_what_a_machine_left_that_stood_still_before_its_copy_is_put_right(
    url: str, tmp_path: Path
) -> None:
    """It looked, the same bytes as before came there again, it copied older ones, and was killed.

    The entity tag that it looked for was there, so nothing kept it from copying.
    """
    machine, store = Machine(tmp_path / "one", url), objects.open_objects(url)
    first = machine.write("web01.log", make_line())
    later = machine.write("web02.log", make_line(client="192.0.2.9"))
    states = []
    for args in (("ingest", "--no-geo", first), ("ingest", "--no-geo", later), ("forget", later)):
        machine.run(*args)
        machine.run("build")
        states.append(read_log(url)[DAILY])
    assert states[0].etag == states[2].etag != states[1].etag
    store.copy(states[1].object, DAILY, states[1].commit, states[2].etag)
    said = machine.run("verify", code=1).out
    assert "older ones; `tidegauge retention --delete` puts the newer ones there" in said
    machine.run("retention", "--delete")
    assert hashes_in_store(url)[DAILY] == states[2].sha256
    assert "nothing is off" in machine.run("verify").err


def test_what_is_off_in_a_copy_is_fetched_anew(url: str, folder: Site, tmp_path: Path) -> None:
    """It is nothing but a copy: verify mends it, and one that knows not what it is begins anew."""
    raw, machine = raw_files(folder), Machine(tmp_path / "one", url)
    machine.ingest(*raw)
    machine.run("build")
    wanted = machine.run("daily").out
    shutil.rmtree(machine.lake)
    machine.run("status")
    days = sorted((machine.lake / "daily").glob("*/*.parquet"))
    days[0].write_bytes(days[0].read_bytes()[:-9])
    done = machine.run("sql", "FROM daily", code=2)
    assert f"lake {url} (this machine's copy of it, {machine.lake}) is damaged" in done.err
    days[1].unlink()
    (machine.lake / "daily" / "day=1999-01-01").mkdir()
    shutil.copy(days[2], machine.lake / "daily" / "day=1999-01-01")
    stand_in = next(p for p in sorted((machine.lake / "hits").rglob("*.parquet")) if is_stand_in(p))
    text = stand_in.read_bytes()
    stand_in.write_bytes(b"{}" + text[2:])
    done = machine.run("sql", "SELECT count(*) FROM hits", code=2)
    assert (
        f"{stand_in}, of this machine's copy of a lake, is damaged: `tidegauge verify`" in done.err
    )
    assert "nothing is off" in machine.run("verify").err
    assert machine.run("daily").out == wanted
    days[0].write_bytes(b"")
    state = machine.lake / ".bucket.json"
    for text in (state.read_bytes().replace(b"head", b"hand"), b"\xff", b"[]"):
        state.write_bytes(text)
        assert machine.run("daily").out == wanted


def test_a_lake_that_was_made_anew_is_not_taken_for_the_one_before(
    url: str, folder: Site, tmp_path: Path
) -> None:
    """Nor one brought back from a copy of the bucket: whose log is another's is begun anew."""
    raw = raw_files(folder)
    one, two = (Machine(tmp_path / name, url) for name in ("one", "two"))
    one.ingest(*raw)
    one.run("build")
    store = objects.open_objects(url)
    for thing in list(store.list("")):
        store.delete(thing.place)
    bucket._open.cache_clear()  # as in processes of their own
    assert f"no lake at {url}" in one.run("status", code=2).err
    two.ingest(raw[1])
    two.run("build")
    folder.ingest(raw[1])
    folder.run("build")
    bucket._open.cache_clear()
    assert ask(one, "FROM daily ORDER BY ALL") == ask(folder, "FROM daily ORDER BY ALL")
    one.ingest(raw[0])
    one.run("build")
    folder.ingest(raw[0])
    folder.run("build")
    assert one.hashes() == two.hashes() == folder.hashes()
    assert "nothing is off" in two.run("verify").err


def test_what_lies_beside_and_below_is_not_the_lakes(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other lakes in it, lakes whose names begin with its name, other objects, empty folders."""
    make_bucket("outer")
    sites = [
        Machine(tmp_path / str(number), url)
        for number, url in enumerate(("s3://outer", "s3://outer/site", "s3://outer/site2"))
    ]
    store = client(address)
    for place in ("", "site/", "ledger/commits/", "site/ledger/commits/", "site/daily/"):
        if place:
            store.put_object(Bucket="outer", Key=place, Body=b"")
        store.put_object(Bucket="outer", Key=f"{place}notes.txt", Body=b"mine")
    for number, site in enumerate(sites):
        site.ingest(*(site.write(f"web{n}.log", make_line()) for n in range(number + 1)))
        site.run("build")
    monkeypatch.setattr(garbage, "KEPT_SECONDS", -1.0)
    before = [hashes_in_store(site.url) for site in sites]
    for site in sites:
        site.run("retention", "--delete")
    assert [hashes_in_store(site.url) for site in sites] == before
    found = sites[1].run("verify", code=1).out
    assert "daily/notes.txt" in found
    for place in ("", "site/", "site/daily/"):
        store.delete_object(Bucket="outer", Key=f"{place}notes.txt")
    for site in sites:
        assert "nothing is off" in site.run("verify").err


def test_keys_that_may_only_read_read(
    url: str, folder: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw, machine = raw_files(folder), Machine(tmp_path / "one", url)
    machine.ingest(*raw)
    machine.run("build")
    before = hashes_in_store(url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "looker")
    objects._open.cache_clear()  # a client has its keys
    looker = Machine(tmp_path / "looker", url)
    for words in (
        "status", "daily", "report", "retention", "figure --country all --day 2016-11-06",
        "sql SELECT/**/count(*)FROM/**/hits", "erase --client 192.0.2.1",
    ):  # fmt: skip
        done, wanted = looker.run(*words.split()), machine.run(*words.split())
        assert (done.out, done.err) == (wanted.out, wanted.err), words
    assert "nothing is off" in looker.run("verify").err
    for args in (("ingest", "--no-geo", *raw), ("build",), ("forget", "web02-access.log")):
        assert "the store refuses these keys here" in looker.run(*args, code=2).err
    assert hashes_in_store(url) == before


REFUSED = {
    "no bucket": ("s3://there-is-none/x", {}, "there is no such bucket"),
    "another key": (None, {"AWS_ACCESS_KEY_ID": "nobody"}, "does not know the key"),
    "another secret": (None, {"AWS_SECRET_ACCESS_KEY": "wrong"}, "does not take the secret"),
    "no keys": (
        None, {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "no keys are set",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_store_that_refuses_is_one_sentence(
    case: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, keys, said = REFUSED[case]
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    machine = Machine(tmp_path / "one", place or f"{url}-{len(case)}")
    done = machine.run("ingest", "--no-geo", machine.write("web01.log", make_line()), code=2)
    assert said in done.err
    assert "Traceback" not in done.err
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in done.err


def test_a_store_out_of_reach_is_one_sentence(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    machine = Machine(tmp_path / "one", f"{url}-away")
    done = machine.run("status", code=2)
    assert "can't be reached" in done.err
    assert "AWS_ENDPOINT_URL" in done.err


def test_another_sites_lake_and_a_later_versions_are_refused(url: str, tmp_path: Path) -> None:
    machine = Machine(tmp_path / "one", url)
    raw = machine.write("web01.log", make_line())
    machine.ingest(raw)
    before = hashes_in_store(url)
    zone: dict[str, str | None] = {"TIDEGAUGE_TIMEZONE": "UTC"}
    other = Machine(tmp_path / "other", url)
    done = other.run("ingest", "--no-geo", raw, code=2, env=zone)
    assert "was made for time zone America/Toronto, not UTC" in done.err
    assert url in done.err
    assert hashes_in_store(url) == before
    store = objects.open_objects(url)
    store.put("ledger/commits/00000099.json", b'{"version": 99}')
    number = len(list(store.list("ledger/commits/")))
    store.put(f"ledger/commits/{number:08d}.json", b'{"version": 99}')
    store.delete("ledger/commits/00000099.json")
    assert "a later version of Tidegauge" in other.run("status", code=2).err


def test_a_store_without_conditions_is_refused(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two writers could lose each other's changes there: nothing is left of the attempt."""
    call = objects.Objects._call

    def without_conditions(self: objects.Objects, operation: str, **arguments: Any) -> Any:
        plain = {n: v for n, v in arguments.items() if n not in {"IfMatch", "IfNoneMatch"}}
        return call(self, operation, **plain)

    machine = Machine(tmp_path / "one", f"{url}-careless")
    raw = machine.write("web01.log", make_line())
    with monkeypatch.context() as patch:
        patch.setattr(objects.Objects, "_call", without_conditions)
        done = machine.run("ingest", "--no-geo", raw, code=2)
    assert "does not keep conditions (If-None-Match, If-Match)" in done.err
    assert not list(objects.open_objects(machine.url).list(""))
    machine.ingest(raw)


def test_a_clock_that_is_a_day_off_matters_to_no_machine(
    url: str, folder: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither for locks, nor for what is collected: only the store's clock counts, if any."""
    raw = raw_files(folder)
    folder.ingest(*raw)
    folder.run("build")
    one, two = (Machine(tmp_path / name, url) for name in ("one", "two"))
    now = time.time
    for days, machine in ((1, one), (-1, two), (1, one)):
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda days=days: now() + days * 86400)
            machine.ingest(*raw)
            machine.run("build")
            assert "no commit needs" not in machine.run("retention", "--delete").err
    assert two.hashes() == folder.hashes()
    assert "nothing is off" in two.run("verify").err


def test_no_lake_there_is_said(url: str, tmp_path: Path) -> None:
    done = Machine(tmp_path / "one", url).run("status", code=2)
    assert f"no lake at {url}: `tidegauge ingest` makes one" in done.err
