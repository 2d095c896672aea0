"""Visitors: one spelling per address, a keyed hash of client and agent, and the local day."""

import hashlib
import hmac
import ipaddress
import os
import stat
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from unittest.mock import patch
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lake_fixtures import GOOD, Site

from pipeline.enrich.clients import canonical, canonical_clients
from pipeline.enrich.hits import day_start, local_days
from pipeline.enrich.visitors import VisitorKey, Visitors, load_key
from pipeline.errors import SettingsError
from pipeline.formats import numbers
from pipeline.settings import Settings

KEY = VisitorKey(b"a key of the tests")


def plainly(client: str) -> str:
    """Read the definition with the standard library: compressed, mapped as IPv4, else as is."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


WORDS = st.sampled_from(("0", "00", "0000", "00000", "1", "ffff", "FFFF", "abCD", "g", "", "12345"))
IPV6 = st.lists(WORDS, min_size=1, max_size=9).map(":".join)
CLIENTS = st.one_of(
    st.ip_addresses().map(str),
    st.ip_addresses(v=6).map(lambda address: address.exploded.upper()),
    st.ip_addresses(v=4).map(lambda address: f"::ffff:{address}"),
    st.ip_addresses(v=4).map(lambda address: f"::{address}"),
    st.ip_addresses(v=6).map(lambda address: f"{address}%eth0"),
    IPV6,
    IPV6.map(lambda text: f"{text}:192.0.2.1"),
    IPV6.map(lambda text: f"::{text}"),
    st.text("0123456789abcdefABCDEF:.%[]/ \0\u0661", max_size=20),
)


@settings(max_examples=500)
@given(client=CLIENTS)
@example("::ffff:0:192.0.2.1")
@example("::192.0.2.1")
@example("::1")
@example("::")
@example("fe80::1%")
@example("::ffff:192.0.2.1%1")
@example("1:2:3:4:5:6:7::")
@example("::2:3:4:5:6:7:8")
@example("1::3:4:5:6:7:8")
@example("2001:db8::192.0.2.01")
def test_canonical_is_the_standard_library_s_spelling(client: str) -> None:
    """One spelling per address; what is no address stays as written; twice is as once."""
    assert canonical(client) == plainly(client)
    assert canonical(canonical(client)) == canonical(client)


@given(clients=st.lists(CLIENTS, max_size=20))
def test_many_clients_are_spelt_as_one_by_one(clients: list[str]) -> None:
    """A column gives what its clients give, whether or not any changes."""
    assert canonical_clients(pa.array(clients, pa.string())).to_pylist() == [
        plainly(client) for client in clients
    ]


AGENTS = st.one_of(
    st.none(), st.sampled_from(("", "-", "a", "a\0b", "\u00e9")), st.text(max_size=9)
)
HITS = st.lists(st.tuples(st.sampled_from(("192.0.2.1", "::1", "h", "a\0", "")), AGENTS), min_size=1, max_size=30)  # noqa: E501  # fmt: skip


@given(hits=HITS, secret=st.binary(min_size=1, max_size=130))
@example(hits=[("a", None), ("a", "")], secret=b"k" * 64)
@example(hits=[("a", "b")], secret=b"k" * 65)
def test_visitor_is_the_hmac_of_client_and_agent(
    hits: list[tuple[str, str | None]], secret: bytes
) -> None:
    """The id is the first 64 bits of HMAC-SHA256, whatever the key's length; null is empty."""
    clients, agents = (pa.array(column, pa.string()).dictionary_encode() for column in zip(*hits, strict=True))  # noqa: E501  # fmt: skip
    visitors, forgetful = Visitors(VisitorKey(secret)), Visitors(VisitorKey(secret))
    ids = visitors.identify(clients, agents)
    expected = [
        hmac.digest(secret, f"{client}\0{agent or ''}".encode(), hashlib.sha256)[:8]
        for client, agent in hits
    ]
    assert ids.tolist() == [int.from_bytes(digest) for digest in expected]
    assert visitors.identify(clients[::-1], agents[::-1]).tolist() == ids[::-1].tolist()
    with patch.object(numbers, "_MOST_VALUES", 1):
        for row in range(len(hits)):
            one = slice(row, row + 1)
            assert forgetful.identify(clients[one], agents[one]).tolist() == ids[one].tolist()


def test_fingerprint_and_session_key_do_not_give_the_key_away() -> None:
    """Both come from the key by HMAC, differ from each other, and change with the key."""
    other = VisitorKey(b"another key of the tests")
    assert KEY.fingerprint == VisitorKey(KEY.secret).fingerprint != other.fingerprint
    assert KEY.session_key != other.session_key
    assert KEY.fingerprint not in KEY.session_key.hex()
    assert KEY.secret.hex() not in KEY.fingerprint + KEY.session_key.hex()


def settings_with(path: Path) -> Settings:
    return Settings.model_construct(visitor_key=None, visitor_key_file=path)


