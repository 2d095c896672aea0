"""Who the client is behind proxies: the right-most address that no trusted proxy has."""

import ipaddress
import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lake_fixtures import Site, make_line

from pipeline.enrich.clients import (
    CHOICES,
    HEADERS,
    MOST_CHARACTERS,
    MOST_HOPS,
    PEER,
    are_private,
    choose_clients,
)
from pipeline.errors import SettingsError
from pipeline.proxies import NO_PROXIES, PRESETS, TrustedProxies, number_of, read_proxies
from pipeline.settings import load_settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Hop = Address | None
"""What a proxy appended: an address, or something that is none."""
NETWORKS = ("10.0.0.0/8", "192.0.2.0/25", "198.51.100.7", "fd00::/8", "2001:db8:ffff::/48")
TRUSTED = read_proxies(NETWORKS)
XFF, RFC = "x-forwarded-for", "forwarded"


def coded(*texts: str | None) -> pa.DictionaryArray:
    return pa.array(texts, pa.string()).dictionary_encode()


def choose(
    peer: str, header: str | None, kind: str = XFF, trusted: TrustedProxies = TRUSTED
) -> tuple[str, str]:
    """The client of one hit and why."""
    clients, reasons = choose_clients(coded(peer), coded(header), kind, trusted)
    return clients[0].as_py(), reasons[0].as_py()


def unmapped(address: Address) -> Address:
    return getattr(address, "ipv4_mapped", None) or address


def is_trusted(address: Address) -> bool:
    """Naively, network by network."""
    return any(unmapped(address) in ipaddress.ip_network(network) for network in NETWORKS)


def plainly(peer: Address, hops: Sequence[Hop], kind: str) -> tuple[str, str]:
    """The definition, on addresses instead of text."""
    if not is_trusted(peer) or not hops:
        return str(unmapped(peer)), "peer"
    kept, whose = peer, "peer"
    for hop in reversed(hops):
        if hop is None:
            return str(unmapped(kept)), f"{whose}: unreadable {kind}"
        kept, whose = hop, "proxy"
        if not is_trusted(hop):
            break
    return str(unmapped(kept)), kind


PROXIES = st.one_of(
    *(st.ip_addresses(network=n) for n in ("10.0.0.0/8", "192.0.2.0/25", "fd00::/8")),
    st.ip_addresses(v=4, network="10.0.0.0/8").map(lambda a: ipaddress.IPv6Address(f"::ffff:{a}")),
    st.just(ipaddress.ip_address("198.51.100.7")),
)
ADDRESSES = st.one_of(
    st.ip_addresses(),
    st.ip_addresses(v=4).map(lambda a: ipaddress.IPv6Address(f"::ffff:{a}")),
    st.sampled_from(("192.0.2.127", "192.0.2.128", "198.51.100.6", "198.51.100.8", "9.255.255.255",
                     "11.0.0.0", "fcff::", "fe00::", "2001:db8:fffe::", "::", "::1"))
    .map(ipaddress.ip_address),
    PROXIES,
)  # fmt: skip
NO_ADDRESS = ("unknown", "_x", "_gazonk.1", "UNKNOWN", "192.0.2.1.5", "256.1.1.1", "192.0.2.01",
              "1.2.3", "::g", "1.2.3.4:", "1.2.3.4:123456", "[h.example]", "host.example", "12345",
              "[::1", "::1]", "1.2.3.4/8", "unix:", "fe80::1%", "\u0661.2.3.4")  # fmt: skip


@st.composite
def headers(draw: st.DrawFn, kind: str, *, stops: bool) -> tuple[list[Hop], str]:
    """Hops from left to right, and a header in which proxies spelt them in their ways.

    Where it `stops`, one of them is no trusted proxy's address.
    """
    hops: list[Hop] = draw(st.lists(st.one_of(PROXIES, PROXIES, ADDRESSES), max_size=5))
    if stops:
        hops.insert(0, draw(st.one_of(st.none(), ADDRESSES.filter(lambda a: not is_trusted(a)))))
    spell = spell_node if kind == XFF else spell_element
    comma = draw(st.sampled_from((", ", ",", " ,\t")))
    return hops, comma.join(spell(draw, hop) for hop in hops)


