"""What a client's text is, by one table: in every layout, and in the headers of proxies."""

import ipaddress
import json
import re
from collections.abc import Iterable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle.peers import client_of

from pipeline.enrich.clients import canonical, choose_clients
from pipeline.formats import compiled
from pipeline.formats.client_texts import (
    IPV4,
    are_addresses,
    are_plain_ipv6,
    is_address,
    read_client,
    read_clients,
)
from pipeline.formats.layouts import find_layout
from pipeline.formats.reader import Reader, read_parts
from pipeline.lake.database import connect
from pipeline.proxies import read_proxies

ROWS = [
    json.loads(row)
    for row in Path(__file__).with_name("client_texts.jsonl").read_text().splitlines()
]
TEXTS = [row["text"] for row in ROWS]
CLIENTS = [row["client"] for row in ROWS]
TIME = "[08/Nov/2016:20:30:00 +0000]"
COMBINED = f'%s - - {TIME} "GET / HTTP/1.1" 200 5 "-" "Agent"'
W3C_HEADER = "#Software: X\n#Fields: date time c-ip cs-method cs-uri sc-status\n"
LINES = {
    "combined": COMBINED,
    "vhost_combined": f"www.example.com:443 {COMBINED}",
    "combined_forwarded": f'{COMBINED} "-"',
    "nginx_request_time": f"{COMBINED} 0.012",
    "ovh": f'%s www.example.com - {TIME} "GET / HTTP/1.1" 200 5 "-" "Agent"',
    '%a %l %u %t "%r" %>s %b': f'%s - - {TIME} "GET / HTTP/1.1" 200 5',
    '[$time_local] "$remote_addr" "$request" $status': f'{TIME} "%s" "GET / HTTP/1.1" 200',
    "squid": "1728561336.123     12 %s TCP_MISS/200 2326 GET http://h/a - HIER_DIRECT/h text/html",
}
"""A line of each layout, in which a client may stand that has no spaces and quotes."""


@pytest.fixture(scope="module")
def connection() -> Iterable[duckdb.DuckDBPyConnection]:
    opened = connect(threads=1)
    yield opened
    opened.close()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['case']}: {row['text'][:40]!r}")
def test_a_text_names_a_client_or_none(row: dict[str, str | None]) -> None:
    assert read_client(row["text"]) == row["client"]


def coded(*texts: str | None) -> pa.DictionaryArray:
    return pa.array(texts, pa.string()).dictionary_encode()


def test_many_texts_are_read_as_one_by_one() -> None:
    """Also where all are plain, and where each line has a port of its own."""
    clients, is_one = read_clients(coded(*TEXTS, *TEXTS))
    assert is_one.tolist() == [client is not None for client in CLIENTS] * 2
    told = [client for client, one in zip(clients.to_pylist(), is_one, strict=True) if one]
    assert told == [client for client in CLIENTS if client is not None] * 2
    assert are_addresses(coded(*told)).tolist() == [is_address(client) for client in told]
    ports, fine = read_clients(coded(*(f"[2001:db8::9]:{n}" for n in range(9000, 9999))))
    assert (set(ports.to_pylist()), fine.all()) == ({"2001:db8::9"}, True)
    plain = coded("203.0.113.9", "203.0.113.8")
    assert read_clients(plain)[0] is plain


@given(
    st.one_of(
        st.lists(st.sampled_from((*TEXTS, ":", "[", "]", "%", "1", ".")), max_size=4).map("".join),
        st.text(max_size=20),
    )
)
def test_the_oracle_reads_them_alike(text: str) -> None:
    """But for quotes, which none of its lines has around a client."""
    if '"' not in text:
        assert read_client(text) == client_of(text)


@pytest.mark.parametrize("name", LINES)
def test_every_layout_has_the_same_clients(
    name: str, connection: duckdb.DuckDBPyConnection
) -> None:
    """A line whose client is none is rejected for it; a port is in no hit."""
    rows = [row for row in ROWS if row["text"].isprintable() and not set(row["text"]) & set(' "')]
    rows = [row for row in rows if row["text"]]
    assert read_all(connection, name, [LINES[name] % row["text"] for row in rows]) == [
        row["client"] for row in rows
    ]


