"""Raw files that would drop other lines of others' by the overlap rules of now; nobody asked yet.

Their lines are compared where their records do not rule it out: of very many files few.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable

import pyarrow.compute as pc

from pipeline.ingest.deduplication import OverlapRules, SourceFiles
from pipeline.ingest.overlaps import FEW_LINES
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FileRecord

_Span = tuple[str, str] | tuple[None, None]
"""From the first hit to the last one, ISO 8601 in UTC; None: any time."""
_TOLD_BY = ("file_key", "overlap_lines", "flood_lines", "networks")


def count_unsettled(lake: Lake, rules: OverlapRules) -> Counter[str]:
    """Count those of each unsealed day, whose hits a build of ``--also settings`` would change."""
    sealed, found = lake.sealed(), set[tuple[str, str]]()
    for source, spans in _find_spans(lake, rules).items():
        for span in spans:
            found.update(SourceFiles(lake, rules, lake.root).list_unsettled(source, *span))
    return Counter(day for _, day in found if day not in sealed)


def _find_spans(lake: Lake, rules: OverlapRules) -> dict[str, list[_Span]]:
    """By source the times in which files may drop other lines than they do.

    Two files between which lines are dropped by any rules of ``FEW_LINES`` or more were, by the
    rules that they were settled by, an overlap or would have been one (``find_flood``): of the two
    one's record says so, as it says the most that the file has of either. Which one drops them may
    be another by now. What 0.5.0 read, and told of less, is known by the networks that it lacks.
    """
    if rules.least_lines < FEW_LINES:
        return {sums.source: [(None, None)] for sums in lake.sums() if sums.files}
    its = pc.field
    may_be = (its("overlap_lines") > 0) | (its("flood_lines") > 0) | its("networks").is_null()
    keys = lake.records(_TOLD_BY, which=may_be)["file_key"].to_pylist()
    by_source = defaultdict(list)
    for record in lake.find_all(keys).values():
        by_source[record.source].append(record)
    return {source: _join_spans(records) for source, records in sorted(by_source.items())}


def _join_spans(records: Iterable[FileRecord]) -> list[_Span]:
    """The files' times, each once: those that meet are one."""
    times = [(record.first_at, record.last_at) for record in records]
    spans: list[tuple[str, str]] = []
    for first, last in sorted((first or "", last or "") for first, last in times):
        if not (first and last):  # without a hit it may be near any
            return [(None, None)]
        if spans and first <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(last, spans[-1][1])
        else:
            spans.append((first, last))
    return [*spans]
