"""The text layouts: what each reads of its example, of hostile lines, and what is no request."""

from datetime import UTC, datetime
from time import process_time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from layout_lines import read

from pipeline.errors import SettingsError
from pipeline.formats import aws, envoy, haproxy, iis_native, squid, web_servers
from pipeline.formats.fields import FIELDS
from pipeline.formats.json_lines import JsonLayout
from pipeline.formats.json_settings import compile_json
from pipeline.formats.layouts import find_layout
from pipeline.formats.pattern import Pattern
from pipeline.formats.targets import split_request
from pipeline.formats.templates import compile_format

FAMILIES = (web_servers, aws, haproxy, squid, envoy, iis_native)
LAYOUTS = {layout.name: layout for family in FAMILIES for layout in family.LAYOUTS}

NOON = datetime(2024, 10, 10, 11, 55, 36, tzinfo=UTC)
"""13:55:36 +0200."""
TWO = datetime(2024, 10, 10, 13, 55, 36, tzinfo=UTC)
COMMON = {
    "ts": NOON, "client": "192.0.2.10", "method": "GET", "path": "/a", "query": "b=c",
    "protocol": "HTTP/1.1", "status": 200, "bytes_sent": 2326,
}  # fmt: skip
COMBINED = COMMON | {"referrer": "https://example.org/", "user_agent": "Mozilla/5.0"}
HOST = {"host": "www.example.com"}
BALANCED = COMMON | {
    "ts": NOON.replace(microsecond=123456), "host": "www.example.com", "duration_ms": 12.0,
}  # fmt: skip
BROWSER = {"user_agent": "Mozilla/5.0"}
NATIVE: dict[str, Any] = {
    "ts": datetime(2016, 11, 8, 7, 55, 20, tzinfo=UTC), "client": "203.0.113.7", "method": "GET",
    "path": "/english/", "query": "lang=en", "status": 200, "bytes_sent": 5120,
    "duration_ms": 46.0,
}  # fmt: skip
EXPECTED: dict[str, dict[str, Any]] = {
    "vhost_combined": COMBINED | HOST | {"client": "2001:db8::10"},
    "vhost_common": COMMON | HOST,
    "nginx_ingress": COMBINED | {"ts": TWO, "duration_ms": 12.0},
    "combined_forwarded": COMBINED | {"forwarded": "198.51.100.7, 203.0.113.9"},
    "nginx_request_time": COMBINED | {"duration_ms": 12.0},
    "combinedio": COMBINED,
    "apache_duration": COMBINED | {"duration_ms": 12.345},
    "tomcat_duration": COMMON | {"path": "/shop/cart", "query": "id=7", "duration_ms": 12.0},
    "jetty_latency": COMBINED | {"ts": TWO, "duration_ms": 12.0},
    "icecast2": COMMON
    | {"path": "/live.ogg", "query": None, "bytes_sent": 734003}
    | {"user_agent": "VLC/3.0.18", "duration_ms": 314_000.0},
    "gandi": COMBINED | HOST | {"ts": TWO, "duration_ms": 0.0},
    "ovh": COMBINED | HOST,
    "couchbase": COMMON
    | {"ts": TWO, "path": "/pools/default", "bytes_sent": 512}
    | {"user_agent": "curl/8.5.0", "duration_ms": 5.0},
    "vhost_nginx_ingress": COMBINED | HOST | {"ts": TWO, "duration_ms": 12.0},
    "vhost_nginx_request_time": COMBINED | HOST | {"duration_ms": 12.0},
    "vhost_combinedio": COMBINED | HOST,
    "nginx_proxy": COMBINED | HOST | {"protocol": "HTTP/2.0"},
    "npm_proxy": COMBINED | HOST | {"protocol": None},
    "npm_standard": COMBINED | HOST | {"protocol": None},
    "litespeed": COMBINED,
    "litespeed_common": COMMON,
    "alb": BALANCED | BROWSER,
    "elb": BALANCED | BROWSER,
    "elb_2014": BALANCED | {"ts": BALANCED["ts"].replace(year=2014)},
    "s3": COMBINED
    | {"path": "/a.html", "host": "example-bucket.s3.eu-central-1.amazonaws.com"}
    | {"duration_ms": 12.0},
    "haproxy": COMMON
    | {"ts": TWO.replace(microsecond=655_000), "bytes_sent": 2750, "duration_ms": 109.0},
    "haproxy_clf": COMMON | {"bytes_sent": 2750, "duration_ms": 109.0},
    "squid": COMMON
    | HOST
    | {"ts": NOON.replace(microsecond=123_000), "protocol": None, "duration_ms": 12.0},
    "squid_combined": COMBINED | HOST,
    "iis_native": NATIVE,
    "iis_native_day_first": NATIVE,
    "envoy": COMMON
    | HOST
    | BROWSER
    | {"ts": NOON.replace(microsecond=123_000), "client": "-", "forwarded": "192.0.2.10"}
    | {"duration_ms": 12.0},
    "istio": COMMON
    | HOST
    | BROWSER
    | {"ts": NOON.replace(microsecond=123_000), "client": "203.0.113.9", "duration_ms": 12.0}
    | {"forwarded": "192.0.2.10,198.51.100.7"},
}


