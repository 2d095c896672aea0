"""Format strings: what several servers, headers without quotes and named clients look like."""

from itertools import product
from typing import Any

import pytest
from layout_lines import read

from pipeline.enrich.clients import HEADERS
from pipeline.errors import SettingsError
from pipeline.formats.directives import FORWARDING
from pipeline.formats.layouts import find_layout, forwarded_kind

REQUEST = '[10/Oct/2024:13:55:36 +0200] "GET /a?b=c HTTP/1.1" 200 2326'
NGINX = '[$time_local] "$request" $status $body_bytes_sent'
APACHE = '%l %u %t "%r" %>s %b'
SEVERAL = (
    "-", "10.0.0.1:80", "10.0.0.1:80, 10.0.0.2:80", "10.0.0.1:80, 10.0.0.2:80 : 192.0.2.1:80, -",
    "[2001:db8::1]:80, unix:/run/a.sock : -", "-, -", "backend",
)  # fmt: skip
TIMES = ("-", "0.012", "0.100, 143.757", "0.1, - : 0.004", "-, -", "0.1,0.2")


def read_one(form: str, line: str) -> dict[str, Any]:
    """The fields that a line has, read with a format string."""
    block = read(find_layout(form), line)
    assert (len(block.hits), block.rejects) == (1, [])
    return {name: value for name, value in block.hits.to_pylist()[0].items() if value is not None}


@pytest.mark.parametrize(("server", "took"), list(product(SEVERAL, TIMES)))
@pytest.mark.parametrize(
    "form",
    [
        "$upstream_addr $upstream_response_time $upstream_status",
        "[$upstream_addr] $upstream_connect_time:$request_time $upstream_bytes_sent",
        'up="$upstream_addr" hdr=$upstream_header_time; $upstream_response_length/$status',
        "${upstream_addr},$upstream_queue_time,$upstream_cache_status",
    ],
)
def test_each_upstream_variable_may_have_several_values(form: str, server: str, took: str) -> None:
    """Retried and failed requests have a value for each server; nothing behind them moves."""
    if "}," in form:
        took = took.replace("0.1,0.2", "0.1, 0.2")  # a comma alone separates fields there
    values = {
        "${upstream_addr}": server, "$upstream_addr": server, "$upstream_status": "502, 200",
        "$upstream_cache_status": "MISS", "$request_time": "0.5", "$status": "200",
    }  # fmt: skip
    text = form
    for name, value in values.items():
        text = text.replace(name, value)
    for name in ("connect_time", "response_time", "header_time", "queue_time", "bytes_sent",
                 "response_length"):  # fmt: skip
        text = text.replace(f"$upstream_{name}", took)
    hit = read_one(
        f'$remote_addr - $remote_user {NGINX} {form} "$http_user_agent" $request_length',
        f'203.0.113.9 - a b {REQUEST} {text} "curl/8" 71',
    )
    assert (hit["client"], hit["path"], hit["status"], hit["user_agent"]) == (
        "203.0.113.9", "/a", 200, "curl/8",
    )  # fmt: skip
    assert hit.get("duration_ms", 500.0) == 500.0


@pytest.mark.parametrize(
    "cookie", ["-", "", "a=b", "a=b; c=d e", r"a=\"b c\"", "x 6.6.6.6 - - y", "12 13", "a [b] c"]
)
@pytest.mark.parametrize(
    ("form", "line"),
    [
        (f'%h {APACHE} %{{Cookie}}i "%{{User-Agent}}i"', '203.0.113.9 - - {r} {c} "curl/8"'),
        (f'%h {APACHE} "%{{User-Agent}}i" %{{Cookie}}i %D', '203.0.113.9 - - {r} "curl/8" {c} 7'),
        (f'%{{Cookie}}i %h {APACHE} "%{{User-Agent}}i"', '{c} 203.0.113.9 - - {r} "curl/8"'),
        (f'%h {APACHE} %{{X-Id}}o|"%{{User-Agent}}i"', '203.0.113.9 - - {r} {c}|"curl/8"'),
        (
            f'%h {APACHE} "%{{User-Agent}}i" "c=%{{Cookie}}i %D"',
            '203.0.113.9 - - {r} "curl/8" "c={c} 7"',
        ),
        (
            f"$http_cookie $remote_addr {NGINX} $http_user_agent $request_length",
            "{c} 203.0.113.9 {r} curl/8 17",
        ),
    ],
)
def test_a_header_without_quotes_may_hold_spaces(form: str, line: str, cookie: str) -> None:
    """Nothing that a visitor writes into it becomes the client."""
    hit = read_one(form, line.format(r=REQUEST, c=cookie))
    assert (hit["client"], hit["path"], hit["status"], hit["bytes_sent"]) == (
        "203.0.113.9", "/a", 200, 2326,
    )  # fmt: skip
    assert hit["user_agent"] == "curl/8"


