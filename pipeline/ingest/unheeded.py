"""Sources whose requests came by proxies whose word on the client is not taken.

Visitors and countries are then those of the proxies: nothing is missing, and the figure is of
something else.
"""

from collections.abc import Iterable

import pyarrow as pa

from pipeline.lake.ledger import FileRecord


def list_unheeded(files: pa.Table) -> list[str]:
    """The sources of most of whose hits a proxy that is not trusted is the client.

    ``files``: ``source``, ``hits``, ``duplicates`` and ``unheeded`` of ``tables.FILES``.
    """
    by_source = files.group_by("source").aggregate(
        [(name, "sum") for name in ("hits", "duplicates", "unheeded")]
    )
    return sorted(
        row["source"]
        for row in by_source.to_pylist()
        if 2 * row["unheeded_sum"] > row["hits_sum"] + row["duplicates_sum"]
    )


def explain_unheeded(records: Iterable[FileRecord]) -> str | None:
    """What is to be set, of files just taken in; None where there is nothing to say."""
    names = ("source", "hits", "duplicates", "unheeded")
    rows = [{name: getattr(record, name) for name in names} for record in records]
    sources = list_unheeded(pa.Table.from_pylist(rows)) if rows else []
    if not sources:
        return None
    return (
        f"most requests of {', '.join(sources)} came by proxies that name the client in a header"
        " and are not trusted, so each proxy counts as the visitor: put their networks into"
        " trusted_proxies, then `tidegauge build --also settings`"
    )
