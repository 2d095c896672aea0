"""What is kept of addresses: nothing, networks, or all; in hits, in rejected lines, in the lake."""

import ipaddress
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lake_fixtures import Site, make_line

from pipeline.definitions import MAX_LINE_BYTES
from pipeline.enrich.privacy import hide_addresses, kept_clients, truncate
from pipeline.setting_values import Addresses

IPV4 = st.ip_addresses(v=4).map(str)
IPV6 = st.ip_addresses(v=6)
# Short groups and zeros, as random addresses hardly ever have.
GROUPS = st.lists(st.sampled_from(("0", "1", "ab", "FFFF", "")), min_size=2, max_size=9)
SPELLINGS = st.one_of(
    IPV4,
    IPV4.map(lambda text: f"{text}:443"),
    IPV4.map(lambda text: f"::ffff:{text}"),
    IPV4.map(lambda text: f"64:ff9b::{text}"),
    IPV4.map(lambda text: f"1:2:3:4:5:6:{text}"),
    IPV4.map(lambda text: f"ip-{text.replace('.', '-')}.example.net"),
    IPV6.map(str),
    IPV6.map(lambda address: address.exploded.upper()),
    IPV6.map(lambda address: f"[{address}]:8080"),
    IPV6.map(lambda address: f"{address}%eth0"),
    IPV6.map(lambda address: str(address).replace(":", "%3A")),
    GROUPS.map(":".join),
    st.sampled_from(("::", "::1", "1::", "10.0.0.1", "0.0.0.0", "255.255.255.255", "1.2.3.4.5")),  # noqa: S104
)
AROUND = st.one_of(
    st.sampled_from(
        (" ", ", ", ":", ".", "%", "-", "/", "[", "]", '"', "x", "a", "9", "\\xfe", "\0")
    ),
    st.text("0123456789abcdefABCDEF:.%-_ x\0", max_size=12),
    st.text(max_size=4),
)
LINES = st.lists(st.one_of(SPELLINGS, AROUND), max_size=6).map("".join)