def read_hit(layout: Pattern | JsonLayout, line: str) -> dict[str, Any]:
    """Read a line that is a hit."""
    block = read(layout, line)
    assert (len(block.hits), block.rejects, block.directives) == (1, [], [])
    return block.hits.to_pylist()[0]


def changed(name: str, old: str, new: str) -> dict[str, Any]:
    """Read a layout's example with one part replaced."""
    layout = LAYOUTS[name]
    assert old in layout.example
    return read_hit(layout, layout.example.replace(old, new))


@pytest.mark.parametrize("name", LAYOUTS)
def test_an_example_has_exactly_these_fields(name: str) -> None:
    hit = read_hit(LAYOUTS[name], LAYOUTS[name].example + "\r\n")
    assert hit == dict.fromkeys(FIELDS.names) | {"line_no": 1} | EXPECTED[name]


def test_names_differ() -> None:
    assert len(LAYOUTS) == sum(len(family.LAYOUTS) for family in FAMILIES) == len(EXPECTED)


@pytest.mark.parametrize("name", LAYOUTS)
def test_error_logs_are_no_requests_and_the_lines_beside_them_are(name: str) -> None:
    errors = (
        "[Wed Oct 09 14:32:52 2024] [error] [client 192.0.2.1] client denied: /srv/a",
        (
            "[Wed Oct 09 14:32:52.902022 2024] [core:error] [pid 35708:tid 4328636416] [client "
            "192.0.2.1:40000] File does not exist: /srv/favicon.ico"
        ),
        (
            '2024/10/09 14:32:52 [error] 12#12: *7 open() "/srv/a" failed (2: No such file), client'
            ': 192.0.2.1, server: www.example.com, request: "GET /a HTTP/1.1"'
        ),
        "2024/10/09 14:32:52 [notice] 1#1: signal process started",
    )
    block = read(LAYOUTS[name], errors[0], LAYOUTS[name].example, *errors[1:], "", "nonsense")
    assert block.hits["line_no"].to_pylist() == [2]
    assert block.directives == [1, 3, 4, 5]
    assert block.blank == [6]
    assert [number for number, _, _ in block.rejects] == [7]


def test_what_only_looks_like_an_error_log_is_rejected() -> None:
    lines = ("[error] x", "2024/10/09 14:32:52 GET /a", "[Wed Oct 09 2024] [error] x")
    assert len(read(LAYOUTS["vhost_combined"], *lines).rejects) == 3


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize(
    "tail", ["\x00", '"' * 2000, "\\" * 2001, " {" * 2000, "\x1b[31m", "é" * 500, "' OR 1=1 --"]
)
def test_a_hostile_tail_loses_no_line(name: str, tail: str) -> None:
    layout = LAYOUTS[name]
    middle = len(layout.example) // 2
    lines = [
        layout.example + tail, tail + layout.example, tail,
        layout.example[:middle] + tail + layout.example[middle:], layout.example[:middle],
    ]  # fmt: skip
    block = read(layout, *lines)
    assert len(block.hits) + len(block.rejects) + len(block.directives) == len(lines)
    assert all(1 <= why.column <= len(line) + 1 for _, line, why in block.rejects)


@pytest.mark.parametrize(
    ("name", "old", "new", "reason"),
    [
        ("vhost_combined", "10/Oct/2024", "31/Feb/2024", "time"),
        ("apache_duration", " 200 ", " 999 ", "status"),
        ("combined_forwarded", '"198.51.100.7, 203.0.113.9"', "", "forwarded"),
        ("haproxy", "[10/Oct/2024:13:55:36.655]", "[10/Oct/2024:25:55:36.655]", "time"),
        ("haproxy", " 2750 ", " lots ", "bytes"),
        ("alb", "192.0.2.10:2817", "192.0.2.10", "duration_s"),
        ("alb", "https ", "carrier-pigeon ", "time"),
        ("s3", "[10/Oct/2024:11:55:36 +0000]", "-", "time"),
        ("squid", "1728561336.123", "1728561336", "time"),
        ("envoy", "2024-10-10T11:55:36.123Z", "2024-13-10T11:55:36.123Z", "time"),
    ],
)
def test_a_wrong_field_is_named(name: str, old: str, new: str, reason: str) -> None:
    block = read(LAYOUTS[name], LAYOUTS[name].example.replace(old, new))
    assert [why.reason for _, _, why in block.rejects] == [reason]


