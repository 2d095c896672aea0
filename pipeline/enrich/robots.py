"""Which user agents are robots, by the lists of crawlerdetect and crawler-user-agents.

The two libraries are the truth. Their expressions run in Python, cost about 0.4 ms a user agent
(0.4 to 1.3 times all else of an ingest: ``benchmarks/libraries.py``) and hold the GIL; so the same
expressions go to RE2 (in pyarrow), after everything on which the two engines differ has been taken
out of expression and text. The cache only saves work: no answer depends on it.
"""

import functools
import logging
import re
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import cast

import crawlerdetect
import crawleruseragents
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from crawlerdetect.providers import crawlers, exclusions

from pipeline.definitions import ROBOT_PREFIX_CHARS
from pipeline.errors import StorageError
from pipeline.lake.lake import Lake

LOG = logging.getLogger(__name__)

LISTS = ("crawlerdetect", "crawler-user-agents")
_NO_AGENT = frozenset(("", "-", "AlwaysOn"))
_SERVERS_OWN = tuple(f"IIS Application Initialization {what}" for what in ("Preload", "Warmup"))
_SERVERS_PART = "(internal dummy connection)"
"""User agents of servers that ask themselves, which neither list knows: Apache wakes its children
so (its wiki, InternalDummyConnection), IIS warms up (Application Initialization), and Azure keeps
an App Service awake (Always On). They are part of the definitions, whose version tells of them."""
MAX_CACHED = 50_000  # a hostile log has a new agent in every line; this many load in about 50 ms
_BATCH = 20_000
_FEW = 10
"""So many agents the libraries themselves answer sooner: 0.2 ms each, RE2 12 ms for the first."""
# An automaton that outgrows RE2's memory is 100 times slower: 1,500 unsorted alternatives in one
# did. Sorted they fit; this leaves room.
_ALTERNATIVES = 400
_CACHE_SCHEMA = pa.table({"user_agent": [""], "is_robot": [False]}).schema

_CLASS_OR_ESCAPE = re.compile(r"\[(?:\\.|[^\]\\])*\]|\\.")
# Escapes of letters and digits but \d, POSIX classes, {,n}: the engines read these differently.
_NOT_SHARED = re.compile(r"(?<!\\)(?:\\\\)*\\[A-Za-ce-z0-9_]|\\\\d|\[:|\{,")
_FOREIGN_DIGIT = re.compile(r"[^\D0-9]")
_OTHER_FOREIGN = re.compile(r"[^\x00-\x7f\d\u0130\u0131\u017f\u212a]")
_ANY_FOREIGN_DIGIT, _ANY_OTHER_FOREIGN = "\u0660", "\u00a1"


@dataclass(frozen=True)
class _AgentList:
    """One list: alternations for RE2, and one for Python of what RE2 cannot take (lookarounds)."""

    alternations: tuple[str, ...]
    beyond_re2: re.Pattern[str] | None
    ignore_case: bool

    @classmethod
    def of(cls, expressions: Iterable[str], *, ignore_case: bool) -> "_AgentList":
        translated = {expression: _translate(expression) for expression in expressions}
        beyond = "|".join(e for e in translated if "(?" in e)
        # Sorted, RE2 shares the common beginnings; which alternative matches does not matter.
        shared = sorted(t for e, t in translated.items() if "(?" not in e)
        starts = range(0, len(shared), _ALTERNATIVES)
        return cls(
            tuple("|".join(shared[start : start + _ALTERNATIVES]) for start in starts),
            re.compile(beyond, re.IGNORECASE if ignore_case else 0) if beyond else None,
            ignore_case,
        )

    def find_in(self, agents: pa.StringArray) -> npt.NDArray[np.bool_]:
        found = np.zeros(len(agents), dtype=np.bool_)
        for alternation in self.alternations:
            matched = pc.match_substring_regex(agents, alternation, ignore_case=self.ignore_case)
            found |= matched.to_numpy(zero_copy_only=False)
        if self.beyond_re2:
            rest = cast("list[str]", agents.filter(pa.array(~found)).to_pylist())
            found[~found] = [self.beyond_re2.search(agent) is not None for agent in rest]
        return found