def spell_node(draw: st.DrawFn, hop: Hop) -> str:
    if hop is None:
        return draw(st.sampled_from(NO_ADDRESS))
    port = draw(st.sampled_from(("", ":1", ":65535")))
    if isinstance(hop, ipaddress.IPv4Address):
        return f"{hop}{port}"
    text = draw(st.sampled_from((str(hop), hop.exploded, hop.exploded.upper())))
    return f"[{text}]{port}" if port or draw(st.booleans()) else text


def spell_element(draw: st.DrawFn, hop: Hop) -> str:
    """One element of RFC 7239's header, quoted where it must be, among other parameters."""
    node = spell_node(draw, hop)
    if hop is None and draw(st.booleans()):
        return draw(st.sampled_from(("proto=https", "by=10.0.0.1", 'for="1.2.3.4"x', "for", "")))
    if ":" in node or draw(st.booleans()):
        node = "".join(draw(st.sampled_from((c, c, c, f"\\{c}"))) for c in node)
        node = f'"{node}"'
    name = draw(st.sampled_from(("for", "For", "FOR")))
    before = draw(st.sampled_from(("", "by=203.0.113.43;", 'host="a, for=9.9.9.9";', "proto=http;")))  # noqa: E501  # fmt: skip
    after = draw(st.sampled_from(("", ";proto=https", r';host="\"\\, b;for=9.9.9.9\""', ";by=_p")))
    return f"{before}{name}={node}{after}"


def apache(text: str) -> str:
    """As Apache's log has it."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def nginx(text: str) -> str:
    """As nginx's log has it."""
    return text.replace("\\", "\\x5C").replace('"', "\\x22")


HOSTILE = (
    *('for="', '"', "\\", 'for="\\', '\\"', '"\\', "\\x22", 'for="a\\\\"', "[", ",", ",,,", "for="),
    *("6.6.6.6", "for=6.6.6.6", 'for="6.6.6.6', "10.0.0.9, " * 200, '"' * 301, '\\"' * 9000 + "\\"),
    *("x," * MOST_CHARACTERS, "-", " ", "\0", "for=6.6.6.6;for=", "%20", "6.6.6.6 "),
)
FORGED = st.one_of(
    st.sampled_from(HOSTILE),
    st.lists(st.sampled_from((*HOSTILE[:12], "6.6.6.6", ";", " ", ",")), max_size=12).map("".join),
    st.text(max_size=30),
)


@pytest.mark.rest_large
@pytest.mark.parametrize("kind", [XFF, RFC])
@settings(max_examples=200)
@given(data=st.data(), peer=st.one_of(PROXIES, PROXIES, ADDRESSES))
def test_client_is_that_of_the_definition(kind: str, data: st.DataObject, peer: Address) -> None:
    """However proxies spell the addresses, and whichever log the header was written to."""
    hops, header = data.draw(headers(kind, stops=False))
    expected = plainly(peer, hops, kind)
    assert choose(str(peer), header, kind) == expected
    if kind == RFC:
        assert choose(str(peer), apache(header), kind) == expected
        assert choose(str(peer), nginx(header), kind) == expected


@pytest.mark.large
@pytest.mark.parametrize("kind", [XFF, RFC])
@settings(max_examples=100)
@given(data=st.data(), forged=FORGED, peer=PROXIES)
def test_forged_left_part_changes_nothing(
    kind: str, data: st.DataObject, forged: str, peer: Address
) -> None:
    """Proxies append to whatever a visitor sent; the log escapes it or not."""
    hops, header = data.draw(headers(kind, stops=True))
    expected = plainly(peer, hops, kind)
    for written in (str, apache, nginx) if kind == RFC else (str,):
        assert choose(str(peer), written(f"{forged},{header}"), kind) == expected