def test_many_wrong_times_are_each_told_where() -> None:
    wrong = LAYOUTS["vhost_common"].example.replace("10/Oct", "31/Feb")
    block = read(LAYOUTS["vhost_common"], *[wrong, "a" + wrong] * 500)
    at = wrong.index("31/Feb") + 1
    assert [why.column for _, _, why in block.rejects] == [at, at + 1] * 500


def test_a_virtual_host_has_a_port_or_none() -> None:
    assert changed("vhost_combined", "com:443 ", "com ")["host"] == "www.example.com"
    assert changed("vhost_common", "com ", "com:8080 ")["host"] == "www.example.com"


def test_quotes_in_headers_stay_inside() -> None:
    agent = r"x\" 500 0 \"-\" \"y"
    hit = changed("combined_forwarded", "Mozilla/5.0", agent)
    assert (hit["user_agent"], hit["forwarded"]) == (agent, "198.51.100.7, 203.0.113.9")
    user = changed("apache_duration", "10 - - [", '10 - a [b] "c [')
    assert (user["status"], user["path"]) == (200, "/a")


def test_ingress_with_several_upstreams() -> None:
    hit = changed("nginx_ingress", "10.0.0.5:8080 2326", "10.0.0.5:8080, 10.0.0.6:8080 0, 2326")
    assert hit["duration_ms"] == 12.0


def test_jetty_logs_cookies_before_the_latency() -> None:
    assert changed("jetty_latency", '" 12', '" "a=b" 12')["duration_ms"] == 12.0
    assert changed("jetty_latency", '" 12', '" - 12')["duration_ms"] == 12.0


@pytest.mark.parametrize("tail", ["Unauthorized attempt", "404 not found", "Not modified", ""])
def test_couchbase_ends_in_words(tail: str) -> None:
    assert changed("couchbase", "Request took 5ms", tail)["duration_ms"] is None


@pytest.mark.parametrize("name", ["alb", "elb", "elb_2014"])
@pytest.mark.parametrize(
    ("written", "client"),
    [("[2001:db8::1]:443", "2001:db8::1"), ("2001:db8::1:443", "2001:db8::1")],
)
def test_a_load_balancers_client_is_the_address(name: str, written: str, client: str) -> None:
    assert changed(name, "192.0.2.10:2817", written)["client"] == client


def test_alb_types_and_fields_to_come() -> None:
    for kind in ("http", "h2", "grpcs", "ws", "wss"):
        assert changed("alb", "https ", f"{kind} ")["path"] == "/a"
    assert changed("alb", ' "-" "-" "-"', ' "-" "-" "-" "new" -')["user_agent"] == "Mozilla/5.0"
    assert changed("alb", "10.0.0.1:80 0.001 0.012 0.000", "- -1 -1 -1")["duration_ms"] is None
    assert changed("alb", "GET https://www.example.com:443/a?b=c HTTP/1.1", "- http://x:80- -")[
        "method"
    ] is None  # fmt: skip
    assert changed("alb", "Mozilla/5.0", 'a"b\\')["user_agent"] == 'a"b\\'


def test_connections_of_load_balancers_are_no_requests() -> None:
    tcp = (
        "2024-10-10T11:55:36.123456Z my-balancer 192.0.2.10:2817 10.0.0.1:80 0.001069 0.000028 "
        '0.000041 - - 82 305 "- - - "'
    )
    tls = (
        "tls 2.0 2024-10-10T11:55:36 net/my-nlb/c6e77e28c25b2234 g3d4b5e8bb8464cd 192.0.2.10:51341 "
        "10.0.0.1:443 5 2 98 246 - arn:aws:acm:eu-central-1:123456789012:certificate/a - "
        "ECDHE-RSA-AES128-SHA tlsv12 - www.example.com - - -"
    )
    assert read(aws.ELB, tcp + ' "-" - -', tls, aws.ELB.example).directives == [1, 2]
    assert read(aws.ELB_2014, tcp, tls).directives == [1, 2]
    assert read(aws.ALB, tls, aws.ALB.example).directives == [1]


def test_s3_quotes_dashes_and_later_fields() -> None:
    assert changed("s3", "/a.html?b=c", '/a"b"?c="d"')["path"] == '/a"b"'
    assert changed("s3", '"GET /a.html?b=c HTTP/1.1"', "-")["method"] is None
    old = changed("s3", LAYOUTS["s3"].example.partition('5.0" -')[2], "")
    assert (old["host"], old["user_agent"]) == (None, "Mozilla/5.0")
    later = changed("s3", "TLSv1.2 - -", "TLSv1.2 - - - new")
    assert later["host"] == "example-bucket.s3.eu-central-1.amazonaws.com"
    none = changed("s3", " 200 - 2326 2326 12 11 ", " - - - - - - ")
    assert (none["status"], none["bytes_sent"], none["duration_ms"]) == (None, None, None)