def _translate(expression: str) -> str:
    r"""RE2's form of an expression; ValueError when the engines might read it differently.

    Python's ``\d`` is any decimal digit, RE2's only ASCII; ``[\s\S]`` is any character in both.
    """
    if not expression.isascii() or _NOT_SHARED.search(expression.replace(r"[\s\S]", "")):
        raise ValueError(f"robot expression not understood: {expression!r}")
    expression = expression.replace(r"[\s\S]", "(?s:.)")
    return _CLASS_OR_ESCAPE.sub(_widen_digits, expression)


def _widen_digits(part: re.Match[str]) -> str:
    """Let a digit also be the one that stands for all foreign digits."""
    if part[0].startswith("["):
        return part[0].replace(r"\d", f"{_ANY_FOREIGN_DIGIT}0-9")
    return f"[{_ANY_FOREIGN_DIGIT}0-9]" if part[0] == r"\d" else part[0]


@functools.cache
def _lists() -> tuple[str, _AgentList, _AgentList]:
    """Return crawlerdetect's exclusions, its list, and that of crawler-user-agents."""
    excluded = "(?i)" + "|".join(_translate(e) for e in exclusions.data)
    patterns = [entry["pattern"] for entry in crawleruseragents.CRAWLER_USER_AGENTS_DATA]
    return (
        excluded,
        _AgentList.of(crawlers.data, ignore_case=True),
        _AgentList.of(patterns, ignore_case=False),
    )


def _simplify(agent: str) -> str:
    r"""Replace what lies outside ASCII by characters that both engines treat alike.

    The lists are ASCII, so to them a foreign character is a digit (``\d``), one of the four that
    Python folds to i, k or s, or any other. Digits become U+0660, so that the engines' versions of
    Unicode do not matter; the others become U+00A1.
    """
    if agent.isascii():
        return agent
    agent = _FOREIGN_DIGIT.sub(_ANY_FOREIGN_DIGIT, agent)
    return _OTHER_FOREIGN.sub(_ANY_OTHER_FOREIGN, agent)


def _simplify_ignoring_case(agent: str) -> str:
    """Simplify as crawlerdetect sees it: stripped, and with the two i that RE2 does not fold."""
    return _simplify(agent.strip()).replace("\u0130", "i").replace("\u0131", "i")


def is_nobodys(agent: str) -> bool:
    """Whether no visitor stands behind a user agent, whatever the lists say."""
    return agent in _NO_AGENT or agent.startswith(_SERVERS_OWN) or _SERVERS_PART in agent


def ask_libraries(agent: str, lists: Collection[str] = LISTS) -> bool:
    """Ask the libraries themselves about one user agent of at most 500 characters; the truth."""
    detect = "crawlerdetect" in lists and crawlerdetect.CrawlerDetect().is_crawler(agent)
    return bool(detect or ("crawler-user-agents" in lists and crawleruseragents.is_crawler(agent)))


def match_lists(agents: Sequence[str], lists: Collection[str] = LISTS) -> npt.NDArray[np.bool_]:
    r"""Answer as ``ask_libraries`` does, for many user agents of at most 500 characters at once.

    Agents with a newline, which no log line holds, go to the libraries: there ``$`` and ``.``
    differ. Costs about 15 ms a call and 10 us an agent.
    """
    excluded, crawlerdetect_list, crawler_user_agents_list = _lists()
    is_robot = np.zeros(len(agents), dtype=np.bool_)
    if "crawlerdetect" in lists:
        folded = pa.array([_simplify_ignoring_case(agent) for agent in agents], pa.string())
        is_robot |= crawlerdetect_list.find_in(pc.replace_substring_regex(folded, excluded, ""))
    if "crawler-user-agents" in lists:
        exact = pa.array([_simplify(agent) for agent in agents], pa.string())
        is_robot |= crawler_user_agents_list.find_in(exact)
    for index, agent in enumerate(agents):
        if "\n" in agent:
            is_robot[index] = ask_libraries(agent, lists)
    return is_robot