@pytest.mark.large
@settings(max_examples=300)
@given(node=st.text("0123456789abcdefF:.[]%_x \t+-", max_size=24))
@example("1.2.3.4:80")
@example("[::1]:80")
@example("fe80::1%eth0")
@example("fe80::1%eth0:80")
@example("[fe80::1%25eth0]:1")
def test_one_node_is_read_as_the_standard_library_reads_it(node: str) -> None:
    """Of anything that looks a little like an address."""
    found = choose("10.0.0.1", f"a,{node}")
    inner = node.lstrip(" \t+").rstrip(" \t")
    if inner.startswith("["):
        inner, has_port = (
            re.sub(r"^\[([^]]*:[^]]*)\](:[0-9]{1,5}|:_[\w.-]+)?$", r"\1", inner),
            False,
        )
    else:
        has_port = inner.count(":") == 1 or "%" in inner  # a zone has no colon
        inner = re.sub(r":([0-9]{1,5}|_[\w.-]+)$", "", inner) if has_port else inner
    try:
        address = ipaddress.ip_address(inner)
    except ValueError:
        address = None
    zone = inner.partition("%")[2]
    if address is None or (zone and not re.fullmatch(r"[\w.~-]+", zone)):
        assert found == ("10.0.0.1", f"peer: unreadable {XFF}")
    elif is_trusted(address):
        assert found == (str(unmapped(address)), f"proxy: unreadable {XFF}")
    else:
        assert found == (str(unmapped(address)), XFF)


@pytest.mark.parametrize(
    ("header", "client"),
    [
        ('for="_gazonk"', None),
        ('For="[2001:db8:cafe::17]:4711"', "2001:db8:cafe::17"),
        ("for=192.0.2.160;proto=http;by=203.0.113.43", "192.0.2.160"),
        ("for=192.0.2.143, for=198.51.100.17", "198.51.100.17"),
        ("for=_hidden, for=_SEVKISEK", None),
        ('for=192.0.2.143,for="[2001:db8:cafe::17]",for=unknown', None),
        ('for=192.0.2.143, for="[2001:db8:cafe::17]"', "2001:db8:cafe::17"),
        ('for="192.0.2.143:_p0rt"', "192.0.2.143"),
        ("for=192.0.2.143:8080", "192.0.2.143"),
        ("for=192.0.2.143;;proto=http; ", "192.0.2.143"),
        ("proto=http;by=203.0.113.43", None),
        ("for=192.0.2.143;for=192.0.2.144", None),
        ("192.0.2.143", None),
        ('for="192.0.2.143', None),
        ('for=192.0.2.143"', None),
    ],
)
def test_examples_of_rfc_7239(header: str, client: str | None) -> None:
    """Sections 4, 6 and 7.1, and what is not well-formed."""
    expected = (client, RFC) if client else ("10.0.0.1", f"peer: unreadable {RFC}")
    assert choose("10.0.0.1", header, RFC) == expected


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (None, ("10.0.0.1", "peer")),
        ("-", ("10.0.0.1", "peer")),
        ("", ("10.0.0.1", "peer")),
        (" \t", ("10.0.0.1", "peer")),
        ("203.0.113.9", ("203.0.113.9", XFF)),
        ("6.6.6.6, 203.0.113.9, 10.0.0.2", ("203.0.113.9", XFF)),
        ("10.0.0.3, 10.0.0.2", ("10.0.0.3", XFF)),
        ("6.6.6.6, unknown", ("10.0.0.1", f"peer: unreadable {XFF}")),
        ("6.6.6.6, unknown, 10.0.0.2", ("10.0.0.2", f"proxy: unreadable {XFF}")),
        ("203.0.113.9,", ("10.0.0.1", f"peer: unreadable {XFF}")),
        (", 203.0.113.9", ("203.0.113.9", XFF)),
        ("6.6.6.6,%20203.0.113.9,%2010.0.0.2", ("203.0.113.9", XFF)),
        ("6.6.6.6,+203.0.113.9", ("203.0.113.9", XFF)),
        ("::ffff:203.0.113.9", ("203.0.113.9", XFF)),
        ("203.0.113.9, ::ffff:10.0.0.2", ("203.0.113.9", XFF)),
        ("fe80::0:1%eth0", ("fe80::1%eth0", XFF)),
        ("203.0.113.9, fd00::1%eth0", ("203.0.113.9", XFF)),
        ("fe80::1%<b>", ("10.0.0.1", f"peer: unreadable {XFF}")),
        ("2001:DB8:0::1", ("2001:db8::1", XFF)),
    ],
)
def test_x_forwarded_for_by_example(header: str | None, found: tuple[str, str]) -> None:
    assert choose("10.0.0.1", header) == found
    assert choose("::ffff:10.0.0.1", header) == found
    assert choose("203.0.113.50", header) == ("203.0.113.50", "peer")
    assert choose("10.0.0.1", header, trusted=NO_PROXIES) == ("10.0.0.1", "peer")