def test_s3_lifecycle_and_batches_are_no_requests() -> None:
    owner = "79a5 bucket [10/Oct/2024:11:55:36 +0000]"
    expired = f'{owner} - AmazonS3 3E57 S3.EXPIRE.OBJECT a - - - - 7 - - "-" "-" - x= - - - - - -'
    batch = f"{owner} 192.0.2.10 79a5 3E57 BATCH.DELETE.OBJECT a - 204 - - 7 - - - - - x= - - - - -"
    copied = f"{owner} 192.0.2.10 79a5 3E57 REST.COPY.OBJECT_GET a - 200 - - 7 - - - - -"
    part = f'{owner} 192.0.2.10 79a5 3E57 REST.COPY.PART_GET a "-" 200 - - 7 - - "-" "-" -'
    assert read(aws.S3, expired, batch, copied, part).directives == [1, 2, 3, 4]
    assert changed("s3", "REST.GET.OBJECT", "REST.COPY.OBJECT")["path"] == "/a.html"


@pytest.mark.parametrize(
    ("referrer", "agent"),
    [
        ('"() { :;}; echo "x""', '"() { :;}; echo "x""'),
        ('"https://example.org/""', '"a" "b" "c"'),
        ('"-"', '"x" - id SigV4 cipher auth evil.example TLSv1.2 - -"'),
        ('"-"', '""'),
        ("-", "-"),
        ('"a" - b"', '"Safari/604.1""'),
    ],
)
@pytest.mark.parametrize("tail", ["", " -", " - id= - cipher - b.example TLSv1.2 - - new"])
def test_an_agent_of_s3_ends_at_the_lines_last_quote(referrer: str, agent: str, tail: str) -> None:
    """S3 escapes nothing, and what follows the agent, or is cut off, has no quotes."""
    before = LAYOUTS["s3"].example.partition(' "https:')[0]
    hit = read_hit(aws.S3, f"{before} {referrer} {agent}{tail}")
    assert hit["user_agent"] == (agent[1:-1] if agent != "-" else "-")
    assert (hit["referrer"] or "-") == (referrer[1:-1] or "-")
    assert (hit["status"], hit["host"]) == (200, "b.example" if "id=" in tail else None)


def test_a_line_of_s3_that_ends_within_its_agent_is_rejected() -> None:
    for end in (' "https://example.org/" "Mozilla', ' "https://example.org/"', ' "https'):
        block = read(aws.S3, LAYOUTS["s3"].example.partition(' "https:')[0] + end)
        assert [why.reason for _, _, why in block.rejects] in (["agent"], ["referrer"])


def test_haproxy_variants() -> None:
    assert changed("haproxy", "192.0.2.10:", "2001:db8::1:")["client"] == "2001:db8::1"
    assert changed("haproxy", "{www.example.com|} {} ", "")["path"] == "/a"
    assert changed("haproxy", "{www.example.com|}", "{Mozilla/5.0 (X11; U)|a}")["path"] == "/a"
    early = changed("haproxy", "/109 200 2750", "/+109 200 +2750")
    assert (early["duration_ms"], early["bytes_sent"]) == (109.0, 2750)
    aborted = changed("haproxy", "10/0/30/69/109 200", "-1/-1/-1/-1/-1 -1")
    assert (aborted["status"], aborted["duration_ms"]) == (None, None)
    bad = changed("haproxy", "GET /a?b=c HTTP/1.1", "<BADREQ>")
    assert (bad["method"], bad["path"]) == (None, None)
    cut = changed("haproxy", ' HTTP/1.1"', "")
    assert (cut["path"], cut["query"], cut["protocol"]) == ("/a", "b=c", None)


def test_haproxy_writes_local_time() -> None:
    local = haproxy.HAPROXY.in_zone(ZoneInfo("Europe/Berlin"))
    assert read_hit(local, local.example)["ts"] == NOON.replace(microsecond=655_000)


def test_haproxy_lines_that_are_no_requests() -> None:
    lines = (
        (
            "192.0.2.10:40962 [10/Oct/2024:13:55:36.285] main "
            "app/<NOSRV> -1/-1/1 212 SC 1/1/0/0/0 0/0"
        ),
        "192.0.2.10:40962 [10/Oct/2024:13:55:36.285] main app/a 0/1/+5 +212 -- 1/1/0/0/0 0/0",
        ("192.0.2.10:40962 [10/Oct/2024:13:55:36.285] https-in/1: SSL handshake failure"),
        "Server app/a is DOWN, reason: Layer4 timeout.",
        "Connect from 192.0.2.10:33312 to 10.0.3.31:80 (www/HTTP)",
    )
    assert read(haproxy.HAPROXY, *lines).directives == [1, 2, 3, 4, 5]


