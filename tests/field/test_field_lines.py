"""Lines from reports of the field: each is read by itself or by the format that was given for it.

A folder beside this file has a case's input; the right values are those of its report.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

FIELD = Path(__file__).parent
Fields = dict[str, list[Any]]


@dataclass(frozen=True)
class Case:
    """A file, how it is said to be written, and the right values of its hits' fields."""

    file: str
    hits: int
    fields: Fields = field(default_factory=dict)
    formats: tuple[str | None, ...] = (None,)
    """Files with format strings, or names of layouts; None: found from the lines."""
    others: dict[str, int] = field(default_factory=dict)
    """Lines that are no hits, by outcome: the reason of a reject, `blank`, `directive`."""
    config: str | None = None


def five_clients(file: str, *formats: str | None, begin: str = "2022-11-10T12:11") -> Case:
    clients = [f"203.0.113.{n}" for n in range(1, 6)]
    times = [f"{begin}:0{n}Z" for n in range(1, 6)]
    return Case(file, 5, {"client": clients, "ts": times, "status": [200] * 5}, formats)


CHROME = (
    "Mozilla/5.0 (Windows NT 6.2; WOW64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/34.0.1847.116 Safari/537.36"
)
NPM = {
    "client": ["203.0.113.9", "2001:db8:aaaa::1234", "198.51.100.4"],
    "status": [200, 304, 401],
    "bytes_sent": [1101, 0, 27],
    "host": ["shop.example.com"] * 3,
    "path": ["/login", "/", "/robots.txt"],
    "query": ["next=%2F", None, None],
    "referrer": [None, "https://shop.example.com/login", None],
}
CASES = [
    Case("01-npm-default/proxy-host-1_access.log", 3, NPM, (None, "format.txt")),
    Case("03-iso-time-in-brackets/access.log", 2,
         {"client": ["203.0.113.9", "2001:db8::9"], "status": [200, 404],
          "ts": ["2025-09-09T10:15:30Z", "2025-09-09T10:15:31Z"]}, ("format.txt",)),
    Case("04-between-time-and-request/access.log", 2,
         {"status": [200, 200], "bytes_sent": [82695, 83181], "duration_ms": [3.0, 3.0]},
         ("format.txt",)),
    Case("05-ingress-variants/access.log", 4, {"status": [200, 101, 200, 200]}),
    Case("06-vhost-and-client-with-port/access.log", 4,
         {"client": ["203.0.113.11"] * 4, "host": ["www.example.com"] * 4}),
    Case("07-azure-gateway-ip-port/access.log", 6,
         {"client": ["203.0.113.11", "203.0.113.11", "198.51.100.7", "203.0.113.11",
                     "198.51.100.7", "203.0.113.11"]}),
    Case("08-upstream-after-request/access.log", 1,
         {"client": ["203.0.113.154"], "status": [422], "bytes_sent": [35],
          "ts": ["2022-10-04T20:35:39Z"]}, ("format.txt",)),
    Case("09-caddy-versions/old.log", 1, {"client": ["203.0.113.152"]}),
    Case("09-caddy-versions/new.log", 1, {"client": ["203.0.113.9"]}),
    Case("10-traefik/clf.log", 3,
         {"client": ["203.0.113.18", "203.0.113.19", "203.0.113.20"], "status": [200, 200, 404],
          "duration_ms": [2.0, 0.0, 0.0]}),
    Case("10-traefik/json.log", 1,
         {"client": ["203.0.113.2"], "status": [200], "bytes_sent": [2099],
          "duration_ms": [1.811271]}),
    Case("11-litespeed-quoted-lines/access.log", 3,
         {"client": ["203.0.113.89", "203.0.113.15", "2001:db8::5"], "status": [302, 200, 200]},
         (None, "format.txt")),
    five_clients("12-syslog-prefix/rfc3164.log", None, "format-rfc3164.txt"),
    five_clients("12-syslog-prefix/rfc5424.log", None),
    five_clients("12-syslog-prefix/heroku.log", None, "format-heroku.txt"),
    Case("14-docker-json-file/container-json.log", 3,
         {"client": ["203.0.113.1", "203.0.113.2", "203.0.113.3"],
          "referrer": ["https://www.example.com/?a=1&b=2"] * 3}),
    Case("16-nginx-json-default-escape/access.log", 3,
         {"client": ["203.0.113.6", "203.0.113.7", "203.0.113.8"],
          "path": ["/c/ads", "/", "/"], "bytes_sent": [7513, 10, 10]}, ("format.txt",)),
    Case("18-cloudfront-v2-json/E2ABC.2024-12-12-20.json", 2,
         {"client": ["203.0.113.106", "203.0.113.107"],
          "ts": ["2024-12-12T20:54:17Z", "2024-12-12T20:54:18Z"]}),
    Case("19-cloudfront-realtime/rt.log", 2,
         {"client": ["203.0.113.21", "2001:db8::21"], "status": [403, 200],
          "ts": ["2023-05-16T08:47:00.937Z", "2023-05-16T08:47:01.937Z"],
          "bytes_sent": [347, 347]}, ("format.txt",)),
    Case("20-cloudfront-ipv6-trailing-tab/cf.log", 1,
         {"client": ["2001:db8:85a3::7348"], "status": [200]}, others={"directive": 2}),
    Case("20-cloudfront-ipv6-trailing-tab/old.log", 1,
         {"client": ["203.0.113.106"], "status": [301]}),
    Case("21-elb/elb.log", 1, {"client": ["2601:db8:4002:5883:b5f3:aaaa:bbbb:64ec"]},
         others={"directive": 1}),
    Case("21-elb/alb.log", 2, {"status": [301, 400], "path": ["/shell", None]}),
    Case("22-s3-quotes/s3.log", 3,
         {"status": [403, 200, 403],
          "user_agent": ["curl/7.38.0",
                         'Mozilla/5.0 (iPad; CPU OS 13_1 like Mac OS X) Safari/604.1"',
                         '() { :;}; echo; echo "masked"']}),
    Case("23-bunny/bunny.log", 3,
         {"client": ["203.0.113.0", "203.0.113.0", "198.51.100.0"], "status": [301, 200, 200],
          "path": ["/%7CSE%7CMozilla/5.0", "/index.txt", "/index.txt"],
          "ts": ["2022-04-07T08:03:58.017Z", "2022-04-07T08:03:59.594Z",
                 "2022-04-07T07:55:58.625Z"]}, ("format.txt",)),
    Case("24-numeric-month/access.log", 2,
         {"ts": ["2018-07-21T07:02:42Z", "2018-07-21T07:02:43Z"]}, ("format.txt",)),
    Case("28-iis-advanced-logging/al.log", 2,
         {"ts": ["2014-04-10T12:40:24.19Z", "2014-04-10T12:40:25.19Z"],
          "client": ["203.0.113.1", "203.0.113.2"],
          "user_agent": [CHROME, "Mozilla/5.0 (X11; Linux)"]}, others={"directive": 4}),
    Case("29-iis-header-changes/u_ex130412.log", 4,
         {"status": [200, 304, 404, 200], "client": [f"203.0.113.{n}" for n in range(1, 5)]},
         others={"directive": 12}),
    Case("30-azure-web-app/azure.log", 1,
         {"client": ["203.0.113.222"], "path": ["/"], "host": ["www.example.com"],
          "status": [304], "bytes_sent": [353]}, others={"directive": 2}),
    Case("33-haproxy/custom.log", 2, {"status": [200, 200], "bytes_sent": [649, 649]},
         ("format.txt",)),
    Case("33-haproxy/opnsense.log", 1, {"client": ["203.0.113.165"], "status": [200]},
         others={"directive": 1}),
    Case("35-istio-tcp/istio.log", 1, {"path": ["/"], "status": [200]}, others={"directive": 1}),
    Case("36-squid-epoch-variant/access.log", 2,
         {"ts": ["2020-03-11T08:46:46Z", "2020-03-11T09:10:23Z"]}, ("format.txt",)),
    Case("37-common-variants/virtualmin.log", 2, {"client": ["203.0.113.94", "203.0.113.69"]}),
    Case("37-common-variants/jetty.log", 2, {"client": ["203.0.113.26", "203.0.113.68"]}),
    Case("37-common-variants/vhost.log", 2,
         {"client": ["::1", "203.0.113.1"], "host": ["test", "test"]}),
    Case("37-common-variants/nginxproxy.log", 2, {"client": ["203.0.113.202"] * 2}),
    Case("38-odd-separators/braces.log", 1,
         {"client": ["203.0.113.1"], "status": [200], "path": ["/url/goes/here/"]},
         ("format-braces.txt",)),
    Case("38-odd-separators/pipes.log", 1,
         {"client": ["203.0.113.121"], "path": ["/tours/filters"], "status": [204]},
         ("format-pipes.txt",)),
    Case("38-odd-separators/gunicorn.log", 1, {"path": ["/page/1"], "status": [200]},
         ("format-gunicorn.txt",)),
    five_clients("41-nul-prefix/access.log", None, begin="2020-11-17T10:00"),
    Case("45-multi-member-gz/example.com-ssl_log-Jul-2026.gz", 30),
    Case("46-spaces-in-url/access.log", 3,
         {"path": ["/Download/__Omnia__Behandlung elektronischer Geschäftsstücke 2016.pdf",
                   "/Gesch\\xe4ft.html", "/ok.html"]}),
    Case("47-probes/access.log", 70),
    Case("66-cloudflare/http.log", 3,
         {"client": ["203.0.113.1", "203.0.113.2", "203.0.113.3"], "path": ["/a"] * 3}),
    Case("69-goaccess-dates/iso.log", 1,
         {"client": ["203.0.113.1"], "ts": ["2016-03-21T04:46:24Z"]},
         ('%h -> %^ [%dT%t%^] "%r" %s %b "%R" "%u" %^ %T',)),
    Case("69-goaccess-dates/slash.log", 1,
         {"client": ["203.0.113.1"], "ts": ["2016-03-21T06:46:24Z"]}, ('%h %d %t "%r" %s %b',)),
    Case("69-goaccess-dates/clf-ms.log", 1,
         {"client": ["203.0.113.1"], "status": [200]}, ('%h [%d:%t.%^] "%r" %s %b',)),
    Case("71-bracketed-client-port/access.log", 3,
         {"client": ["203.0.113.9", "203.0.113.9", "2001:db8::9"]}, (None, "format.txt")),
    Case("72-host-first-ingress/access.log", 2,
         {"client": ["203.0.113.7", "203.0.113.8"], "host": ["shop.example.com"] * 2}),
    Case("73-composed-url/access.log", 1,
         {"client": ["10.210.101.4"], "status": [218], "path": ["/day/hot/gb/en/res/book"],
          "query": ["met=rRt&qAt=1"], "duration_ms": [489.25], "host": ["www.example.com"]},
         ("format.txt",)),
    Case("74-crates-and-wikimedia-json/fastly.log", 1,
         {"host": ["static.example.org"], "path": ["/crates/a-1.0.crate"],
          "query": ["1705420437"]}, ("crates",), config="74-crates-and-wikimedia-json"),
    Case("74-crates-and-wikimedia-json/webrequest.json", 1,
         {"host": ["en.example.org"], "path": ["/wiki/X"], "query": ["a=b"]}, ("wm",),
         config="74-crates-and-wikimedia-json"),
]  # fmt: skip
RUNS = [
    pytest.param(case, given, id=f"{case.file}-{given or 'found'}")
    for case in CASES
    for given in case.formats
]


