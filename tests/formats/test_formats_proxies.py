"""Layouts of reverse proxies and hosting panels, found by their lines and by nothing else."""

from pathlib import Path

import pytest
from layout_lines import find

TIME = "[24/Aug/2020:01:30:24 +0000]"
AGENT = "Mozilla/5.0 (X11; Linux)"
COMBINED = f'203.0.113.%d - - {TIME} "GET /%d HTTP/1.1" 200 45 "-" "{AGENT}"'
NPM = '"/%d" [Client 203.0.113.%d] [Length 45] [Gzip -]'
NPM_TAIL = f'"{AGENT}" "https://example.org/"'
RETRIED = "10.0.0.1:443, 10.0.0.2:443 : unix:/run/b.sock 0, 0 : 9 0.100, - : 0.7 502, - : 101"


def lines_of(tmp_path: Path, *lines: str) -> Path:
    """Write each line with three numbers in the place of its ``%d``."""
    path = tmp_path / "web.log"
    numbered = (line % ((n,) * line.count("%d")) for line in lines for n in (1, 2, 3))
    path.write_text("".join(f"{line}\n" for line in numbered))
    return path


@pytest.mark.parametrize(
    ("name", "lines", "host"),
    [
        (
            "npm_proxy",
            [
                f"[24/Aug/2020:01:30:24 +0000] {said} - GET https a.example.com {NPM}"
                f" [Sent-to 172.16.101.54] {NPM_TAIL}"
                for said in ("- 200 200", "HIT - 304", "- 502, 502 : 200 200", "MISS 502, - 499")
            ],
            "a.example.com",
        ),
        (
            "npm_standard",
            [f"[24/Aug/2020:01:30:24 +0000] 404 - GET http a.example.com {NPM} {NPM_TAIL}"],
            "a.example.com",
        ),
        ("litespeed", [f'"{COMBINED}"'], None),
        ("litespeed_common", [f'"203.0.113.%d - - {TIME} "GET /%d HTTP/1.1" 200 45"'], None),
        (
            "vhost_nginx_ingress",
            [
                f"a.example.com {COMBINED} 1475 143.855 [up-stream] [] {served} c2c58cd4"
                for served in (RETRIED, "10.0.0.1:443 39 0.496 200", "- - - -")
            ],
            "a.example.com",
        ),
        (
            "nginx_proxy",
            [
                f'a.example.com {COMBINED} "{served}"'
                for served in ("172.18.0.7:5000", "-", "10.0.0.1:80, [2001:db8::1]:80", "unix:/s")
            ],
            "a.example.com",
        ),
        ("vhost_nginx_request_time", [f"a.example.com:443 {COMBINED} 0.012"], "a.example.com"),
        ("vhost_combinedio", [f"a.example.com {COMBINED} 412 2710"], "a.example.com"),
        (
            "traefik",
            [
                f"{COMBINED} {count} {router} {server} 2ms"
                for count, router, server in (
                    (1, '"frontend"', '"http://192.0.2.1:80"'),
                    (2, '"ping@internal"', "-"),
                    (3, "-", "-"),
                    ("-", '"a \\"b"', '"-"'),
                )
            ],
            None,
        ),
    ],
)  # fmt: skip
def test_a_proxys_layout_is_found_by_its_lines(
    tmp_path: Path, name: str, lines: list[str], host: str | None
) -> None:
    """Each line is a hit of an address, never of the site; an agent has no quote of the line's."""
    reader, hits = find(lines_of(tmp_path, *lines))
    assert (reader.layout.name, reader.say_doubt()) == (name, None)
    assert len(hits) == 3 * len(lines)
    assert {hit["client"] for hit in hits} == {f"203.0.113.{n}" for n in (1, 2, 3)}
    assert {hit["host"] for hit in hits} == {host}
    assert {hit["user_agent"] for hit in hits} <= {AGENT, None}
    assert {hit["path"] for hit in hits} == {"/1", "/2", "/3"}


def test_traefik_without_referrer_and_agent_writes_bare_dashes(tmp_path: Path) -> None:
    begin = f'203.0.113.%d - - {TIME} "GET /%d HTTP/1.1"'
    lines = (f"{begin} 200 45 - - 7 - - 46ms", f'{begin} - - "-" "{AGENT}" 8 "a" "b" 46ms')
    reader, hits = find(lines_of(tmp_path, *lines))
    assert reader.layout.name == "traefik"
    said = [(hit["status"], hit["bytes_sent"], hit["user_agent"]) for hit in hits]
    assert said == [(200, 45, "-")] * 3 + [(None, None, AGENT)] * 3
    assert {(hit["referrer"], hit["duration_ms"]) for hit in hits} == {(None, 46.0)}