@pytest.mark.parametrize(
    "variable", ["remote_addr", "the_real_ip", "realip_remote_addr", "proxy_protocol_addr"]
)
def test_what_names_the_peer_is_the_client(variable: str) -> None:
    """The PROXY protocol is spoken by who is let connect; none of these is a header."""
    for form, line in (
        (f"${variable} - $remote_user {NGINX}", f"203.0.113.9 - - {REQUEST}"),
        (
            f'{{"t":"$msec","c":"${variable}","r":"$request"}}',
            '{"t":"1728561336.1","c":"203.0.113.9","r":"GET /a HTTP/1.1"}',
        ),
    ):
        hit = read_one(form, line)
        assert (hit["client"], "forwarded" in hit, hit["path"]) == ("203.0.113.9", False, "/a")


@pytest.mark.parametrize("header", [*FORWARDING, "proxy-protocol"])
def test_what_a_proxy_names_beside_its_own_address_has_to_be_trusted(header: str) -> None:
    variable = "http_" + header.replace("-", "_")
    if header == "proxy-protocol":
        variable = "proxy_protocol_addr"
    formats = [
        f"$remote_addr ${variable} {NGINX}",
        f'{{"p":"$remote_addr","t":"$msec","c":"${variable}","r":"$request"}}',
    ]
    lines = [
        f"10.0.0.1 203.0.113.9 {REQUEST}",
        '{"p":"10.0.0.1","t":"1728561336.1","c":"203.0.113.9","r":"GET /a HTTP/1.1"}',
    ]
    if header != "proxy-protocol":
        formats.append(f"%h %{{{header.title()}}}i {APACHE}")
        lines.append(f"10.0.0.1 203.0.113.9 - - {REQUEST}")
    for form, line in zip(formats, lines, strict=True):
        hit = read_one(form, line)
        assert (hit["client"], hit["forwarded"]) == ("10.0.0.1", "203.0.113.9")
        assert forwarded_kind(find_layout(form)) == header
        assert header in HEADERS


def test_a_header_alone_is_no_peer() -> None:
    """It is only what the visitor says, unless ``unlogged`` proxies are trusted."""
    hit = read_one(f"$http_x_real_ip {NGINX}", f"203.0.113.9 {REQUEST}")
    assert (hit["client"], hit["forwarded"]) == ("-", "203.0.113.9")


@pytest.mark.parametrize(
    ("variables", "kind", "forwarded"),
    [
        ("$http_x_real_ip $http_x_forwarded_for", "x-forwarded-for", "2.2.2.2"),
        ("$http_x_forwarded_for $http_x_real_ip", "x-forwarded-for", "1.1.1.1"),
        ("$proxy_protocol_addr $http_x_real_ip", "x-real-ip", "2.2.2.2"),
        ("$proxy_protocol_addr $realip_remote_addr", "proxy-protocol", "1.1.1.1"),
        ("$http_x_client_ip $http_x_real_ip", "x-client-ip", "1.1.1.1"),
    ],
)
def test_of_several_that_name_a_client_one_is_taken(
    variables: str, kind: str, forwarded: str
) -> None:
    """Lists and a CDN's own headers go before others, those before the PROXY protocol."""
    form = f'$remote_addr "{variables.replace(" ", chr(34) + " " + chr(34))}" {NGINX}'
    hit = read_one(form, f'10.0.0.1 "1.1.1.1" "2.2.2.2" {REQUEST}')
    assert (hit["client"], hit["forwarded"]) == ("10.0.0.1", forwarded)
    assert forwarded_kind(find_layout(form)) == kind


def test_a_format_without_a_client_says_what_to_add() -> None:
    with pytest.raises(SettingsError, match="it has no client: add %h or"):
        find_layout(f"$my_own_variable {NGINX}")
