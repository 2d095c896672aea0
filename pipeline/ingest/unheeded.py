"""Sources whose figures may be of something else, though nothing is missing.

Their visitors may be proxies: their word on the client is not taken, or the log has none. Or their
times may be of another zone.
"""

from collections.abc import Iterable, Iterator

import pyarrow as pa

from pipeline.lake.ledger import FileRecord

READ_OF_FILES = ("source", "hits", "duplicates", "unheeded", "private_hits", "is_zoneless")
"""The columns of ``tables.FILES`` that tell of them."""


def list_unheeded(files: pa.Table) -> list[str]:
    """The sources of most of whose hits a proxy that is not trusted is the client.

    ``files``: with ``READ_OF_FILES``.
    """
    return _list_most(files, "unheeded")


def list_private(files: pa.Table) -> list[str]:
    """Likewise those of most of whose hits the client has a private address."""
    return _list_most(files, "private_hits")


def list_zoneless(files: pa.Table) -> list[str]:
    """The sources of a file whose times were taken for UTC, as nothing says their zone."""
    is_one = files["is_zoneless"].fill_null(fill_value=False)
    return sorted(files.filter(is_one)["source"].unique().to_pylist())


def _list_most(files: pa.Table, name: str) -> list[str]:
    by_source = files.group_by("source").aggregate(
        [(each, "sum") for each in ("hits", "duplicates", name)]
    )
    return sorted(
        row["source"]
        for row in by_source.to_pylist()
        if 2 * (row[f"{name}_sum"] or 0) > row["hits_sum"] + row["duplicates_sum"]
    )


def explain_unheeded(records: Iterable[FileRecord]) -> Iterator[str]:
    """What is to be set, of files just taken in."""
    rows = [{name: getattr(record, name) for name in READ_OF_FILES} for record in records]
    files = pa.Table.from_pylist(rows)
    if rows and (sources := list_unheeded(files)):
        yield (
            f"most requests of {', '.join(sources)} came by proxies that name the client in a"
            " header and are not trusted, so each proxy counts as the visitor: put their networks"
            " into trusted_proxies, then `tidegauge build --also settings`"
        )
    if rows and (sources := list_private(files)):
        yield (
            f"most requests of {', '.join(sources)} came from private addresses, which nobody can"
            " locate: that is a network of its own, or a proxy that counts as the visitor; if so,"
            " log the header in which it names the client, and set trusted_proxies"
        )
    if rows and (sources := list_zoneless(files)):
        yield (
            f"times of {', '.join(sources)} have no offset, and were taken for UTC: if that is not"
            " their zone, set timezone in a table [[source]], then `tidegauge build --also"
            " settings`"
        )