def test_squid_requests_and_what_is_none() -> None:
    tunnel = changed("squid", "GET http://www.example.com/a?b=c", "CONNECT www.example.com:443")
    told = (tunnel["method"], tunnel["host"], tunnel["path"])
    assert told == ("CONNECT", "www.example.com:443", None)
    assert changed("squid", "TCP_MISS/200", "TCP_MISS_ABORTED/000")["status"] is None
    assert changed("squid", " - HIER", " a user HIER")["path"] == "/a"
    assert changed("squid", "text/html", "text/html [Host: a\\r\\n] [b]")["path"] == "/a"
    none = (
        (
            "1728561336.123      0 192.0.2.10 NONE/000 0 NONE error:transaction-end-before-headers "
            "- HIER_NONE/- -"
        ),
        "1728561336.123      0 192.0.2.10 NONE/400 3887 NONE error:invalid-request - HIER_NONE/- -",
        "1728561336.123      0 192.0.2.10 NONE_NONE/000 0 NONE - - HIER_NONE/- -",
        "1728561336.123      0 192.0.2.10 TAG_NONE/400 - - - - HIER_NONE/- -",
        (
            "1728561336.123      0 192.0.2.10 UDP_MISS/000 64 ICP_QUERY http://www.example.com/ - "
            "HIER_NONE/- -"
        ),
    )
    assert read(squid.SQUID, *none).directives == [1, 2, 3, 4, 5]
    combined = squid.SQUID_COMBINED.example.replace(
        "GET http://www.example.com/a?b=c HTTP/1.1", "NONE error:invalid-request HTTP/0.0"
    )
    assert read(squid.SQUID_COMBINED, combined).directives == [1]


def test_envoy_dashes_connections_and_quotes() -> None:
    hit = changed("envoy", '12 11 "192.0.2.10"', '12 - "-"')
    assert (hit["forwarded"], hit["duration_ms"]) == (None, 12.0)
    unread = changed("envoy", '"GET /a?b=c HTTP/1.1" 200 -', '"- - HTTP/1.1" 400 DPE')
    assert (unread["method"], unread["path"], unread["status"]) == (None, None, 400)
    assert changed("envoy", " 200 - ", " 0 DC ")["status"] is None
    forged = changed("envoy", "Mozilla/5.0", 'a" "b" "evil.example" "10.0.0.9:80')
    assert forged["host"] == "www.example.com"
    tcp = '[2024-10-10T11:55:36.123Z] "- - -" 0 - 120 240 12 - "-" "-" "-" "-" "10.0.0.1:80"'
    assert read(envoy.ENVOY, tcp).directives == [1]
    istio = tcp.replace(" 0 - ", ' 0 - - - "-" ') + " a b c 192.0.2.10:4 - -"
    assert read(envoy.ISTIO, istio).directives == [1]


def test_istio_old_default_and_addresses_of_version_6() -> None:
    assert changed("istio", ' via_upstream - "-" ', ' "-" "-" ')["client"] == "203.0.113.9"
    assert changed("istio", "203.0.113.9:", "[2001:db8::9]:")["client"] == "2001:db8::9"


@pytest.mark.parametrize(
    "request_line",
    [
        "GET /a?b=c HTTP/1.1", "GET http://a.example/b?c HTTP/1.1", "GET http:///b HTTP/1.1",
        "GET http://-/b HTTP/1.1", "GET http://a HTTP/1.1", "GET http://a?x HTTP/1.1",
        "GET http://u@h:8/p#x?y HTTP/1.0", "GET //a/b HTTP/1.1", "CONNECT a:1 HTTP/1.1",
        "CONNECT [2001:db8::1]:443 HTTP/1.1", "CONNECT /a HTTP/1.1", "CONNECT a:443", "CONNECT *",
        "GET https://a:443/b HTTP/1.1", "GET http://a:80 HTTP/1.1", "GET http://a:443/ HTTP/1.1",
        "GET HTTPS://[::1]:443/?b HTTP/1.1", "GET https://a:80/b HTTP/1.1", "GET ws://a:80/ HTTP/2",
        "GET http://:80/ HTTP/1.1", "GET ftp://a:80/b HTTP/1.1", "GET http://a:8080/:80 HTTP/1.1",
        "get / HTTP/1.1", "-", "", "GET http://a b/c HTTP/1.1", "GET 9http://a/ HTTP/1.1",
    ],
)  # fmt: skip
def test_a_block_splits_requests_as_one_alone_is_split(request_line: str) -> None:
    hit = changed("combinedio", "GET /a?b=c HTTP/1.1", request_line)
    names = ("method", "host", "path", "query", "protocol")
    assert tuple(hit[name] for name in names) == split_request(request_line)


D = "[10/Oct/2024:13:55:36 +0200]"
REST = f'{D} "GET /a?b=c HTTP/1.1" 200 2326'
LISTED = '%{X-Forwarded-For}i %h %l %u %t "%r" %>s %b'
ADDED = '$proxy_add_x_forwarded_for $remote_addr - $remote_user [$time_local] "$request"'


def read_as(form: str, line: str, *names: str) -> tuple[Any, ...]:
    """Some fields of a line that a format string reads."""
    hit = read_hit(compile_format(form), line)
    return tuple(hit[name] for name in names)


