"""The simulated raw logs, read back by a plain reading of docs/definitions.md."""

import gzip
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import maxminddb
import numpy as np
import pytest

from pipeline.demo.storm.address_pool import find_database
from pipeline.demo.storm.agents import CUT, EMPTY, ROBOTS
from pipeline.demo.storm.assumed import FLOOD_DAY, FLOOD_PAGE
from pipeline.demo.storm.cells import scaled_days
from pipeline.demo.storm.damage import KINDS, break_line
from pipeline.demo.storm.simulate import simulate, write_file

pytestmark = pytest.mark.large

SCALE = 0.002
SEED = 7
TORONTO = ZoneInfo("America/Toronto")
HIT = re.compile(
    rb'([^ "]+) [^ ]+ [^ ]+ \[(\d\d/[A-Z][a-z]{2}/\d{4}(?::\d\d){3} [+-]\d{4})\]'
    rb' "([^"]*)" (\d{3}) (\d+|-) "([^"]*)(?:"(?: "([^"]*)"?)?)?'
)
ASSET = re.compile(r".*\.(?:css|js|png|jpg|svg|ico|woff2)|/robots\.txt")


@dataclass(frozen=True)
class Hit:
    """A hit as read from a file."""

    file: str
    client: str
    at: datetime
    offset: str
    request: str
    status: int
    agent: str | None

    @property
    def is_robot(self) -> bool:
        """Whether the simulator meant a robot."""
        return self.agent in {*ROBOTS, *EMPTY}

    @property
    def is_asset(self) -> bool:
        """Whether the request is for an asset, as far as the simulator has such."""
        words = self.request.split(" ")
        return len(words) == 3 and bool(ASSET.fullmatch(words[1].partition("?")[0].lower()))


def read_hits(path: Path) -> tuple[list[Hit], list[bytes]]:
    """Read a file into hits and the lines that are none."""
    hits, others = [], []
    for line in gzip.decompress(path.read_bytes()).split(b"\n")[:-1]:
        match = HIT.match(line)
        if match is None:
            others.append(line)
            continue
        client, time, request, status, _, _, agent = match.groups()
        at = datetime.strptime(time.decode(), "%d/%b/%Y:%H:%M:%S %z")
        hits.append(
            Hit(
                file=path.name,
                client=client.decode(),
                at=at,
                offset=time[-5:].decode(),
                request=request.decode(),
                status=int(status),
                agent=None if agent is None else agent.decode(),
            )
        )
    return hits, others


@dataclass(frozen=True)
class Logs:
    """All files of one simulation, read back."""

    files: dict[str, list[Hit]]
    broken: list[bytes]
    sessions: list[list[Hit]]

    @property
    def hits(self) -> list[Hit]:
        """All hits in the order of files and lines."""
        return [hit for hits in self.files.values() for hit in hits]


@pytest.fixture(scope="module")
def logs(tmp_path_factory) -> Logs:
    out = tmp_path_factory.mktemp("raw")
    files, broken = {}, []
    for path in simulate(out, SCALE, SEED):
        files[path.name], others = read_hits(path)
        broken += others
    return Logs(files, broken, find_sessions(files))


def find_sessions(files: dict[str, list[Hit]]) -> list[list[Hit]]:
    """Sessions by definition: hits of one client and agent, no robot's, no assets, 30 minutes."""
    visitors = defaultdict(list)
    for hits in files.values():
        for hit in hits:
            if not hit.is_robot and not hit.is_asset:
                visitors[hit.client, hit.agent or ""].append(hit)
    sessions = []
    for hits in visitors.values():
        hits.sort(key=lambda hit: hit.at)
        for index, hit in enumerate(hits):
            if index == 0 or hit.at - hits[index - 1].at > timedelta(minutes=30):
                sessions.append([])
            sessions[-1].append(hit)
    return sessions


@pytest.fixture(scope="module")
def places(logs) -> dict[str, str]:
    """The country of every client of a session, by the database of the time."""
    clients = {session[0].client for session in logs.sessions}
    with maxminddb.open_database(str(find_database())) as database:
        records = {client: database.get(client) or {} for client in clients}
    return {
        client: record.get("country", {}).get("iso_code", "ZZ")
        for client, record in records.items()
    }


def test_sessions_per_day_and_country_are_the_scaled_cells(logs, places):
    counted = Counter()
    for session in logs.sessions:
        day = session[0].at.astimezone(TORONTO).date()
        counted[day, "all"] += 1
        counted[day, places[session[0].client]] += 1
    cells = scaled_days(SCALE)
    assert {key: counted[key] for key in cells} == cells
    assert {day for day, _ in counted} == {day for day, _ in cells}


