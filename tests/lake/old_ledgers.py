"""The ledger of a lake as versions up to 0.5 wrote it: a JSON file a record, and one a path."""

import hashlib
import os
import shutil
from dataclasses import asdict
from urllib.parse import unquote_to_bytes

import duckdb
from lake_fixtures import Site
from verify_lakes import resign

from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FileRecord, write_json
from pipeline.lake.left_out import read_notes


def make_old(site: Site) -> None:
    """Write the ledger of a lake of this version so."""
    lake = Lake(site.lake)
    records, notes = lake.all_files(), read_notes(lake)
    shutil.rmtree(lake.ledger / "files", ignore_errors=True)
    lake.digests_path("files").unlink(missing_ok=True)
    lake.left_out.unlink(missing_ok=True)
    for record in records:
        _write(lake, record)
    every = [(seen, record.file_key) for record in records for seen in record.seen]
    for seen, file_key in sorted(every, key=lambda one: one[0].read_ns):  # the last one stays
        raw = unquote_to_bytes(seen.path)
        path = lake.ledger / "seen" / f"{_name_of(raw)}.json"
        write_json(path, {"path": seen.path, "stat": seen.stat, "file_key": file_key})
        os.utime(path, ns=(seen.read_ns, seen.read_ns))
    for path, note in notes.items():
        write_json(lake.ledger / "left" / f"{_name_of(path.encode())}.json", asdict(note))
    with duckdb.connect(str(lake.views)) as connection:
        connection.execute("DROP VIEW files")
    resign(site, lake.views)


def _write(lake: Lake, record: FileRecord) -> None:
    kind = "replaced" if record.replaced_by else "forgotten" if record.forgotten_at else "files"
    fields = asdict(record)
    del fields["seen"]
    write_json(lake.ledger / kind / f"{record.file_key}.json", fields)


def _name_of(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:32]