@pytest.mark.parametrize("form", [LISTED, ADDED + " $status $body_bytes_sent", LISTED + " %D"])
@pytest.mark.parametrize(
    "forwarded",
    ["6.6.6.6, 7.7.7.7", "6.6.6.6,7.7.7.7 , 8.8.8.8", 'for="[::1]", for=a; proto=b', "evil, ", ""],
)
def test_a_forwarding_header_without_quotes_is_a_list(form: str, forwarded: str) -> None:
    forwarded = forwarded.replace('"', r"\"")
    line = f"{forwarded} 203.0.113.5 - - {REST}" + " 7" * ("%D" in form)
    read = read_as(form, line, "client", "forwarded", "path")
    assert read == ("203.0.113.5", forwarded or None, "/a")


@pytest.mark.parametrize("forged", ["6.6.6.6 9.9.9.9 - -", "a b", "1.2.3.4 5.6.7.8, 9.9.9.9"])
def test_a_forged_list_names_no_other_peer(forged: str) -> None:
    block = read(compile_format(LISTED), f"{forged} 203.0.113.5 - - {REST}")
    assert set(block.hits["client"].to_pylist()) <= {"203.0.113.5"}


@pytest.mark.parametrize("form", ["$remote_addr:$remote_port", "%h:%{remote}p", "%a:%{c}p"])
@pytest.mark.parametrize("client", ["2001:db8::1", "192.0.2.10", "::ffff:192.0.2.10"])
def test_an_address_before_a_port_ends_at_the_last_colon(form: str, client: str) -> None:
    rest = '[$time_local] "$request"' if "$" in form else '%t "%r"'
    read = read_as(f"{form} {rest}", f'{client}:4444 {D} "GET / HTTP/1.1"', "client", "path")
    assert read == (client, "/")


@pytest.mark.parametrize(
    ("form", "target", "expected"),
    [
        ("$uri$is_args$args", "/a?x=1-", (None, "/a", "x=1-")),
        ("$uri$is_args$args", "/a", (None, "/a", None)),
        ("$uri$is_args$args", "/a-", (None, "/a", None)),
        ("$uri$is_args$args", "/a b?x=1 y", (None, "/a b", "x=1 y")),
        ("$scheme://$host$request_uri", "https://b.example/a?x=1", ("b.example", "/a", "x=1")),
        ("$host:$server_port$uri", "[::1]:8080/a:1", ("[::1]", "/a:1", None)),
        ("$host$request_uri", "b.example/a?x=1", ("b.example", "/a", "x=1")),
        ("$host$uri", "b.example/a", ("b.example", "/a", None)),
        ("$request_uri", "/a b?x=1", (None, "/a b", "x=1")),
        ("%U%q", "/a b?x=1", (None, "/a b", "x=1")),
        ("%U %q", "/a b ?x=1", (None, "/a b", "x=1")),
        ("%U%q", r"/a\"b", (None, r"/a\"b", None)),
        ("%U", "/a?b c", (None, "/a?b c", None)),
    ],
)
def test_a_request_in_parts(form: str, target: str, expected: tuple[str | None, ...]) -> None:
    if "$" in form:
        form = f'$remote_addr [$time_local] "$request_method {form} $server_protocol"'
    else:
        form = f'%h %t "%m {form} %H"'
    line = f'192.0.2.10 {D} "GET {target} HTTP/1.1"'
    read = read_as(form, line, "method", "protocol", "host", "path", "query")
    assert read == ("GET", "HTTP/1.1", *expected)


@pytest.mark.parametrize("client", ["2001:db8::1", "192.0.2.10"])
def test_a_port_before_a_tab(client: str) -> None:
    line = f"{client}:4444\t{D}\tGET /a\tb.example:443\t-"
    form = "$remote_addr:$remote_port\t[$time_local]\t$request\t$host:$server_port\t$http_x"
    assert read_as(form, line, "client", "host", "path") == (client, "b.example", "/a")


def test_a_peer_behind_the_list_and_a_comma() -> None:
    line = f'6.6.6.6, 7.7.7.7, 203.0.113.5 - - {D} "GET / HTTP/1.1" 200 5'
    read = read_as(LISTED.replace("i %h", "i, %h"), line, "client", "forwarded")
    assert read == ("203.0.113.5", "6.6.6.6, 7.7.7.7")


def test_a_header_before_a_quote_may_hold_spaces() -> None:
    form = '%h %t "%r" %{X-Forwarded-For}i "%{Referer}i"'
    line = f'192.0.2.10 {D} "GET / HTTP/1.1" evil one, 6.6.6.6 "-"'
    assert read_as(form, line, "client", "forwarded") == ("192.0.2.10", "evil one, 6.6.6.6")