def test_there_are_at_least_60_countries_namibia_and_unknown_ones(places):
    assert len(set(places.values())) >= 60
    assert {"NA", "ZZ", "CA", "IN", "GB", "FR", "PH", "CN"} <= set(places.values())


def test_web01_and_web02_hold_40_percent_of_the_us_sessions_of_8_november(logs, places):
    servers = Counter(
        session[0].file[:5]
        for session in logs.sessions
        if places[session[0].client] == "US"
        and session[0].at.astimezone(TORONTO).date() == date(2016, 11, 8)
    )
    assert (servers["web01"] + servers["web02"]) / servers.total() == pytest.approx(0.4, abs=0.01)


def test_all_lines_of_a_visitor_are_on_one_server(logs):
    servers = defaultdict(set)
    for hit in logs.hits:
        if not hit.is_robot:
            servers[hit.client, hit.agent].add(hit.file[:5])
    assert {len(names) for names in servers.values()} == {1}


def test_one_gz_a_server_and_day_with_about_three_lines_a_session(logs):
    days = [f"201611{day:02}" for day in range(1, 21)]
    assert list(logs.files) == [f"web0{n}-{day}.log.gz" for n in range(1, 6) for day in days]
    assert len(logs.hits) / len(logs.sessions) == pytest.approx(3.1, abs=0.3)


def test_files_hold_lines_of_both_neighbouring_days_but_none_outside_november_1_to_20(logs):
    shifts = Counter()
    for name, hits in logs.files.items():
        named = datetime.strptime(name[6:14], "%Y%m%d").date()  # noqa: DTZ007
        shifts.update((hit.at.date() - named).days for hit in hits)
    assert set(shifts) == {-1, 0, 1}
    days = {hit.at.astimezone(TORONTO).date() for hit in logs.hits}
    assert (min(days), max(days)) == (date(2016, 11, 1), date(2016, 11, 20))


def test_the_offset_changes_with_the_end_of_daylight_saving_time(logs):
    assert all(hit.offset == hit.at.astimezone(TORONTO).strftime("%z") for hit in logs.hits)
    repeated = {hit.offset for hit in logs.hits if (hit.at.day, hit.at.hour) == (6, 1)}
    assert repeated == {"-0400", "-0500"}


def test_visitors_return_with_gaps_on_both_sides_of_30_minutes(logs):
    inside = Counter(
        (after.at - before.at).seconds
        for session in logs.sessions
        for before, after in pairwise(session)
    )
    assert inside[1799] > 0
    assert inside[1800] > 0
    ends = {(session[-1].client, session[-1].agent, session[-1].at) for session in logs.sessions}
    second = timedelta(seconds=1801)
    again = [s for s in logs.sessions if (s[0].client, s[0].agent, s[0].at - second) in ends]
    assert again


def test_assets_lie_between_two_sessions_without_joining_them(logs):
    spans = defaultdict(list)
    for session in logs.sessions:
        spans[session[0].client, session[0].agent].append((session[0].at, session[-1].at))
    alone = [
        hit
        for hit in logs.hits
        if hit.is_asset
        and not hit.is_robot
        and any(
            end + timedelta(minutes=10) < hit.at < end + timedelta(minutes=20)
            for _, end in spans[hit.client, hit.agent]
        )
    ]
    assert alone


def test_sessions_cross_midnight_into_the_next_file(logs):
    crossing = [s for s in logs.sessions if s[0].at.date() < s[-1].at.date()]
    assert crossing
    assert any(len({hit.file for hit in session}) == 2 for session in crossing)


def test_times_step_back_within_a_file_by_a_few_seconds_only(logs):
    back = {
        (before.at - after.at).total_seconds()
        for hits in logs.files.values()
        for before, after in pairwise(hits)
        if before.at > after.at
    }
    assert back
    assert max(back) <= 6


def test_the_site_is_down_late_on_8_november_and_unsteady_on_the_9th(logs):
    def failed(begin: datetime, end: datetime) -> float:
        hits = [hit.status >= 500 for hit in logs.hits if begin <= hit.at < end]
        return sum(hits) / len(hits)

    night = datetime(2016, 11, 8, 22, tzinfo=TORONTO)
    day = timedelta(days=1)
    assert failed(night - day, night - day / 4) < 0.01
    assert failed(night + day / 48, night + day / 12) > 0.5
    assert 0.02 < failed(night + day / 4, night + day) < 0.15


def test_not_a_tame_sample(logs):
    agents = Counter(hit.agent for hit in logs.hits)
    statuses = Counter(hit.status for hit in logs.hits)
    assert 0.05 < sum(agents[robot] for robot in ROBOTS) / len(logs.hits) < 0.2
    assert agents["-"] > 0
    assert agents[""] > 0
    assert sum(agents[cut] for cut in (None, *CUT)) > 0  # cut off in the agent, or before it
    assert len(agents) > 2000
    assert {200, 301, 302, 304, 400, 403, 404, 500, 502, 503, 504} == set(statuses)
    assert any(hit.is_asset for hit in logs.hits)
    assert any(hit.request.startswith("POST ") for hit in logs.hits)
    assert any(hit.request.startswith(r"\x16\x03\x01") for hit in logs.hits)


