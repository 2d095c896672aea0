"""An automaton takes what RE2 takes, and tells the same of it."""

from collections.abc import Iterator

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.formats import automaton, numbers
from pipeline.formats.automaton import automaton_of
from pipeline.formats.extraction import extract

ATOMS = (
    "a",
    "b",
    "ab 0",
    "aab",
    " ",
    r"\d",
    "[ab]",
    "[^a]",
    "[^b ]",
    r"[0-9.-]",
    ".",
    r"\.",
    '"',
    "é",
    "[^é]",
)
TIMES = ("", "", "", "*", "+", "?", "*?", "+?", "{2}", "{1,3}")
PARTS = st.recursive(
    st.builds(str.__add__, st.sampled_from(ATOMS), st.sampled_from(TIMES)),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map("|".join).map("(?:{})".format),
        st.builds("(?:{}){}".format, inner, st.sampled_from(TIMES)),
    ),
    max_leaves=6,
)
ENDS = st.sampled_from(("$", "", "(?: |$)", " "))


@pytest.fixture(autouse=True, scope="module")
def runs_of_two_bytes() -> Iterator[None]:
    """Short ones are runs, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(automaton, "_LEAST_RUN", 2)
        automaton_of.cache_clear()
        yield
    automaton_of.cache_clear()


@st.composite
def regexes(draw: st.DrawFn) -> str:
    """Parts, some of which are groups."""
    parts = draw(st.lists(st.tuples(st.booleans(), PARTS), min_size=1, max_size=4))
    named = (f"(?P<g{n}>{part})" if is_one else part for n, (is_one, part) in enumerate(parts))
    return f"^{''.join(named)}{draw(ENDS)}"


def ask_re2(texts: pa.StringArray, regex: str) -> tuple[dict[str, pa.StringArray], list[bool]]:
    parts, is_found = extract(texts, regex)
    return parts, is_found.to_pylist()


@settings(max_examples=1000)
@given(regex=regexes(), texts=st.lists(st.text('aab 01."é\n', max_size=12), max_size=20))
def test_what_it_takes_re2_takes_with_the_same_groups(regex: str, texts: list[str]) -> None:
    """Where there is one."""
    made = automaton_of(regex)
    compiled = numbers.load_compiled()
    if made is None or not made.fields or compiled is None:
        return
    array = pa.array(texts, pa.string())
    whole, is_match = ask_re2(array, regex)
    parts, is_found = compiled.split(array, made)
    assert is_found.tolist() == is_match
    for name in made.fields:
        mask = pa.array(is_found)
        assert parts[name].filter(mask).equals(whole[name].filter(mask))


@pytest.mark.parametrize(
    "regex",
    [
        r"^(?P<a>x*)(?P<b>x)$",  # told by what comes behind
        r"^(?P<a>x*)",
        r"^(?P<a>a(?P<b>b)c)$",
        r"^(?P<a>x)*$", r"^(?:(?P<a>x)y)+$", r"^(?:(?P<a>x)){2}$",
        r"^\bx$", r"^(?i:x)$", r"^[[:alpha:]]$", r"^\x{41}$", r"^x{0,2}$", r"^é$", r"^(x$",
    ],
)  # fmt: skip
def test_of_what_it_does_not_know_or_cannot_tell_there_is_none(regex: str) -> None:
    assert automaton_of(regex) is None


def test_nulls_empty_texts_and_parts_of_an_array_are_told_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(numbers, "WORTH_BYTES", 0)
    texts = pa.array(["no", "a=1", None, "", "b=", "c=é", "d=12 e"])[1:]
    parts, is_found = extract(texts, r"^(?P<key>[a-z])=(?P<value>\d*)(?: |$)")
    assert is_found.to_pylist() == [True, False, False, True, False, True]
    assert parts["value"].filter(is_found).to_pylist() == ["1", "", "12"]
    parts, is_found = extract(
        texts, r"^(?P<key>.)=(?P<value>.*)$", r"^(?P<key>[a-z])=(?P<value>\d+)$"
    )
    assert is_found.to_pylist() == [True, False, False, True, True, True]
    assert parts["value"].filter(is_found).to_pylist() == ["1", "", "é", "12 e"]