@pytest.mark.parametrize("kind", ["true-client-ip", "cf-connecting-ip"])
def test_header_of_one_address_holds_one(kind: str) -> None:
    """A list in it is none of theirs; a trusted proxy may be the client."""
    assert choose("10.0.0.1", "203.0.113.9", kind) == ("203.0.113.9", kind)
    assert choose("10.0.0.1", "2001:DB8::1", kind) == ("2001:db8::1", kind)
    assert choose("10.0.0.1", "10.0.0.2", kind) == ("10.0.0.2", kind)
    for wrong in ("6.6.6.6, 203.0.113.9", "unknown", "203.0.113.9,"):
        assert choose("10.0.0.1", wrong, kind) == ("10.0.0.1", f"peer: unreadable {kind}")


@pytest.mark.parametrize(
    ("words", "found"),
    [(["private"], ("-", "peer")), (["unlogged", "private"], ("203.0.113.7", "x-forwarded-for"))],
)
def test_a_peer_that_is_not_logged_is_trusted_by_its_own_name(
    words: list[str], found: tuple[str, str]
) -> None:
    """Envoy's own log has only the header, to which it appends who connected."""
    proxies = read_proxies(words)
    header = coded("198.51.100.9, 203.0.113.7, 10.0.0.1")
    clients, reasons = choose_clients(coded("-"), header, "x-forwarded-for", proxies)
    assert (clients[0].as_py(), reasons[0].as_py()) == found
    garbage, _ = choose_clients(coded("x"), header, "x-forwarded-for", proxies)
    assert garbage[0].as_py() == "x"
    assert proxies.name != read_proxies([*words, "192.0.2.1"]).name


@pytest.mark.parametrize("peer", ["unix:", "unix:/run/nginx.sock", "unix", "@"])
def test_a_peer_by_a_socket_is_trusted_by_its_own_name(peer: str) -> None:
    """Also where a proxy before it appended it; without the word it is nobody's proxy."""
    trusted = read_proxies(["unix", "10.0.0.0/8"])
    assert choose(peer, "198.51.100.7", trusted=trusted) == ("198.51.100.7", XFF)
    assert choose(peer, "6.6.6.6, 198.51.100.7, unix:", trusted=trusted) == ("198.51.100.7", XFF)
    assert choose("10.0.0.1", "198.51.100.7,unix:,10.0.0.2", trusted=trusted)[0] == "198.51.100.7"
    assert choose(peer, "unix:", trusted=trusted) == (peer, f"peer: unreadable {XFF}")
    assert choose(peer, "-", trusted=trusted) == (peer, "peer")
    assert choose(peer, "198.51.100.7") == (peer, "peer")
    assert choose("10.0.0.1", "198.51.100.7, unix:") == ("10.0.0.1", f"peer: unreadable {XFF}")
    assert choose("web01", "198.51.100.7", trusted=trusted) == ("web01", "peer")
    assert trusted.name != read_proxies(["10.0.0.0/8"]).name != read_proxies(["unix"]).name


@pytest.mark.parametrize("kind", ["x-forwarded-for", "cf-connecting-ip", "field"])
@pytest.mark.parametrize("address", ["203.0.113.9", "203.0.113.9:80", "[2001:db8::9]:80"])
def test_a_backslash_before_a_forwarded_address_is_dropped(kind: str, address: str) -> None:
    """IIS writes one."""
    found = choose("10.0.0.1", f"\\{address}", kind)
    assert found == choose("10.0.0.1", address, kind) != ("10.0.0.1", "peer")
    if kind != "cf-connecting-ip":
        assert choose("10.0.0.1", f"6.6.6.6,+\\{address},\\10.0.0.2", kind) == found


def test_field_of_a_format_is_read_as_a_list() -> None:
    assert choose("10.0.0.1", "6.6.6.6, 203.0.113.9", "field") == ("203.0.113.9", "field")