def test_a_path_alone_in_quotes() -> None:
    assert read_as('%h %t "%U" "%q" %>s', rf'::1 {D} "/a\" b" "?x=1" 200', "path", "query") == (
        r"/a\" b", "x=1",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("form", "written", "duration"),
    [
        ("%T/%D", "0/12345", 12.345), ("%D %T", "12345 0", 12.345), ("%{ms}T %{us}T", "12 12345",
        12.345), ("%T %{ms}T", "0 12", 12.0), ("%^FB %D %I %O %S", "7 12345 1 2 3", 12.345),
    ],
)  # fmt: skip
def test_the_finest_duration_counts(form: str, written: str, duration: float) -> None:
    line = f'192.0.2.10 {D} "GET / HTTP/1.1" {written}'
    assert read_as(f'%h %t "%r" {form}', line, "duration_ms") == (duration,)


@pytest.mark.parametrize(
    ("form", "written", "moment"),
    [
        ("%{sec}t.%{msec_frac}t", "1728561336.123", NOON.replace(microsecond=123_000)),
        ("%{%s}t.%{usec_frac}t", "1728561336.000123", NOON.replace(microsecond=123)),
        ("%{%s}t", "1728561336", NOON),
        ("[%{%e/%b/%Y:%T %z}t]", "[ 1/Oct/2024:13:55:36 +0200]", NOON.replace(day=1)),
        ("%{%c}t", "Thu Oct 10 11:55:36 2024", NOON),
        ("%{%c}t", "Tue Oct  1 11:55:36 2024", NOON.replace(day=1)),
        ("%{%F %T %Z}t", "2024-10-10 11:55:36 GMT", NOON),
        ("%{%F %T %Z}t", "2024-10-10 13:55:36 CEST", NOON),
        ("%{%F %T %Z}t", "2024-10-27 02:30:00 CET", datetime(2024, 10, 27, 1, 30, tzinfo=UTC)),
        ("%{%F %T %Z}t", "2024-10-27 02:30:00 CEST", datetime(2024, 10, 27, 0, 30, tzinfo=UTC)),
        ("%{%F}t %{%T}t %{%z}t", "2024-10-10 13:55:36 +0200", NOON),
        ("%{%F %T %Z}t", "2024-10-10 13:55:36 EST", None),
    ],
)
def test_times_of_apache(form: str, written: str, moment: datetime | None) -> None:
    layout = compile_format(f'%h {form} "%r"')
    zone = None if "%c" in form else ZoneInfo("Europe/Berlin")
    block = read(layout.in_zone(zone), f'192.0.2.10 {written} "GET / HTTP/1.1"')
    assert block.hits["ts"].to_pylist() == ([moment] if moment else [])


def test_directives_of_apaches_own_modules() -> None:
    form = (
        "%400,501{User-agent}i %!200,304{Referer}i %A %{a}C %{a}e %f %H %k %L %{c}L %m %{a}n %{a}o"
        " %p %{local}p %P %{tid}P %R %X %I %O %S %^FB %{a}^ti %{a}^to %{SSL_PROTOCOL}x"
        ' %{SSL_CIPHER}c %h %l %u %t "%r" %>s %b'
    )
    before = " ".join(["-"] * 9 + ["-"] + ["-"] * 17)
    assert form.partition(" %h")[0].count("%") == before.count("-") == 27
    assert read_as(form, f"{before} 192.0.2.10 - - {REST}", "client", "status") == (
        "192.0.2.10", 200,
    )  # fmt: skip


PIECES = """'$remote_addr - $remote_user [$time_local] "$request" '
                      '$status $body_bytes_sent' # and so on
                      ' "$http_referer" "$http_user_agent"'"""
QUOTED_LINE = f'192.0.2.10 - - {REST} "-" "x"'


@pytest.mark.parametrize(
    ("form", "line"),
    [
        (PIECES, QUOTED_LINE),
        (f"log_format main {PIECES};", QUOTED_LINE),
        (f"\n    log_format  main\n  escape=default {PIECES};\n", QUOTED_LINE),
        (f"log_format main escape=json {PIECES};", QUOTED_LINE.replace('"x"', r'"\"x\u001f"')),
        (f"escape=none {PIECES}", QUOTED_LINE.replace('"x"', '"say "hi" \\"')),
        ('"$remote_addr - [$time_local] \\"$request\\" "\n"$status"', f"192.0.2.10 - {REST[:-5]}"),
        (r'LogFormat "%h %l %u %t \"%r\" %>s %b" combined', QUOTED_LINE[:-8]),
        (r'"%h %l %u %t \"%r\" %>s %b"', QUOTED_LINE[:-8]),
        (r"%h %l %u %t \"%r\" %>s %b\n", QUOTED_LINE[:-8]),
        (r'CustomLog "logs/a b" "%h %l %u %t \"%r\" %>s %b" env=a', QUOTED_LINE[:-8]),
        (r'LogFormat "%h\t%t\t%m\t%U%q\t%H\t%s" a', f"192.0.2.10\t{D}\tGET\t/a?b=c\tHTTP/1.1\t200"),
        (r"$remote_addr\t[$time_local]\t$request\t$status", f"192.0.2.10\t{D}\tGET /a\t200"),
        ('log-format %h %^[%d:%t %^] "%r" %s %b', f"192.0.2.10 - - {REST}"),
    ],
)
def test_strings_as_they_stand_in_the_configuration(form: str, line: str) -> None:
    assert read_as(form, line, "client", "path", "status") == ("192.0.2.10", "/a", 200)