def addresses_in(text: str) -> Iterator[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Every address that any part of a text is, by the standard library."""
    for start in range(len(text)):
        for end in range(start + 2, min(len(text), start + 45) + 1):
            part = text[start:end]
            if "." in part or ":" in part:
                try:
                    yield ipaddress.ip_address(part)
                except ValueError:
                    continue


@pytest.mark.large
@settings(max_examples=200)
@given(line=LINES, is_head=st.booleans())
@example(line="203.0.113.9::1", is_head=False)
@example(line="1.2.3.4567.8.9.10", is_head=False)
@example(line="1:22222::3", is_head=False)
@example(line="99991.2.3.42", is_head=False)
@example(line="1:2:3:4:5:6:7:8", is_head=False)
@example(line="%3A%3A1", is_head=False)
def test_no_part_of_a_hidden_line_is_an_address(line: str, *, is_head: bool) -> None:
    hidden = hide_addresses(line, Addresses.none, is_head=is_head)
    assert not list(addresses_in(hidden.replace("%3A", ":").replace("%3a", ":")))
    assert not list(addresses_in(hidden.replace("\0", "")))
    assert hide_addresses(hidden, Addresses.none, is_head=is_head) == hidden


@pytest.mark.large
@settings(max_examples=200)
@given(line=LINES)
@example("::ffff:203.0.113.9")
@example("5.::ffff:203.0.113.9")
@example("2001:db8::203.0.113.9%eth0")
@example("1.2.3.2551")
@example("0.0.0.0::ffff:0.0.1.0")
@example("64:ff9b::0.0.0.0A_")
@example(" ::ffff:0.0.0.11:2:3:4:5:6:0.0.0.0")
@example("203.0.113.9:443")
def test_truncated_every_address_left_is_a_network(line: str) -> None:
    for found in addresses_in(hide_addresses(line, Addresses.truncated)):
        assert int(found) % (1 << (8 if found.version == 4 else 80)) == 0, found


@given(line=LINES)
def test_a_mask_is_as_long_as_what_it_hides_and_full_hides_nothing(line: str) -> None:
    line = line.replace("\0", "")
    assert len(hide_addresses(line, Addresses.none)) == len(line)
    assert hide_addresses(line, Addresses.full) == line


@given(
    at=st.datetimes(datetime(1970, 1, 1), datetime(2099, 1, 1)),  # noqa: DTZ001 a time zone is added
    agent=st.sampled_from(("Firefox/49.0", "Chrome/54.0.2840.71", "curl/7.50.1", "-")),
)
def test_times_and_versions_stay_readable(at: datetime, agent: str) -> None:
    """Times of servers, ISO times, network cards, browser versions with a group of four digits."""
    stamp = at.replace(tzinfo=UTC)
    rest = (
        f' - - [{stamp:%d/%b/%Y:%H:%M:%S %z}] "GET /a HTTP/1.1" x 5 "http://a.example:80/"'
        f' "{agent}" {stamp:%Y-%m-%dT%H:%M:%S} {stamp:%Y-%m-%d-%H-%M-%S} 00:1b:44:11:3a:b7 '
    )
    assert hide_addresses("203.0.113.9" + rest, Addresses.none) == "x.x.x.xxxxx" + rest


@pytest.mark.parametrize(
    ("line", "masked", "truncated"),
    [
        ("a 203.0.113.9, 10.0.0.1 b", "a x.x.x.xxxxx, x.x.x.xx b", "a 203.0.113.0, 10.0.0.0 b"),
        ("[2001:DB8:1:2::3]:443 b", "[x:xxxxxxxxxxxxx]:443 b", "[2001:db8:1::]:443 b"),
        ("\\x00203.000.113.009 b", "\\x00x.x.x.xxxxxxxxx b", "\\x00x.x.x.xxxxxxxxx b"),
        ("fe80::1%eth0 b", "x:xxxxx%eth0 b", "fe80::%eth0 b"),
        ("ip=2001%3adb8%3A%3A1&", "ip=x:xxxxxxxxxxxxxxx&", "ip=x:xxxxxxxxxxxxxxx&"),
        ("ip=203%2e0%2E113%2E9&", "ip=x.x.x.xxxxxxxxxxx&", "ip=x.x.x.xxxxxxxxxxx&"),
        ("ec2-203-0-113-9.example b", "ec2-x-x-x-xxxxx.example b", "ec2-x-x-x-xxxxx.example b"),
        ("v 1.2.3.4.5 b", "v x.x.x.xxx b", "v x.x.x.xxx b"),
        ("2\x000\x003\x00.\x000\x00.\x001\x00.\x009\x00 \0b\0", "x.x.x.xxx b", "203.0.1.0 b"),
    ],
)  # fmt: skip
def test_addresses_are_hidden_as_follows(line: str, masked: str, truncated: str) -> None:
    assert hide_addresses(line, Addresses.none) == masked
    assert hide_addresses(line, Addresses.truncated) == truncated


def encode(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def put_separator(one: str, text: str) -> str:
    return text.replace(".", one)


DISGUISES: dict[str, Callable[[str], str]] = {
    **{f"separator {one}": partial(put_separator, one) for one in ",;|/_-~"},
    "defanged": lambda text: text.replace(".", "[.]"),
    "spelt out": lambda text: text.replace(".", "(dot)"),
    "encoded": encode,
    "encoded twice": lambda text: encode(encode(text)),
    "its dots encoded twice": lambda text: text.replace(".", "%252e"),
    "half encoded": lambda text: encode(text[:3]) + text[3:],
    "encoded as Unicode": lambda text: text.replace(".", "%u002E"),
    "entities": lambda text: "".join(f"&#{ord(one)};" for one in text),
    "entities in hexadecimal": lambda text: "".join(f"&#x{ord(one):X};" for one in text),
    "a named entity": lambda text: text.replace(".", "&period;"),
    "an entity's entity": lambda text: text.replace(".", "&amp;#46;"),
    "octal": lambda text: ".".join(f"0{int(one):o}" for one in text.split(".")),
    "octal of four digits": lambda text: ".".join(f"{int(one):04o}" for one in text.split(".")),
    "hexadecimal": lambda text: ".".join(f"0x{int(one):x}" for one in text.split(".")),
    "octal escapes": lambda text: text.replace(".", "\\056"),
    "a server's escapes": lambda text: "".join(f"\\x{ord(one):02x}" for one in text),
    "JSON's escapes": lambda text: text.replace(".", "\\u002e"),
    "full width": lambda text: "".join(chr(ord(one) + 0xFEE0) for one in text),
    "full width, encoded": lambda text: encode("".join(chr(ord(one) + 0xFEE0) for one in text)),
    "ideographic stops": lambda text: text.replace(".", "\u3002"),
    "Arabic digits": lambda text: "".join(
        chr(ord(one) + 0x630) if one.isdigit() else one for one in text
    ),
    "an invisible character": lambda text: text.replace(".", ".\u200b"),
}


@pytest.mark.parametrize("name", DISGUISES)
@given(
    address=IPV4,
    before=st.sampled_from(["", "ip=", "2016-11-08-", "20161108_", "08-11-2016-", "at 23:04:05 "]),
)
@example(address="203.0.113.9", before="")
@example(address="203.0.113.9", before="20161108_")
@settings(max_examples=40)
def test_a_disguised_address_is_hidden(name: str, before: str, address: str) -> None:
    """All of it, and only it; also behind a date."""
    disguised = DISGUISES[name](address)
    for kept in (Addresses.none, Addresses.truncated):
        hidden = hide_addresses(f"{before}{disguised} behind", kept)
        mask = hidden.removeprefix(before).removesuffix(" behind")
        assert len(mask) == len(disguised)
        assert not set(mask) - set("x" + mask[1]), hidden
        assert hide_addresses(hidden, kept) == hidden


@pytest.mark.parametrize("text", ["2001:db8::9", "2001:db8:1:2:3:4:5:6", "::ffff:203.0.113.9"])
@pytest.mark.parametrize("name", ["encoded", "encoded twice", "entities", "full width"])
def test_a_disguised_address_of_version_6_is_hidden(name: str, text: str) -> None:
    hidden = hide_addresses(f"a {DISGUISES[name](text)} b", Addresses.none)
    assert not set(hidden[2:-2]) - set("x:.")


def test_what_stands_in_logs_besides_addresses_stays_readable() -> None:
    """Timers of HAProxy, codes of IIS, milliseconds, dates with times, paths of more parts."""
    line = "10/0/30/69/109 200 0 0 46 23:04:05:123 2016-11-08-23-04-05 /a/1/2/3 %20%3A 1,2,3 &#38;"
    assert hide_addresses(line, Addresses.none) == line


def test_the_rest_of_an_address_that_was_cut_off_is_hidden() -> None:
    """As the only text of a line, at the end of a line that is too long, or of three octets."""
    none = Addresses.none
    assert hide_addresses("203.0.11", none) == "xxxxxxxx"
    assert hide_addresses("2001:db8:1:2", none) == "xxxxxxxxxxxx"
    assert hide_addresses('a "GET /203.0', none, is_head=True) == 'a "GET /xxxxx'
    assert hide_addresses('a "GET /203.0.113', none) == 'a "GET /xxxxxxxxx'
    assert hide_addresses("a [08/Nov/2016:23:0", none) == "a [08/Nov/2016:23:0"


def test_a_line_of_zero_bytes_without_an_address_is_left() -> None:
    assert hide_addresses("\0a\0b", Addresses.none) == "\0a\0b"


@pytest.mark.parametrize(
    "unit",
    [
        "1",
        "1.",
        "1.1.1 ",
        "a",
        ":",
        "1:",
        "aaaa:" * 5 + "z",
        "1-",
        "111-111-111 ",
        "%3A",
        "\0",
        "%25",
        "&#46;",
        "\\x2e",
        "[.]",
        "\u200b",
        "\uff12",
        "1,1,1,",
        "0x1.",
        "01.",
    ],
)
@pytest.mark.parametrize("kept", [Addresses.none, Addresses.truncated])
def test_a_hostile_line_costs_one_pass(unit: str, kept: Addresses) -> None:
    """A hundred thousand characters take a tenth of a second; two nested passes took minutes."""
    started = time.process_time()
    hide_addresses(unit * (100_000 // len(unit)), kept)
    assert time.process_time() - started < 10


CLIENTS = ["203.0.113.9", "2001:db8:1:2::3", "fe80::1%eth0", "::102:304", "host.example", "1.2.3"]


def test_hits_keep_nothing_the_network_or_the_client() -> None:
    """A client that is no address has no network; a null index does not occur."""
    coded = pa.array([*CLIENTS, CLIENTS[0]]).dictionary_encode()
    truncated = ["203.0.113.0", "2001:db8:1::", "fe80::", "::", None, None, "203.0.113.0"]
    assert kept_clients(coded, Addresses.none).to_pylist() == [None] * 7
    assert kept_clients(coded, Addresses.truncated).to_pylist() == truncated
    assert kept_clients(coded, Addresses.full).to_pylist() == [*CLIENTS, CLIENTS[0]]


@given(address=st.ip_addresses())
def test_a_network_is_what_the_standard_library_says(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    mapped = getattr(address, "ipv4_mapped", None) or address
    bits = 24 if mapped.version == 4 else 48
    network = ipaddress.ip_network((mapped, bits), strict=False)
    assert truncate(str(address)) == str(network.network_address)
    coded = pa.array([str(mapped)]).dictionary_encode()
    assert kept_clients(coded, Addresses.truncated)[0].as_py() == truncate(str(address))


SECRET = ["203.0.113.97", "198.51.100.86", "2001:db8:77:5::96", "fe80::beef:96", "192.0.2.211"]


def write_secret(site: Site) -> None:
    """Write a raw file of hits and of lines that are none, with addresses all over the latter."""
    v4, other, v6, scoped, mapped = SECRET
    long = b"GET /" + b"a" * (MAX_LINE_BYTES + 10)
    site.write("web01.log", b"".join((
        make_line(client=v4),
        make_line(client=v6.upper(), agent="Safari/10"),
        make_line(client=f"::ffff:{mapped}"),
        make_line(client=f"{scoped}%eth0", status=503),
        f"{v4}\n[{v6}]:443 - - garbage\n".encode(),
        f'- "{v4}, {other}" [08/Nov/2016:10:00:00 -0500] "GET /a"\n'.encode(),
        b"\x16\x03\xff" + f"z{other}z{v6.upper()}z::ffff:{mapped}z{scoped}%eth0\n".encode(),
        f"{other} {v6}\n".encode("utf-16"),
        f"{v4} {v6} ".encode() + long + b"\n",
        make_line(client=mapped)[:40] + b"\n",
        make_line(client=v6)[:11],
    )))  # fmt: skip


def forms_of(address: str) -> set[bytes]:
    """How an address may lie in a file: as text in its usual spellings, or packed."""
    read = ipaddress.ip_address(address)
    texts = {str(read), str(read).upper(), read.exploded, address}
    packed = {read.packed, read.packed[::-1]} if read.version == 6 else set()
    wide = {text.encode("utf-16-le") for text in texts}
    return {text.encode() for text in texts} | wide | packed


def texts_of(site: Site) -> Iterator[tuple[str, bytes]]:
    """Every file of a site but its raw logs, as it is; Parquet decoded besides."""
    for path in sorted(site.folder.rglob("*")):
        if path.is_file() and "raw" not in path.parts:
            yield str(path), path.read_bytes()
            if path.suffix == ".parquet":
                with pq.ParquetFile(path) as file:
                    rows = file.read().to_pylist()
                yield f"{path} (decoded)", "".join(map(repr, rows)).encode()


def leaks(site: Site, talk: bytes = b"") -> list[tuple[str, bytes]]:
    """Where each secret address is found, in which form."""
    return [
        (name, form)
        for name, text in [*texts_of(site), ("talk", talk)]
        for address in SECRET
        for form in forms_of(address)
        if form in text
    ]


def test_by_default_no_address_lies_in_lake_report_or_talk(tmp_path: Path) -> None:
    """Every byte of every file after ingest, build, report; and what the commands said."""
    site = Site(tmp_path)
    write_secret(site)
    said = [site.run("-v", *command) for command in (
        ("ingest", "--no-geo", "raw"), ("build",), ("report",), ("status",),
    )]  # fmt: skip
    talk = "".join(done.out + done.err for done in said).encode()
    (record,) = site.records().values()
    assert (record["hits"], record["reasons"]["too_long"]) == (4, 1)
    assert record["rejected"] == len(site.rows("rejects")) >= 8
    assert leaks(site, talk) == []
    assert not [row for row in site.rows("rejects") if list(addresses_in(row["line"][:500]))]


@pytest.mark.large
def test_addresses_can_be_kept_truncated_or_full_and_figures_are_the_same(tmp_path: Path) -> None:
    """The visitor hash, sessions and figures do not depend on the setting."""
    kept, derived, visitors = {}, {}, {}
    for setting in ("none", "truncated", "full"):
        (tmp_path / setting).mkdir()
        site = Site(tmp_path / setting)
        write_secret(site)
        for command in (("ingest", "--no-geo", "raw"), ("build",)):
            site.run(*command, env={"TIDEGAUGE_ADDRESSES": setting})
        assert [record["addresses"] for record in site.records().values()] == [setting]
        clients = [row["client"] for row in site.rows("hits", columns=["client"])]
        rejects = [row["line"] for row in site.rows("rejects")]
        kept[setting] = clients, [line[:60] for line in rejects[:3]]
        derived[setting] = {
            name: digest for name, digest in site.hashes().items()
            if not name.startswith(("hits", "rejects"))
        }  # fmt: skip
        visitors[setting] = [row["visitor_id"] for row in site.rows("hits")]
    assert visitors["none"] == visitors["truncated"] == visitors["full"]
    assert derived["none"] == derived["truncated"] == derived["full"]
    assert kept["none"][0] == [None] * 4
    assert kept["truncated"][0] == ["203.0.113.0", "2001:db8:77::", "192.0.2.0", "fe80::"]
    assert kept["full"][0] == ["203.0.113.97", SECRET[2], "192.0.2.211", "fe80::beef:96%eth0"]
    assert kept["none"][1][1] == "[x:xxxxxxxxxxxxxxx]:443 - - garbage"
    assert kept["truncated"][1][1] == "[2001:db8:77::]:443 - - garbage"
    assert kept["full"][1][1] == f"[{SECRET[2]}]:443 - - garbage"


@pytest.mark.large
def test_what_was_kept_is_taken_out_when_settings_are_asked_for(tmp_path: Path) -> None:
    """`build --also settings` reads the raw files again, one without any hit too."""
    site = Site(tmp_path)
    write_secret(site)
    site.write("web02.log", f"{SECRET[0]} garbage\n".encode())
    site.run("ingest", "--no-geo", "raw", env={"TIDEGAUGE_ADDRESSES": "full"})
    figures = {n: d for n, d in site.hashes().items() if not n.startswith(("hits", "rejects"))}
    assert SECRET[0] in "".join(row["line"] for row in site.rows("rejects"))
    site.run("build")
    assert SECRET[0] in "".join(row["line"] for row in site.rows("rejects"))
    assert "addresses kept: full, now none" in site.run("build", "--explain").out
    site.run("build", "--also", "settings")
    assert leaks(site) == []
    assert len(site.rows("rejects")) >= 9
    assert "nothing was stale" in site.run("build", "--also", "settings").out
    assert figures.items() <= site.hashes().items()


def test_another_word_for_addresses_is_refused(tmp_path: Path) -> None:
    done = Site(tmp_path).run("status", env={"TIDEGAUGE_ADDRESSES": "masked"}, code=2)
    assert "addresses" in done.err
    assert "'none', 'truncated' or 'full'" in done.err