def test_peer_is_canonical_and_trusted_with_its_port() -> None:
    """What is no address is nobody's proxy; a port is no part of a peer that is kept."""
    assert choose("10.0.0.1:4711", "203.0.113.9") == ("203.0.113.9", XFF)
    assert choose("10.0.0.1:4711", "unknown")[0] == "10.0.0.1"
    for peer in ("proxy.example", "unix:", "-", ""):
        assert choose(peer, "203.0.113.9") == (peer, "peer")
    assert choose("2001:DB8:0:0::1", "203.0.113.9") == ("2001:db8::1", "peer")


@pytest.mark.parametrize("kind", [XFF, RFC])
def test_no_more_than_the_right_end_of_a_header_is_read(kind: str) -> None:
    """A hundred hops, 16 KiB: what is left of them is as if it were unreadable."""
    name = "for=" if kind == RFC else ""
    chain = [f"{name}10.0.{n // 250}.{n % 250}" for n in range(1, MOST_HOPS + 1)]
    assert choose("10.9.9.9", ",".join(chain), kind) == ("10.0.0.1", kind)
    over = choose("10.9.9.9", ",".join([f"{name}203.0.113.9", *chain]), kind)
    assert over == ("10.0.0.1", f"proxy: unreadable {kind}")
    blank = " " * MOST_CHARACTERS
    wide = choose("10.9.9.9", f"{name}203.0.113.9,{blank}{name}10.0.0.1", kind)
    assert wide == ("10.9.9.9", f"peer: unreadable {kind}")


@pytest.mark.parametrize("kind", HEADERS)
@pytest.mark.parametrize(
    "unit", ['"', 'for="', ",", "\\", '\\"', '"\\', "for=10.0.0.1,", "10.0.0.1,", " ", "for=a;",
             'for="\\', "1", ":", "%20", "1.", "[", "a=b;", "\\x22", "::1,", "_"]
)  # fmt: skip
def test_hostile_header_of_a_megabyte_is_read(kind: str, unit: str) -> None:
    """It names nobody but the proxies; the suite's time tells whether it is slow."""
    client, reason = choose("10.0.0.1", unit * (1_000_000 // len(unit)), kind)
    assert reason in CHOICES
    assert client == "10.0.0.1"


@pytest.mark.large
@settings(max_examples=100)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(("10.0.0.1", "::ffff:10.0.0.1", "203.0.113.5", "fd00::1", "h")),
            st.sampled_from((None, "-", "1.1.1.1", "1.1.1.1, 10.0.0.2", "x, 2001:DB8::1", "x",
                             "10.0.0.2", "1.1.1.1,10.0.0.2,10.0.0.3,10.0.0.4,10.0.0.5")),
        ),
        max_size=40,
    ),
    kind=st.sampled_from(HEADERS),
    skip=st.integers(0, 3),
)  # fmt: skip
def test_many_hits_are_chosen_as_one_by_one(
    rows: list[tuple[str, str | None]], kind: str, skip: int
) -> None:
    """A column gives what its rows give, also a slice of one, and one without rows."""
    peers = coded(*(peer for peer, _ in rows)).slice(skip)
    forwarded = coded(*(header for _, header in rows)).slice(skip)
    clients, reasons = choose_clients(peers, forwarded, kind, TRUSTED)
    assert reasons.type == pa.dictionary(pa.int32(), pa.string())
    assert [*zip(clients.to_pylist(), reasons.to_pylist(), strict=True)] == [
        choose(peer, header, kind) for peer, header in rows[skip:]
    ]


@given(address=ADDRESSES)
def test_networks_hold_the_addresses_that_the_standard_library_says(address: Address) -> None:
    """One by one, and IPv4 many at once."""
    assert TRUSTED.has(number_of(str(address))) == is_trusted(address)
    if isinstance(address, ipaddress.IPv4Address):
        assert TRUSTED.have_ipv4(pa.array([int(address)]).to_numpy()).tolist() == [
            is_trusted(address)
        ]