def test_key_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    """The first use makes a key of 256 bits with mode 0600; the second reads the same."""
    path = tmp_path / "deep" / "er" / "visitor.key"
    old = os.umask(0)
    try:
        key = load_key(settings_with(path))
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(bytes.fromhex(key.secret.decode())) == 32
    assert load_key(settings_with(path)) == key
    assert list(path.parent.iterdir()) == [path]
    assert load_key(settings_with(tmp_path / "other.key")) != key


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o601])
def test_key_file_that_others_may_read_is_refused(mode: int, tmp_path: Path) -> None:
    """A key file open to group or others is an error that names it and says what to do."""
    path = tmp_path / "visitor.key"
    path.write_text("k" * 64)
    path.chmod(mode)
    with pytest.raises(SettingsError, match=r"visitor_key_file.*visitor\.key.*chmod 600"):
        load_key(settings_with(path))


@pytest.mark.parametrize("content", ["", "\n", "short"])
def test_key_file_without_a_key_is_refused(content: str, tmp_path: Path) -> None:
    """An empty or short key file is an error, never a weak key."""
    path = tmp_path / "visitor.key"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(SettingsError, match="shorter than 16 bytes"):
        load_key(settings_with(path))


def test_neither_key_nor_address_is_in_the_lake(tmp_path: Path) -> None:
    """No file of the lake holds the key or a client's address."""
    site = Site(tmp_path)
    site.ingest(site.write("web.log", GOOD))
    site.run("build")
    key = site.environment()["TIDEGAUGE_VISITOR_KEY"].encode()
    stored = b"".join(p.read_bytes() for p in site.lake.rglob("*") if p.is_file())
    assert key not in stored
    assert b"192.0.2.1" not in stored
    assert [row["client"] for row in site.rows("hits")] == [None]


def days_plainly(seconds: list[int], zone: ZoneInfo) -> list[date]:
    return [datetime.fromtimestamp(second, zone).date() for second in seconds]


ZONES = (
    "America/Toronto", "America/St_Johns", "Asia/Kathmandu", "UTC", "Pacific/Apia",
    "Australia/Lord_Howe", "Pacific/Kiritimati", "America/Havana", "Asia/Gaza",
)  # fmt: skip


@given(
    seconds=st.lists(st.integers(-14 * 3600, 4_102_444_800 + 14 * 3600), min_size=1, max_size=50),
    zone=st.sampled_from(ZONES),
)
def test_day_is_the_local_date(seconds: list[int], zone: str) -> None:
    """The day of any instant of 1970 to 2099 is its date in the site's zone."""
    days = local_days(np.array(seconds, np.int64), ZoneInfo(zone))
    assert [date(1970, 1, 1) + timedelta(day) for day in days.tolist()] == days_plainly(
        seconds, ZoneInfo(zone)
    )


@pytest.mark.parametrize(
    ("zone", "around"),
    [
        ("America/St_Johns", "2006-10-29"),  # clocks went back one minute after midnight
        ("America/St_Johns", "2006-04-02"),
        ("America/St_Johns", "1988-04-03"),  # double daylight saving
        ("Asia/Kathmandu", "1986-01-01"),  # +05:30 became +05:45
        ("America/Toronto", "2016-11-06"),
        ("America/Toronto", "2016-03-13"),
        ("Pacific/Apia", "2011-12-30"),  # a day that was not
        ("Australia/Lord_Howe", "2016-04-03"),  # half an hour
        ("America/Havana", "2016-11-06"),  # midnight twice
        ("America/Sao_Paulo", "2016-10-16"),  # no midnight
    ],
)
def test_every_half_minute_around_a_change_falls_on_its_day(zone: str, around: str) -> None:
    """Around a change of clocks, each half minute of three days has the zone's own date."""
    start = int(datetime.fromisoformat(around).replace(tzinfo=UTC).timestamp()) - 86400
    seconds = list(range(start, start + 3 * 86400, 30))
    days = local_days(np.array(seconds, np.int64), ZoneInfo(zone))
    found = [date(1970, 1, 1) + timedelta(day) for day in days.tolist()]
    assert found == days_plainly(seconds, ZoneInfo(zone))


@pytest.mark.parametrize(
    ("day", "zone", "start"),
    [
        ("2016-11-06", "America/Toronto", "2016-11-06T04:00:00"),
        ("2016-11-07", "America/Toronto", "2016-11-07T05:00:00"),
        ("2006-10-29", "America/St_Johns", "2006-10-29T02:30:00"),
        ("2016-11-08", "Asia/Kathmandu", "2016-11-07T18:15:00"),
        ("2016-11-08", "UTC", "2016-11-08T00:00:00"),
    ],
)
def test_day_starts_at_local_midnight(day: str, zone: str, start: str) -> None:
    """A day's start is the instant of its midnight in the zone."""
    wanted = datetime.fromisoformat(start).replace(tzinfo=UTC)
    assert day_start(date.fromisoformat(day), ZoneInfo(zone)) == wanted
