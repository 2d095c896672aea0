"""Sources whose visitors may be proxies: nothing is missing, the figure is of something else.

Their word on the client is not taken, or the log has none.
"""

from collections.abc import Iterable, Iterator

import pyarrow as pa

from pipeline.lake.ledger import FileRecord

READ_OF_FILES = ("source", "hits", "duplicates", "unheeded", "private_hits")
"""The columns of ``tables.FILES`` that tell of them."""


def list_unheeded(files: pa.Table) -> list[str]:
    """The sources of most of whose hits a proxy that is not trusted is the client.

    ``files``: with ``READ_OF_FILES``.
    """
    return _list_most(files, "unheeded")


def list_private(files: pa.Table) -> list[str]:
    """Likewise those of most of whose hits the client has a private address."""
    return _list_most(files, "private_hits")


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