@pytest.mark.parametrize(
    ("preset", "inside", "outside"),
    [
        ("private", ("10.1.1.1 172.16.0.1 172.31.255.255 192.168.1.1 127.0.0.2 169.254.0.1"
         " 100.64.0.1 100.127.255.255 ::1 fc00::1 fdff::1 fe80::1%eth0 febf::1"),
         "9.255.255.255 11.0.0.0 172.32.0.0 192.169.0.0 100.128.0.0 100.63.255.255 ::2 fec0::"),
        ("loopback", "127.0.0.1 127.255.255.255 ::1 ::ffff:127.0.0.1", "10.0.0.1 ::2 128.0.0.0"),
    ],
)  # fmt: skip
def test_presets_are_the_networks_of_their_rfcs(preset: str, inside: str, outside: str) -> None:
    trusted = read_proxies([preset.upper()])
    assert trusted == read_proxies(PRESETS[preset])
    for peer in inside.split():
        assert choose(peer, "203.0.113.9", trusted=trusted)[1] == XFF
    for peer in outside.split():
        assert choose(peer, "203.0.113.9", trusted=trusted)[1] == "peer"


def test_same_networks_have_one_name_however_they_are_written() -> None:
    """Order, spelling, parts and repetitions make no other setting of it."""
    one = read_proxies(["10.0.0.0/8", "2001:db8::/32"])
    other = read_proxies(["2001:DB8:8000::/33", "10.128.0.0/9", "2001:db8::/33", "10.0.0.0/9",
                          "10.1.2.3", "::ffff:10.0.0.0/104"])  # fmt: skip
    assert (one, one.name) == (other, other.name)
    assert one.name != read_proxies(["10.0.0.0/8"]).name != NO_PROXIES.name


WRONG = {
    "10.0.0.5/8": "write 10.0.0.0/8 for the network, or 10.0.0.5 for that address alone",
    "2001:db8::1/32": "write 2001:db8::/32",
    "privat": "did you mean private?",
    "cloudfront": "no network; write networks such as 10.0.0.0/8",
    "10.0.0.0/8,192.168.0.0/16": "else with spaces between",
    "10.0.0.0/33": "no network",
    "0.0.0.0/0": "every address would be trusted",
    "::/0": "every address would be trusted",
    "0.0.0.0/1 128.0.0.0/1": "every address would be trusted",
}


