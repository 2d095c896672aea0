"""One line's outcome as `tidegauge parse` prints it, from the oracle and from the command."""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from .lines import Blank, Hit, Rejected, read_line
from .reading import physical_lines, read_content

FIELDS = [
    "ts", "client", "host", "method", "path", "query", "protocol", "status", "bytes_sent",
    "referrer", "user_agent",
]  # fmt: skip
SHOWN = 600
Tidegauge = Callable[..., CompletedProcess[bytes]]


def outcomes_by_oracle(path: Path) -> list[dict[str, Any]]:
    """Return the oracle's outcome of each line of a file."""
    return [told(read_line(no, line)) for no, line in physical_lines(read_content(path))]


def outcomes_by_command(path: Path, tidegauge: Tidegauge) -> list[dict[str, Any]]:
    """Return the command's outcome of each line of a file, in the form of `told`."""
    done = tidegauge("parse", "--log-format", "combined", path)
    return [comparable(json.loads(line)) for line in done.stdout.split(b"\n")[:-1]]


def first_difference(path: Path, tidegauge: Tidegauge) -> str:
    """Return the first line of a file that oracle and command read differently; '' if none."""
    by_oracle, by_command = outcomes_by_oracle(path), outcomes_by_command(path, tidegauge)
    if len(by_oracle) != len(by_command):
        return f"{len(by_oracle)} lines by the oracle, {len(by_command)} by the command"
    for (line_no, line), own, other in zip(
        physical_lines(read_content(path)), by_oracle, by_command, strict=True
    ):
        if own != other:
            return f"{path.name}, line {line_no}: {line[:SHOWN]!r}\n{own!r:.900}\n{other!r:.900}"
    return ""


def told(outcome: Hit | Rejected | Blank) -> dict[str, Any]:
    """Return an outcome as a flat object; a rejected line's reason is the command's affair."""
    if isinstance(outcome, Blank):
        return {"skipped": "blank"}
    if isinstance(outcome, Rejected):
        return {"rejected": True, "line_no": outcome.line_no, "line": outcome.line}
    fields = asdict(outcome)
    return {name: fields[name] for name in FIELDS} | {"ts": datetime.fromtimestamp(outcome.ts, UTC)}


def comparable(printed: dict[str, Any]) -> dict[str, Any]:
    """Return a printed outcome in the form of `told`; every rejection must give a reason."""
    if "rejected" in printed:
        reason = printed["rejected"]
        return {name: printed[name] for name in ("line_no", "line")} | {"rejected": bool(reason)}
    if "skipped" in printed:
        return printed
    hit = {name: printed[name] for name in FIELDS}
    return hit | {"ts": datetime.fromisoformat(hit["ts"])}