def test_a_value_of_json_or_none_is_kept_as_written() -> None:
    for escape, agent in (("json", r"\"x\u001f"), ("none", 'say "hi" \\')):
        line = QUOTED_LINE.replace('"x"', f'"{agent}"')
        assert read_as(f"escape={escape} {PIECES}", line, "user_agent") == (agent,)


def test_a_whole_directive_with_json() -> None:
    layout = find_layout(
        """log_format json escape=json '{"time":"$time_iso8601","who":"$http_x_forwarded_for",'
        '"do":"$request_method $uri$is_args$args $server_protocol","of":"$remote_user"}';"""
    )
    assert isinstance(layout, JsonLayout)
    line = '{"time":"2024-10-10T13:55:36+02:00","who":"6.6.6.6","do":"GET /a?b HTTP/2.0","of":""}'
    hit = read_hit(layout, line)
    assert (hit["client"], hit["forwarded"], hit["path"], hit["query"]) == (
        "-", "6.6.6.6", "/a", "b",
    )  # fmt: skip


@pytest.mark.parametrize(
    "form",
    [
        '%{X-Forwarded-For}i %l %u %t "%r" %>s %b',
        '$http_x_forwarded_for - $remote_user [$time_local] "$request" $status $body_bytes_sent',
        '~h{, } - - [%d:%t %^] "%r" %s %b',
        '~h{," } - - [%x] "%r" %s %b',
    ],
)
@pytest.mark.parametrize("forwarded", ["6.6.6.6", "6.6.6.6, 7.7.7.7"])
def test_a_log_without_its_peer_is_read(form: str, forwarded: str) -> None:
    read = read_as(form, f"{forwarded} - - {REST}", "client", "forwarded", "bytes_sent")
    assert read == ("-", forwarded, 2326)


def test_a_map_without_its_peer_is_read() -> None:
    layout = compile_json('{"time": "t", "request": "r", "forwarded": "f"}')
    assert layout is not None
    hit = read_hit(layout, '{"t": "2024-10-10T11:55:36Z", "r": "GET / HTTP/1.1", "f": "6.6.6.6"}')
    assert (hit["client"], hit["forwarded"]) == ("-", "6.6.6.6")


@pytest.mark.parametrize(
    "time", ["1728561336", "1728561336000", "2024-10-10T13:55:36+02:00", D[1:-1]]
)
def test_goaccess_date_and_time_in_one(time: str) -> None:
    line = f'"6.6.6.6, 7.7.7.7" [{time}] TLSv1.3 AES   "GET /a HTTP/1.1" 200'
    read = read_as('~h{," } [%x] %K %k %~"%r" %s', line, "ts", "forwarded", "path")
    assert read == (NOON, "6.6.6.6, 7.7.7.7", "/a")


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ('%t "%r"', "it has no client: add %h or $remote_addr"),
        ('%h "%r"', "it has no time: add %t"),
        ('%h %{%Q}t "%r"', "%Q of %{%Q}t in a time is not read: write %Y"),
        ('%h %{%T}t "%r"', "its time has no year: write date and time of day side by side"),
        ('%h %{%F}t "%r" %{%T}t', "its time has no hour"),
        ('%h %t "%r" %Z', "is no directive"),
        ('%h %t "%r" %{min}T', "the unit of %{min}T: write s, ms or us"),
        ('%h %t "%r" %x %y', "%y is no specifier of GoAccess"),
        ("{", "it is no JSON"),
        ('{"a": "$time_iso8601"}', "it has not a client"),
    ],
)
def test_a_bad_string_is_refused_with_its_key(form: str, said: str) -> None:
    with pytest.raises(SettingsError, match=r"^setting source\.web01\.layout = ") as caught:
        find_layout(form, "source.web01.layout")
    assert said in str(caught.value)


@pytest.mark.parametrize("request_form", ["%r", "%m %U%q %H"])
def test_a_long_hostile_line_is_rejected_soon(request_form: str) -> None:
    layout = compile_format(f'%h %l %u %t "{request_form}" %>s %b %D')
    line = f'1.2.3.4 - - {D} "GET /{"[ " * 400_000}" 200 45'
    started = process_time()
    ((_, _, why),) = read(layout, line).rejects
    assert process_time() - started < 20  # a tenth of a second here
    assert (why.reason, why.column) == ("duration_us", len(line) + 1)