@pytest.mark.parametrize("value", WRONG)
def test_wrong_network_is_named_with_its_remedy(
    value: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the environment and in the file; exit code 2."""
    monkeypatch.setenv("TIDEGAUGE_TRUSTED_PROXIES", f"private {value}")
    with pytest.raises(SettingsError, match=r"trusted_proxies = ") as raised:
        load_settings()
    assert WRONG[value] in str(raised.value)
    assert raised.value.exit_code == 2
    monkeypatch.delenv("TIDEGAUGE_TRUSTED_PROXIES")
    (place / "tidegauge.toml").write_text(f"trusted_proxies = {value.split()!r}\n")
    with pytest.raises(SettingsError, match=re.escape(WRONG[value])):
        load_settings()


def test_setting_is_read_from_environment_and_file(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is trusted by default; a list in TOML, words in the environment."""
    assert load_settings().proxies == NO_PROXIES
    (place / "tidegauge.toml").write_text('trusted_proxies = ["loopback", "192.0.2.0/24"]\n')
    assert load_settings().proxies == read_proxies(["loopback", "192.0.2.0/24"])
    monkeypatch.setenv("TIDEGAUGE_TRUSTED_PROXIES", "private  2001:db8::/32")
    assert load_settings().proxies == read_proxies(["private", "2001:db8::/32"])


PRIVATE: dict[str, str | None] = {"TIDEGAUGE_TRUSTED_PROXIES": "private"}
FULL: dict[str, str | None] = {"TIDEGAUGE_ADDRESSES": "full"}


FORWARDING = {
    "TIDEGAUGE_LOG_FORMAT": '%h %l %u %t "%r" %>s %b "%{X-Forwarded-For}i" "%{User-Agent}i"'
}
"""A combined layout with the header in the place of the referrer."""


def proxied_site(folder: Path) -> Site:
    """A site behind 10.0.0.1: two visitors, one of them by two ways, and one who came directly."""
    site = Site(folder)
    headers = ("203.0.113.9", "6.6.6.6, 203.0.113.9, 10.0.0.2", "203.0.113.77", "unknown", "-")
    lines = [make_line(client="10.0.0.1", referrer=header) for header in headers]
    lines.append(make_line(client="198.51.100.1", referrer="203.0.113.9"))
    site.write("web01.log", b"".join(lines))
    return site


def clients_of(site: Site) -> list[tuple[str, str]]:
    rows = site.rows("hits", columns=["client", "client_from"])
    return [(row["client"], row["client_from"]) for row in rows]


def test_other_proxies_wait_until_settings_are_asked_for(tmp_path: Path) -> None:
    """A build alone restates nothing; `--explain` says what waits, `--also settings` takes it."""
    site = proxied_site(tmp_path)
    site.run("ingest", "--no-geo", "raw", env=FULL | FORWARDING)
    site.run("build", env=FULL | FORWARDING)
    peer = ("10.0.0.1", "peer")
    assert clients_of(site) == [*[peer] * 5, ("198.51.100.1", "peer")]
    assert [row["sessions"] for row in site.rows("daily")] == [2]
    before = site.hashes()
    now = FULL | PRIVATE | FORWARDING
    site.run("build", env=now)
    assert site.hashes() == before
    why = "clients chosen by other trusted_proxies than are set now"
    assert why in site.run("build", "--explain", env=now).out
    assert why not in site.run("build", "--explain", env=FULL | FORWARDING).out
    site.run("build", "--also", "settings", env=now)
    one, other = ("203.0.113.9", XFF), ("203.0.113.77", XFF)
    unread = ("10.0.0.1", f"peer: unreadable {XFF}")
    assert clients_of(site) == [one, one, other, unread, peer, ("198.51.100.1", "peer")]
    assert [row["sessions"] for row in site.rows("daily")] == [4]
    assert site.run("verify", env=now).code == 0
    again = {name: " ".join(PRESETS["private"]) for name in PRIVATE}
    assert (
        "nothing was stale"
        in site.run("build", "--also", "settings", env=FULL | again | FORWARDING).out
    )


def test_hits_do_not_keep_the_header_or_its_addresses(tmp_path: Path) -> None:
    """The reason is kept, the address is not."""
    site = proxied_site(tmp_path)
    site.run("ingest", "--no-geo", "raw", env=PRIVATE | FORWARDING)
    rows = site.rows("hits")
    assert [row["client"] for row in rows] == [None] * 6
    assert {row["client_from"] for row in rows} == {"peer", XFF, f"peer: unreadable {XFF}"}
    assert len({row["visitor_id"] for row in rows}) == 4
    assert "forwarded" not in rows[0]


def test_setting_does_not_concern_a_layout_without_the_header(tmp_path: Path) -> None:
    """Its files are never read again for it, and are the same under each."""
    site = proxied_site(tmp_path)
    site.ingest("raw")
    site.run("build")
    before = site.hashes()
    done = site.run("build", "--explain", env=PRIVATE)
    assert "trusted_proxies" not in done.out
    site.run("build", "--also", "settings", env=PRIVATE)
    site.run("ingest", "--no-geo", "--again", "raw", env=PRIVATE)
    assert site.hashes() == before
    assert {row["client_from"] for row in site.rows("hits")} == {"peer"}
    assert site.run("verify", env=PRIVATE).code == 0


@pytest.mark.parametrize("network", [*map(ipaddress.ip_network, PRESETS["private"])], ids=str)
def test_private_is_what_the_preset_of_that_name_has(
    network: ipaddress.IPv4Network | ipaddress.IPv6Network,
) -> None:
    """The first and last address of each network, and of those beside them what others have."""
    private = read_proxies(PRESETS["private"])
    beside = [one for one in (int(network[0]) - 1, int(network[-1]) + 1) if one >= 0]
    peers = [str(one) for one in (network[0], network[-1], *map(type(network[0]), beside))]
    if network.version == 4:
        peers += [f"::ffff:{peer}" for peer in peers]
    found = are_private(coded(*peers), coded(*[PEER] * len(peers)))
    assert found.tolist() == [private.has(number_of(peer)) for peer in peers]
    assert not are_private(coded(*peers), coded(*[XFF] * len(peers))).any()
