"""Other rules for robots than the lake's: one of the lists, none, or expressions of one's own."""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.compare.counting import distinct, show_hits
from pipeline.definitions import ROBOT_PREFIX_CHARS
from pipeline.enrich.robots import LISTS, is_nobodys, match_lists
from pipeline.errors import SettingsError

NAMED: dict[str, tuple[str, ...]] = {"none": (), "both": LISTS} | {name: (name,) for name in LISTS}
"""The rules that have a name, by the lists they ask."""

_MOST_BYTES = 1_000_000
_MOST_EXPRESSIONS = 2_000
_LONGEST = 500
_MOST_REPETITIONS = 1_000
"""RE2 takes time linear in the text; these bound the rest, the size of the automaton: 50 times
``.{0,1000}`` takes a second a user agent."""
_REMEDY = "write one regular expression per line (RE2's syntax: no look-around, no back reference)"
_AGENTS = pa.schema([("user_agent", pa.string())])

Matcher = Callable[[Sequence[str]], npt.NDArray[np.bool_]]
"""Whether each of some user agents of at most 500 characters is a robot."""


@dataclass(frozen=True)
class RobotRules:
    """What counts as a robot besides the empty agent and ``-``, which always do."""

    label: str
    matches: Matcher

    def change(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make ``hits`` of ``stored_hits`` by these rules."""
        robots = [self._robots_of(batch) for batch in distinct(connection, "user_agent")]
        connection.register("robot_agents", pa.Table.from_batches(robots, _AGENTS))
        show_hits(connection, "hits_by_robots")

    def _robots_of(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        agents = batch.column(0).drop_null()
        prefixes = [agent[:ROBOT_PREFIX_CHARS] for agent in agents.to_pylist()]
        is_no_visitors = np.array([is_nobodys(prefix) for prefix in prefixes], dtype=np.bool_)
        is_robot = self.matches(prefixes) | is_no_visitors
        return pa.record_batch([agents.filter(pa.array(is_robot))], schema=_AGENTS)


def read_rules(given: str) -> RobotRules:
    """The rules that ``--robots`` names: ``none``, ``both``, one list, or a file of expressions.

    Raises:
        SettingsError: neither a name nor a readable file, or an expression that is refused.
    """
    if given in NAMED:
        lists = NAMED[given]
        return RobotRules(f"robots {given}", lambda agents: match_lists(agents, lists))
    path = Path(given)
    expressions = _compiled(given, _lines(path))
    name = os.fsencode(path.name).decode("utf-8", "backslashreplace")
    return RobotRules(f"robots {name}", lambda agents: _match_any(agents, expressions))


def _lines(path: Path) -> list[str]:
    given = str(path)
    if not path.is_file():  # a pipe or a device would never end
        names = ", ".join(NAMED)
        raise SettingsError("--robots", given, f"no such file, and none of the names {names}")
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise SettingsError("--robots", given, f"over {_MOST_BYTES:,} bytes; {_REMEDY}")
        return content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise SettingsError("--robots", given, f"not UTF-8 text; {_REMEDY}") from error
    except OSError as error:
        raise SettingsError("--robots", given, f"can't be read: {error.strerror}") from error


def _compiled(given: str, lines: list[str]) -> list[str]:
    """The expressions of a file's lines, each tried; blank lines and ``# ...`` are none."""
    found = []
    for number, line in enumerate(lines, 1):
        expression = line.strip()
        if not expression or expression.startswith("#"):
            continue
        if why := _refusal(expression):
            shown = expression[:80]
            raise SettingsError(
                "--robots", given, f"line {number}, {shown!r}, is refused: {why}; {_REMEDY}"
            )
        found.append(expression)
    if not found:
        raise SettingsError("--robots", given, f"holds no expression; {_REMEDY}, or give none")
    if len(found) > _MOST_EXPRESSIONS:
        most = f"at most {_MOST_EXPRESSIONS:,} are taken"
        raise SettingsError("--robots", given, f"{len(found):,} expressions; {most}")
    return found


def _refusal(expression: str) -> str | None:
    """Why an expression can't be used; None when it can."""
    if len(expression) > _LONGEST:
        return f"longer than {_LONGEST} characters"
    counts = re.findall(r"\{(\d{1,9})(?:,(\d{0,9}))?\}", expression)
    if sum(max(int(least), int(most or 0)) for least, most in counts) > _MOST_REPETITIONS:
        return f"its {{n,m}} ask for over {_MOST_REPETITIONS:,} repetitions"
    try:
        found = pc.match_substring_regex(pa.array(["", "\u00a1"]), expression)
    except pa.ArrowInvalid as error:
        return str(error).splitlines()[0].removeprefix("Invalid regular expression: ")
    return "it matches every user agent" if pc.all(found).as_py() else None


def _match_any(agents: Sequence[str], expressions: list[str]) -> npt.NDArray[np.bool_]:
    texts = pa.array(agents, pa.string())
    found = np.zeros(len(texts), dtype=np.bool_)
    for expression in expressions:
        rest = texts.filter(pa.array(~found))
        found[~found] = pc.match_substring_regex(rest, expression).to_numpy(zero_copy_only=False)
    return found
