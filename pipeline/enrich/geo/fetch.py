"""Get an address database and put it beside the older ones: all of it, checked, or nothing."""

import contextlib
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from pipeline.enrich.geo.check import Waivers, check_beside, check_content
from pipeline.enrich.geo.databases import GeoDatabase, list_databases, list_networks
from pipeline.enrich.geo.download import NotThereError, Progress, download
from pipeline.enrich.geo.providers import Download, FetchedKind, Services, candidates
from pipeline.enrich.geo.unpack import MAX_UNPACKED_BYTES, unpack
from pipeline.errors import GeoError


@dataclass(frozen=True)
class Fetched:
    """The database now in the folder; ``is_new`` is False when that build was there before."""

    database: GeoDatabase
    is_new: bool


@dataclass(frozen=True)
class Options:
    """Which kind of database, from where, and which checks are waived."""

    kind: FetchedKind | None = None
    services: Services = Services()  # noqa: RUF009 - frozen
    waivers: Waivers = Waivers()  # noqa: RUF009 - frozen


@dataclass(frozen=True)
class Effects:
    """What a fetch does to the world besides its result; tests replace the waiting."""

    on_progress: Progress = lambda _done, _total: None
    pause: Callable[[float], None] = time.sleep
    max_unpacked_bytes: int = MAX_UNPACKED_BYTES


NO_OPTIONS, PLAIN_EFFECTS = Options(), Effects()


def fetch(
    source: str,
    folder: Path,
    now: datetime,
    options: Options = NO_OPTIONS,
    effects: Effects = PLAIN_EFFECTS,
) -> Fetched:
    """Fetch ``source`` (see ``providers.candidates``) into ``folder`` under type and build date.

    ``now`` is aware; it picks the month and bounds the build date. The file appears by rename after
    it passed the checks. Raises GeoError, or SettingsError when the account is missing; no database
    is then added or changed.
    """
    wanted = candidates(source, options.kind, now.date(), options.services)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        existing = [*list_databases(folder), *list_networks(folder)]
        with _scratch(folder) as packed, _scratch(folder) as unpacked:
            shown = _obtain(wanted, packed, unpacked, effects)
            of_networks = options.kind == "asn"
            database = check_content(unpacked, shown, now, of_networks=of_networks)
            if (same := _same_build(database, existing)) is not None:
                return Fetched(same, is_new=False)
            check_beside(database, shown, existing, options.waivers)
            target = _place(database, folder)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise GeoError(f"cannot fetch into {folder}: {error.strerror}{where}") from error
    return Fetched(replace(database, path=target), is_new=True)


@contextlib.contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    # In the folder itself, for the rename must not cross file systems; no .mmdb, so never listed.
    path = folder / f".fetch-{uuid.uuid4().hex}.part"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _obtain(wanted: list[Download] | Path, packed: Path, unpacked: Path, effects: Effects) -> str:
    """Write the database to ``unpacked`` and return the name of where it came from."""
    if isinstance(wanted, Path):
        unpack(wanted, unpacked, str(wanted), effects.max_unpacked_bytes)
        return str(wanted)
    found = _download_first(wanted, packed, effects)
    unpack(packed, unpacked, found.shown, effects.max_unpacked_bytes)
    return found.shown


def _download_first(wanted: list[Download], packed: Path, effects: Effects) -> Download:
    *earlier, last = wanted
    for one in earlier:
        with contextlib.suppress(NotThereError):
            download(one, packed, effects.on_progress, effects.pause)
            return one
    download(last, packed, effects.on_progress, effects.pause)
    return last


def _same_build(database: GeoDatabase, existing: list[GeoDatabase]) -> GeoDatabase | None:
    for known in existing:
        if (known.database_type, known.built) == (database.database_type, database.built):
            return known
    return None


def _place(database: GeoDatabase, folder: Path) -> Path:
    kind = re.sub(r"[^A-Za-z0-9]+", "-", database.database_type.split("(")[0]).strip("-")[:60]
    target = folder / f"{kind or 'database'}-{database.build_date}.mmdb"
    if target.exists():  # another build of the same day: its own name, nothing is overwritten
        target = folder / f"{target.stem}T{database.built:%H%M%S}.mmdb"
    with database.path.open("rb") as file:
        os.fsync(file.fileno())
    database.path.replace(target)
    return target