def test_json_has_the_same_clients(connection: duckdb.DuckDBPyConnection) -> None:
    """Nothing at all is as a dash."""
    form = json.dumps({"time": "t", "client": "c", "path": "p"})
    lines = [json.dumps({"t": "2016-11-08T20:30:00Z", "c": t, "p": "/"}) for t in TEXTS]
    expected = ["-" if text == "" else client for text, client in zip(TEXTS, CLIENTS, strict=True)]
    assert read_all(connection, form, lines) == expected


def test_w3c_has_the_same_clients(connection: duckdb.DuckDBPyConnection) -> None:
    rows = [row for row in ROWS if row["text"].strip() and not set(row["text"]) & set(' "\n#')]
    lines = [f"2016-11-08 20:30:00 {row['text']} GET / 200" for row in rows]
    read = read_all(connection, "w3c", [*W3C_HEADER.splitlines(), *lines])
    assert read == [row["client"] for row in rows]


def read_all(connection: duckdb.DuckDBPyConnection, name: str, lines: list[str]) -> list:
    """Each line's client; None where it is rejected for it."""
    numbers = np.arange(1, len(lines) + 1)
    read = read_parts(connection, Reader(find_layout(name)).cut(numbers, pa.array(lines)))
    found = {hit["line_no"]: hit["client"] for hit in read.hits.to_pylist()}
    reasons = {number: why.reason for number, _, why in read.rejects}
    assert set(reasons.values()) <= {"client"}
    return [found.get(n) for n in numbers if n not in read.directives]


@pytest.mark.parametrize("kind", ["x-forwarded-for", "cf-connecting-ip", "forwarded", "field"])
def test_headers_of_proxies_have_the_same_addresses(kind: str) -> None:
    """What a proxy appends names an address or nothing; a name is none."""
    trusted = read_proxies(["10.0.0.1"])
    for row in ROWS:
        text, address = row["text"], row["client"]
        if set(text) & set(' ",\\+\n') or text in ("", "-"):
            continue
        address = address if address and is_address(address) else None
        header = f'for="{text}"' if kind == "forwarded" else text
        chosen, _ = choose_clients(coded("10.0.0.1"), coded(header), kind, trusted)
        expected = canonical_of(address) if address else "10.0.0.1"
        assert chosen[0].as_py() == expected, row


def canonical_of(address: str) -> str:
    chosen, _ = choose_clients(coded(address), coded(None), "field", read_proxies([]))
    return str(chosen[0].as_py())


OCTETS = st.one_of(st.integers(0, 300).map(str), st.sampled_from(("", "00", "01", "٣", "1e", "-1")))


@given(
    st.lists(
        st.one_of(
            st.lists(OCTETS, min_size=3, max_size=5).map(".".join),
            st.text("0123456789.:\n", max_size=17),
            st.sampled_from(TEXTS),
        ),
        max_size=20,
    )
)
def test_compiled_loops_know_addresses_of_version_4_as_the_expression_does(
    texts: list[str],
) -> None:
    known = [re.fullmatch(IPV4[1:-1], text) is not None for text in texts]
    assert compiled.find_ipv4(pa.array(texts, pa.string())).tolist() == known
    assert compiled.find_ipv4(pa.array(["x", *texts], pa.string())[1:]).tolist() == known


IPV6 = st.lists(st.one_of(st.just(0), st.integers(0, 2**16 - 1)), min_size=8, max_size=8)


@given(groups=IPV6, cut=st.integers(0, 45), text=st.sampled_from(("", "0", ":", "::", "F", "g")))
def test_a_plain_address_of_version_6_is_read_as_it_is(
    groups: list[int], cut: int, text: str
) -> None:
    """Also one with something put in; one without single zeros is plain."""
    number = sum(group << 16 * place for place, group in enumerate(groups))
    spelled = str(ipaddress.IPv6Address(number))
    texts = [spelled, ipaddress.IPv6Address(number).exploded, spelled[:cut] + text + spelled[cut:]]
    plain = are_plain_ipv6(pa.array(texts)).tolist()
    if groups[-1] and len(re.findall("(?<![0-9a-f])0(?![0-9a-f])", spelled)) == 0:
        assert plain[0]
    for one, is_plain in zip(texts, plain, strict=True):
        if is_plain:
            assert (read_client(one), is_address(one), canonical(one)) == (one, True, one)
