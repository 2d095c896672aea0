"""Robots: every answer equals the two libraries' own, whatever the cache holds or went through."""

import logging
import random
import re
import subprocess
import sys
import threading
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import crawlerdetect
import crawleruseragents
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from crawlerdetect.providers import crawlers, exclusions
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.enrich import robots
from pipeline.enrich.robots import Robots

ENTRIES = crawleruseragents.CRAWLER_USER_AGENTS_DATA
CRAWLERS = [*crawlers.data, *(entry["pattern"] for entry in ENTRIES)]
# What the expressions roughly match, as text: escapes and anchors dropped.
FRAGMENTS = [re.sub(r"\\(.)|[\^$]", r"\1", e) for e in [*CRAWLERS, *exclusions.data]]
BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
FOREIGN = (
    "\u0130\u0131\u017f\u212a\u0660\u0967\uff11\u00b2\u00e9\u00a0\u2028\u3000\U0001f916\U0001d7d8"
)
CONTROLS = "\x00\x01\t\n\v\f\r\x1b\x1c\x1f\x7f\x85"


@pytest.fixture(autouse=True, scope="module")
def by_re2() -> Iterator[None]:
    """Of a few agents, too, it is not the libraries that answer here."""
    with mock.patch.object(robots, "_FEW", 0):
        yield


def truth(user_agent: str) -> bool:
    """The definition as docs/definitions.md words it, by the libraries' own functions."""
    start = user_agent[:500]
    if user_agent in {"", "-"}:
        return True
    return bool(
        crawlerdetect.CrawlerDetect().isCrawler(start) or crawleruseragents.is_crawler(start)
    )


def assert_equals_libraries(user_agents: list[str], lake: Path) -> None:
    answers = Robots(lake).classify(user_agents).tolist()
    expected = [truth(user_agent) for user_agent in user_agents]
    wrong = [u for u, a, e in zip(user_agents, answers, expected, strict=True) if a != e]
    assert wrong == []


def browsers(count: int) -> list[str]:
    """Browsers as they come in logs, seeded: no two need be distinct."""
    draw = random.Random(8)
    shapes = (
        BROWSER + " Chrome/{0}.0.{1}.{2} Safari/537.36",
        "Mozilla/5.0 (Linux; Android {2}; SM-G{1}F) AppleWebKit/537.36 Chrome/{0}.0 Mobile Safari",
        "Mozilla/5.0 (iPhone; CPU iPhone OS {2}_{0} like Mac OS X) Version/{1} Safari/604.1",
        "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:{0}.0) Gecko/20100101 Firefox/{0}.{1}",
        "Mozilla/4.0 (compatible; MSIE {2}.0; Windows NT 6.1; Trident/{0}.0; .NET CLR {1}.5)",
        "Opera/9.80 (J2ME/MIDP; Opera Mini/{2}.{0}.{1}/{2}.1; U; en) Presto/2.8 Version/{0}.{1}",
    )
    versions = (
        (draw.randrange(4, 140), draw.randrange(9999), draw.randrange(30)) for _ in "x" * count
    )
    return [draw.choice(shapes).format(*version) for version in versions]


def test_known_crawlers_equal_the_libraries(tmp_path: Path) -> None:
    """All the agents that crawler-user-agents gives as instances."""
    instances = [agent for entry in ENTRIES for agent in entry.get("instances", [])]
    assert len(instances) > 2000
    assert_equals_libraries(instances, tmp_path)


@pytest.mark.large
def test_browsers_equal_the_libraries(tmp_path: Path) -> None:
    """Browsers are no robots but for few, whatever their version; the exclusions matter here."""
    agents = browsers(2000)
    assert_equals_libraries(agents, tmp_path)
    assert not Robots(tmp_path).classify(agents).any()


@pytest.mark.rest_large
@pytest.mark.parametrize("shape", ["{}", " {} ", "x{}/1.0", BROWSER + "; {}x", "{}\n"])
def test_each_expression_equals_the_libraries(shape: str, tmp_path: Path) -> None:
    """Every expression of both lists finds, or misses, its own text as in the library."""
    assert_equals_libraries([shape.format(fragment) for fragment in FRAGMENTS], tmp_path)


@pytest.mark.parametrize(("letter", "foreign"), ["i\u0130", "i\u0131", "s\u017f", "k\u212a"])
def test_letters_that_python_folds_to_ascii(letter: str, foreign: str, tmp_path: Path) -> None:
    """Python's ignoring of case takes four foreign letters for i, s and k; so do we."""
    fragments = [fragment for fragment in FRAGMENTS if letter in fragment.lower()]
    agents = [re.sub(letter, foreign, fragment, flags=re.IGNORECASE) for fragment in fragments]
    assert Robots(tmp_path).classify(agents).any()
    assert_equals_libraries(agents, tmp_path)