@pytest.mark.parametrize(("case", "given"), RUNS)
def test_lines_of_the_field_are_read(
    warm_tidegauge: Callable[..., Any], case: Case, given: str | None
) -> None:
    """Every hit has its report's values, by the layout found and by the format string given."""
    hits, others = parse(warm_tidegauge, case.file, given, case.config)
    read = {name: [exactly(hit[name]) for hit in hits] for name in case.fields}
    assert read == case.fields
    assert (len(hits), others) == (case.hits, case.others)


@pytest.mark.parametrize("file", ["access.log", "syslog.log"])
def test_a_repeated_message_is_no_ordinary_line(
    warm_tidegauge: Callable[..., Any], file: str
) -> None:
    """Of `message repeated 2 times: [...]` no word is a client (13)."""
    hits, others = parse(warm_tidegauge, f"13-message-repeated/{file}")
    assert {hit["client"] for hit in hits} == {"203.0.113.9"}
    assert (len(hits), sum(others.values())) in {(2, 1), (4, 0)}


@pytest.mark.parametrize("file", [
    "14-docker-json-file/compose.log", "15-cri-prefix/controller.log", "25-ovh-cdn/access.log",
    "09-caddy-versions/console.log", "17-json-array/access.json",
])  # fmt: skip
def test_what_may_be_refused_never_has_a_wrong_client(
    warm_tidegauge: Callable[..., Any], file: str
) -> None:
    """Files that may be refused give either the right clients or no hit."""
    hits, _ = parse(warm_tidegauge, file)
    right = {f"203.0.113.{n}" for n in (1, 2, 3, 7, 9, 10, 102, 103)}
    assert {hit["client"] for hit in hits} <= right


