"""Ids of 64 bits outside of DuckDB: Polars has them whole, JavaScript only as texts."""

import json
import subprocess
from pathlib import Path

import polars as pl
from lake_fixtures import Site, make_line
from playwright._impl._driver import compute_driver_executable

from pipeline.tables import SESSIONS, words_of

PARSE = "let t=''; process.stdin.on('data', d => t += d).on('end', () => process.stdout.write({}))"
GIVE_BACK = "JSON.stringify(JSON.parse(t))"


def in_javascript(text: str) -> str:
    """What JavaScript writes of the JSON that it read."""
    node, _ = compute_driver_executable()
    done = subprocess.run(
        [node, "-e", PARSE.format(GIVE_BACK)],
        input=text,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_ids_are_read_without_loss_or_it_is_said_where_they_are_not(tmp_path: Path) -> None:
    site = Site(tmp_path)
    lines = (make_line("08/Nov/2016:10:00:00 -0500", f"192.0.2.{n}") for n in range(40))
    site.ingest(site.write("web.log", b"".join(lines)))
    site.run("build")
    for name in ("visitor_id", "session_id"):
        (*asked, text) = (
            "sql",
            "--format",
            "json",
            f"SELECT {name} AS id FROM sessions ORDER BY id",
        )
        as_numbers = site.run(*asked, text).out
        ids = [row["id"] for row in json.loads(as_numbers)]
        assert max(ids) > 2**63
        its = pl.scan_parquet(site.lake / "sessions").select(name).collect()[name]
        assert sorted(its.to_list()) == ids
        as_texts = site.run(*asked, text.replace(name, f"{name}::VARCHAR", 1)).out
        assert json.loads(in_javascript(as_texts)) == json.loads(as_texts)
        assert json.loads(in_javascript(as_numbers)) != json.loads(as_numbers)
        assert "JavaScript" in words_of(SESSIONS.field(name))
