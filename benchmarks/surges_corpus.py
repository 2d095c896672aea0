"""The detector on labelled real series of the Numenta Anomaly Benchmark, summed to days."""

from __future__ import annotations

import csv
import json
from collections import Counter
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from pipeline.surges import Detection, detect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERIES = {
    "elb_request_count_8c0756.csv": "realAWSCloudwatch",
    "nyc_taxi.csv": "realKnownCause",
}


def report_corpus(folder: Path) -> Iterator[str]:
    """Yield lines: each labelled window hit or missed, then the flagged days in no window."""
    if not folder.is_dir():
        yield f"labelled series: {folder} is absent, nothing was run"
        return
    labels = json.loads((folder / "combined_windows.json").read_text())
    for name, group in SERIES.items():
        first, sums = _daily_sums(folder / name)
        windows = [
            (date.fromisoformat(start[:10]), date.fromisoformat(end[:10]))
            for start, end in labels[f"{group}/{name}"]
        ]
        yield from _report_series(name, first, sums, windows)


def _report_series(
    name: str, first: date, sums: np.ndarray, windows: list[tuple[date, date]]
) -> Iterator[str]:
    found = detect(sums, first.weekday())
    flagged = {first + timedelta(int(at)) for at in np.flatnonzero(found.is_surge)}
    yield f"{name}: {len(sums)} days from {first}, {len(windows)} labelled windows"
    for start, end in windows:
        inside = sorted(day for day in flagged if start <= day <= end)
        verdict = "hit " + ", ".join(map(str, inside)) if inside else "missed"
        yield f"  {start} to {end}: {verdict} ({_highest(found, sums, first, start, end)})"
    outside = sorted(d for d in flagged if not any(start <= d <= end for start, end in windows))
    yield "  flagged in no window: " + (", ".join(map(str, outside)) or "none")


def _highest(found: Detection, sums: np.ndarray, first: date, start: date, end: date) -> str:
    window = slice((start - first).days, (end - first).days + 1)
    if np.isnan(found.score[window]).all():
        return "too little history to judge"
    at = window.start + int(np.nanargmax(found.score[window]))
    ratio = sums[at] / found.expected[at]
    return f"highest {first + timedelta(at)}: {ratio:.2f} of expected, score {found.score[at]:.1f}"


def _daily_sums(path: Path) -> tuple[date, np.ndarray]:
    """Sum a series with columns timestamp and value to whole days, the cut-off ends left out."""
    sums: Counter[date] = Counter()
    readings: Counter[date] = Counter()
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            day = date.fromisoformat(row["timestamp"][:10])
            sums[day] += float(row["value"])
            readings[day] += 1
    whole = [day for day in sorted(sums) if readings[day] >= 0.9 * max(readings.values())]
    days = [whole[0] + timedelta(at) for at in range((whole[-1] - whole[0]).days + 1)]
    return whole[0], np.array([sums[day] if day in whole else np.nan for day in days])