def test_a_controllers_lines_are_read(warm_tidegauge: Callable[..., Any]) -> None:
    """Kubernetes' CRI wrapper is taken off; the controller's own lines are no requests (15)."""
    hits, others = parse(warm_tidegauge, "15-cri-prefix/controller.log")
    assert [hit["client"] for hit in hits] == ["203.0.113.1", "203.0.113.2", "203.0.113.3"]
    assert sum(others.values()) == 1


def test_a_foreign_month_is_never_another_month(warm_tidegauge: Callable[..., Any]) -> None:
    """A German month is read or rejected for its time (53)."""
    hits, others = parse(warm_tidegauge, "53-localised-month/access.log", "format.txt")
    assert [hit["ts"][:10] for hit in hits][-1] == "2019-04-15"
    assert {hit["ts"][:10] for hit in hits} <= {"2019-03-15", "2019-05-15", "2019-04-15"}
    assert others.keys() <= {"time"}


def test_firewall_events_are_no_requests(warm_tidegauge: Callable[..., Any]) -> None:
    """Cloudflare's firewall events are not counted as hits (66)."""
    hits, _ = parse(warm_tidegauge, "66-cloudflare/firewall.log")
    assert hits == []


def parse(
    command: Callable[..., Any], file: str, given: str | None = None, config: str | None = None
) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Return what `parse` prints: hits, and the other lines counted by outcome."""
    layout = [] if given is None else ["--log-format", format_of(file, given)]
    settings = [] if config is None else ["--config", FIELD / config / "tidegauge.toml"]
    done = command("parse", FIELD / file, *layout, *settings, zone="UTC", ok=False)
    hits, others = [], dict[str, int]()
    for line in done.stdout.decode().splitlines():
        row = json.loads(line)
        if outcome := row.get("rejected") or row.get("skipped"):
            others[outcome] = others.get(outcome, 0) + 1
        else:
            hits.append(row)
    return hits, others


def exactly(value: Any) -> Any:
    """Return a duration to a nanosecond, what is no duration as it is."""
    return round(value, 6) if isinstance(value, float) else value


def format_of(file: str, given: str) -> str:
    """Return the format string in a file of the case, without its last newline, or a name."""
    path = (FIELD / file).with_name(given) if given.endswith(".txt") else None
    return path.read_text().rstrip("\n") if path else given