def test_foreign_characters_at_every_digit_and_dot(tmp_path: Path) -> None:
    """Digits of other scripts are digits to the exclusions, and no other character is."""
    decimals = [c for c in map(chr, range(128, sys.maxunicode)) if unicodedata.category(c) == "Nd"]
    shapes = (
        "Safari/{0}bot",
        "Safari/5{0}b",
        "b{0}ot Firefox.1{0}.spider",
        "Dart/{0}",
        "x86_{0}{0}_bot",
    )
    foreign = [*decimals[::25], *FOREIGN, *CONTROLS]
    assert_equals_libraries([shape.format(c) for shape in shapes for c in foreign], tmp_path)


def test_glued_fragments_equal_the_libraries(tmp_path: Path) -> None:
    """Long agents made of both lists' own text, browsers' and odd characters."""
    draw = random.Random(16)
    parts = [*FRAGMENTS, *browsers(300), *" /;-_.1" * 60, *FOREIGN, *CONTROLS]
    lengths = [draw.randrange(1, 12) for _ in range(1200)]
    assert_equals_libraries(["".join(draw.choices(parts, k=n)) for n in lengths], tmp_path)


PART = st.one_of(
    st.sampled_from(FRAGMENTS),
    st.sampled_from(FRAGMENTS).map(str.swapcase),
    st.sampled_from([*browsers(30), " ", "-", "/", "Yandex", "Search", "a-" * 60]),
    st.sampled_from([*FOREIGN, *CONTROLS]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
AGENT = st.lists(PART, max_size=8).map("".join)


@pytest.mark.large
@settings(max_examples=50)
@given(st.lists(AGENT, min_size=1, max_size=8))
def test_any_text_equals_the_libraries(tmp_path_factory, user_agents: list[str]) -> None:
    """Hostile text, in the order given and with repetitions."""
    assert_equals_libraries(user_agents, tmp_path_factory.getbasetemp() / "unused")


def test_first_500_characters_count(tmp_path: Path) -> None:
    """A robot's name that ends at character 500 counts, one that begins later does not."""
    agents = [
        "\u00e9 " * 245 + " Googlebot",
        "\u00e9 " * 250 + "Googlebot",
        "x " * 250 + "Googlebot",
    ]
    assert Robots(tmp_path).classify(agents).tolist() == [True, False, False]


def test_no_agent_is_a_robot(tmp_path: Path) -> None:
    """The empty agent and the dash are robots; blanks and two dashes are not."""
    agents = pa.array(["", "-", " ", "--", "- "])
    assert Robots(tmp_path).classify(agents).tolist() == [True, True, False, False, False]


def test_no_agents_give_no_answers(tmp_path: Path) -> None:
    """Nothing in, nothing out, nothing written."""
    classifier = Robots(tmp_path)
    assert classifier.classify(pa.array([], pa.string())).tolist() == []
    classifier.save()
    assert list(tmp_path.iterdir()) == []


def test_array_of_any_length_keeps_its_order(monkeypatch, tmp_path: Path) -> None:
    """Batches join in order, and an Arrow array answers as a list does."""
    monkeypatch.setattr(robots, "_BATCH", 7)
    agents = ["curl/8.0", *browsers(30), "Googlebot/2.1", "curl/8.0"]
    answers = Robots(tmp_path).classify(pa.array(agents))
    assert answers.nonzero()[0].tolist() == [0, 31, 32]


@pytest.mark.parametrize(
    "expression", [r"\bbot", r"(a)\1", "[[:alpha:]]", "x{,3}", r"a\sb", "b\u00f6t"]
)
def test_expression_that_engines_read_differently_is_refused(expression: str) -> None:
    """A new list that holds more than the known syntax stops, it is not misread."""
    with pytest.raises(ValueError, match="not understood"):
        robots._AgentList.of([expression], ignore_case=True)


def test_answers_survive_in_the_lake(tmp_path: Path) -> None:
    """Saved answers are found again under the versions of both lists, and used."""
    first = Robots(tmp_path)
    first.classify(["curl/8.0", "Mozilla/5.0", "Mozilla/5.0 " + "x" * 900])
    first.save()
    assert first.path.name == "crawlerdetect-0.4.2_crawler-user-agents-1.67.0.parquet"
    assert [file.name for file in first.path.parent.iterdir()] == [first.path.name]
    rows = pq.read_table(first.path).to_pylist()
    assert {len(row["user_agent"]): row["is_robot"] for row in rows} == {
        8: True,
        11: False,
        500: False,
    }
    robots._write_cache(first.path, {"curl/8.0": False})
    assert not Robots(tmp_path).classify(["curl/8.0"])[0]


def test_saved_file_is_not_written_again_without_news(tmp_path: Path) -> None:
    """A run that learns nothing leaves the file alone."""
    first = Robots(tmp_path)
    first.classify(["curl/8.0"])
    first.save()
    again = Robots(tmp_path)
    again.classify(["curl/8.0"])
    first.path.unlink()
    again.save()
    assert not first.path.exists()


@pytest.mark.parametrize(("kept", "added"), [(0, b""), (-9, b""), (0, b"PAR1" * 40), (99, b"PAR1")])
def test_damaged_cache_is_rebuilt(kept: int, added: bytes, tmp_path: Path, caplog) -> None:
    """A damaged file is named in the log, changes no answer, and the next save replaces it."""
    classifier = Robots(tmp_path)
    agents = ["curl/8.0", *browsers(200)]
    expected = classifier.classify(agents).tolist()
    classifier.save()
    classifier.path.write_bytes(classifier.path.read_bytes()[:kept] + added)
    rebuilt = Robots(tmp_path)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert rebuilt.path.name in caplog.text
    assert rebuilt.classify(agents).tolist() == expected
    rebuilt.save()
    caplog.clear()
    assert Robots(tmp_path)._known == rebuilt._known
    assert caplog.records == []


def test_flipped_byte_never_changes_an_answer(tmp_path: Path) -> None:
    """Wherever a byte of the file is wrong (each third is tried), it reads whole or not at all."""
    path, written = tmp_path / "cache.parquet", {"curl/8.0": True, "Mozilla/5.0": False}
    robots._write_cache(path, written)
    content = path.read_bytes()
    read = []
    for index in range(0, len(content), 3):
        byte = content[index]
        path.write_bytes(content[:index] + bytes([byte ^ 0xFF]) + content[index + 1 :])
        read.append(robots._read_cache(path))
    assert all(answers in ({}, written) for answers in read)
    assert {} in read


def test_other_table_is_no_cache(tmp_path: Path, caplog) -> None:
    """A Parquet file with other columns is not read as answers."""
    path = Robots(tmp_path).path
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table({"user_agent": ["curl/8.0"], "is_robot": [0]}), path)
    assert Robots(tmp_path).classify(["curl/8.0"]).tolist() == [True]
    assert "damaged" in caplog.text


def test_cache_that_cannot_be_written_is_no_error(tmp_path: Path, caplog) -> None:
    """The run goes on without a cache, and says so."""
    (tmp_path / "ledger").write_text("a file where the folder should be")
    classifier = Robots(tmp_path)
    assert classifier.classify(["curl/8.0"]).tolist() == [True]
    classifier.save()
    assert "not written" in caplog.text


def test_memory_and_file_are_bounded(monkeypatch, tmp_path: Path) -> None:
    """A new agent in every line does not fill memory or disk."""
    monkeypatch.setattr(robots, "MAX_CACHED", 50)
    monkeypatch.setattr(robots, "_BATCH", 30)
    classifier = Robots(tmp_path)
    assert not classifier.classify([f"agent {n}" for n in range(200)]).any()
    assert 0 < len(classifier._known) <= 50
    classifier.save()
    assert pq.read_metadata(classifier.path).num_rows == len(classifier._known)


def test_two_threads_give_the_same_answers(monkeypatch, tmp_path: Path) -> None:
    """Threads share one cache that is full again and again, and saves meanwhile."""
    monkeypatch.setattr(robots, "MAX_CACHED", 100)
    classifier, agents = Robots(tmp_path), [*browsers(40), *FRAGMENTS[:40]]
    expected = Robots(tmp_path / "alone").classify(agents).tolist()
    answers: list[list[bool]] = []

    def work() -> None:
        for _ in range(6):
            answers.append(classifier.classify(agents).tolist())
            classifier.classify(browsers(90))
            classifier.save()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 12
    assert all(answer == expected for answer in answers)


@pytest.mark.large
def test_several_processes_save_at_once(tmp_path: Path, caplog) -> None:
    """A reader sees one writer's whole file at any moment, and no temporary file stays."""
    program = (
        "import sys; from pathlib import Path; from pipeline.enrich.robots import Robots\n"
        "for n in range(15):\n"
        "    r = Robots(Path(sys.argv[1])); r.classify([f'{sys.argv[2]} {n}', 'curl/8.0'])\n"
        "    r.save()\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", program, tmp_path, name])
        for name in ("left", "right")
    ]
    while any(writer.poll() is None for writer in writers):
        assert Robots(tmp_path)._known.get("curl/8.0", True)
        time.sleep(0.005)
    assert [writer.returncode for writer in writers] == [0, 0]
    assert caplog.records == []
    assert [file.suffix for file in Robots(tmp_path).path.parent.iterdir()] == [".parquet"]
    assert "curl/8.0" in Robots(tmp_path)._known


@pytest.mark.parametrize(
    ("agent", "is_robot"),
    [
        ("Apache/2.4.57 (Debian) OpenSSL/3.0.9 (internal dummy connection)", True),
        ("Apache (internal dummy connection)", True),
        ("Apache/2.2.15 (CentOS) mod_ssl/2.2.15 (internal dummy connection)", True),
        ("IIS Application Initialization Preload", True),
        ("IIS Application Initialization Warmup", True),
        ("AlwaysOn", True),
        ("Mozilla/5.0 (Linux; Android 13; AlwaysOn) AppleWebKit/537.36 Chrome/124.0 Mobile", False),
        ("internal dummy connection", False),
    ],
)
def test_a_server_that_asks_itself_is_no_visitor(
    agent: str, is_robot: bool, tmp_path: Path
) -> None:
    """Neither list knows it; an answer in a lake of before, which was theirs, changes nothing."""
    first = Robots(tmp_path)
    robots._write_cache(first.path, {agent: False})
    assert bool(Robots(tmp_path).classify([agent])[0]) == is_robot