def test_scanners_without_a_robots_name_are_sessions_of_many_404(logs):
    scans = [
        session
        for session in logs.sessions
        if len(session) >= 12 and Counter(hit.status for hit in session)[404] > len(session) / 2
    ]
    assert scans


def test_clients_are_ipv4_and_ipv6_and_many_visitors_share_one(logs):
    agents = defaultdict(set)
    for session in logs.sessions:
        agents[session[0].client].add(session[0].agent)
    assert 0.005 < sum(":" in client for client in agents) / len(agents) < 0.1
    assert max(map(len, agents.values())) >= 8


def test_the_flood_is_of_one_network_and_loads_nothing(logs):
    """A hit a session, no referrer, many browsers; on one day."""
    page = f"GET {FLOOD_PAGE} HTTP/1.1"
    network = Counter(
        hit.client.rpartition(".")[0] for hit in logs.hits if hit.request == page
    ).most_common(1)[0][0]
    own = [hit for hit in logs.hits if hit.client.rpartition(".")[0] == network]
    flood = [hit for hit in own if hit.request == page]
    assert 8 <= len(flood) <= 24  # of 16 at this scale
    assert {hit.at.astimezone(TORONTO).date() for hit in flood} == {FLOOD_DAY}
    assert len({hit.agent for hit in flood}) > len(flood) / 2
    assert not any(hit.is_asset for hit in own if hit.client in {one.client for one in flood})


def test_visitors_come_back_on_other_days(logs):
    days = defaultdict(set)
    for session in logs.sessions:
        days[session[0].client, session[0].agent].add(session[0].at.astimezone(TORONTO).date())
    again = sum(len(own) > 1 for own in days.values())
    assert 0.01 < again / len(days) < 0.1


def test_a_few_lines_are_broken_in_every_way(logs):
    assert 200 <= len(logs.broken) < 400
    assert b"" in logs.broken
    assert any(line.startswith(b"\x16\x03\x01") for line in logs.broken)
    assert any(line.startswith(b"\xfe\xff") for line in logs.broken)
    assert any(re.search(rb'\] "GET /\w*$', line) for line in logs.broken)


@pytest.mark.parametrize("kind", range(KINDS))
def test_a_broken_line_is_never_a_hit_and_never_two_lines(kind):
    good = b'192.0.2.7 - - [08/Nov/2016:23:00:01 -0500] "GET / HTTP/1.1" 200 5 "-" "Mozilla/5.0"'
    assert HIT.match(good)
    for seed in range(50):
        line = break_line(good, kind, np.random.default_rng(seed))
        assert HIT.match(line) is None
        assert b"\n" not in line


def test_the_same_seed_gives_the_same_lines_in_any_number_of_processes(tmp_path):
    """How they are compressed is its library's: once it took fewer matches, of the same text."""
    done = []
    alone = simulate(tmp_path / "alone", 0.0002, 5, workers=1)
    both = simulate(tmp_path / "both", 0.0002, 5, lambda *now: done.append(now), workers=2)
    texts, others = (
        [gzip.decompress(path.read_bytes()) for path in paths] for paths in (alone, both)
    )
    assert texts == others
    assert len(done) == 100
    assert done[-1][0] == done[-1][1]
    assert [path.stat().st_mtime for path in alone] == [path.stat().st_mtime for path in both]


def test_a_file_has_the_time_it_arrived_at_and_three_of_election_day_are_two_days_late(tmp_path):
    """Within twenty minutes of the day's end; of the 8th, web03 to web05 on the 11th."""
    late = {f"web0{server}-20161108.log.gz" for server in (3, 4, 5)}
    for path in simulate(tmp_path, 0.0002, 5):
        day = datetime.strptime(path.name[6:14], "%Y%m%d").replace(tzinfo=TORONTO)
        ends = day + timedelta(days=3 if path.name in late else 1)
        minutes = (path.stat().st_mtime - ends.timestamp()) / 60
        assert -2 < minutes < 20, path.name


def test_another_seed_gives_other_bytes_and_a_file_needs_no_other(tmp_path, logs):
    same = write_file(tmp_path, SCALE, SEED, 2, 8)
    assert read_hits(same)[0] == logs.files["web03-20161109.log.gz"]
    before = same.read_bytes()
    assert write_file(tmp_path, SCALE, SEED + 1, 2, 8).read_bytes() != before