def find_robots(agents: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Answer as ``ask_libraries`` does, for user agents of at most 500 characters."""
    if len(agents) <= _FEW:
        return np.array([ask_libraries(agent) for agent in agents], np.bool_)
    return match_lists(agents)


class Robots:
    """Classifies user agents, and remembers the answers in memory and in the lake.

    Safe to use from several threads; several processes may save to one lake, the last one wins.
    """

    def __init__(self, lake: Path) -> None:
        """Load what an earlier run under the same versions of the lists has left in the lake."""
        name = "_".join(f"{package}-{version(package)}" for package in LISTS)
        self.lists = name
        self._lake = Lake(lake)
        self.path = self._lake.ledger / "robots" / f"{name}.parquet"
        self._lock = threading.Lock()
        self._known = _read_cache(self.path)
        self._is_saved = True

    def classify(self, user_agents: Sequence[str] | pa.StringArray) -> npt.NDArray[np.bool_]:
        """Return whether each user agent is a robot: bool, same length and order.

        Robots are the empty agent, ``-``, servers that ask themselves, and what either library
        knows by its first 500 characters. Nulls are not taken: a line without a user agent is not
        a robot.
        """
        is_robot = np.zeros(len(user_agents), dtype=np.bool_)
        for start in range(0, len(user_agents), _BATCH):
            batch = user_agents[start : start + _BATCH]
            agents = cast("list[str]", batch.to_pylist()) if isinstance(batch, pa.Array) else batch
            is_robot[start : start + _BATCH] = self._classify_batch(agents)
        return is_robot

    def _classify_batch(self, user_agents: Sequence[str]) -> list[bool]:
        agents = [user_agent[:ROBOT_PREFIX_CHARS] for user_agent in user_agents]
        known = [*map(self._known.get, agents)]
        unknown = (agent for agent, is_one in zip(agents, known, strict=True) if is_one is None)
        answers = dict.fromkeys(unknown, True)
        new = [agent for agent in answers if not is_nobodys(agent)]
        if new:
            answered = dict(zip(new, find_robots(new).tolist(), strict=True))
            answers.update(answered)
            self._remember(answered)
        return [answers[a] if one is None else one for a, one in zip(agents, known, strict=True)]

    def _remember(self, answered: dict[str, bool]) -> None:
        with self._lock:
            if len(self._known) + len(answered) > MAX_CACHED:
                self._known = {}
            self._known.update(islice(answered.items(), MAX_CACHED))
            self._is_saved = False

    def save(self) -> None:
        """Write the answers to the lake, whole or not at all; without need or room it does not."""
        with self._lock:
            if self._is_saved:
                return
            answers = dict(self._known)
            self._is_saved = True
        try:
            with self._lake.lock("robots"):
                _write_cache(
                    self.path,
                    answers,
                    lambda draft: self._lake.note_next("robots", self.path, draft),
                )
        except (OSError, StorageError) as error:
            LOG.warning("robot cache not written: %s", error)


def _read_cache(path: Path) -> dict[str, bool]:
    """Read the cached answers; a damaged file counts as none and is replaced by the next save."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            if file.metadata.num_rows > MAX_CACHED or not file.schema_arrow.equals(_CACHE_SCHEMA):
                raise pa.ArrowInvalid("not a robot cache")
            columns = file.read().to_pydict()
        answers = zip(columns["user_agent"], columns["is_robot"], strict=True)
        return {agent: is_robot for agent, is_robot in answers if not is_nobodys(agent)}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, pa.ArrowException) as error:
        LOG.warning("robot cache %s is damaged and will be rebuilt: %s", path, error)
        return {}


def _write_cache(
    path: Path, answers: dict[str, bool], on_draft: Callable[[Path], None] = lambda _: None
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = [pa.array(answers.keys(), pa.string()), pa.array(answers.values(), pa.bool_())]
    table = pa.table(columns, schema=_CACHE_SCHEMA)
    draft = path.with_name(f".{path.name}.draft")  # of one that was killed: taken by the next
    try:
        pq.write_table(
            table, draft, compression="zstd", write_page_checksum=True, write_statistics=False
        )
        on_draft(draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
