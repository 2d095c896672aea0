"""Assets: the paths of style sheets, scripts, pictures, fonts, media and `/robots.txt`."""

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.enrich.assets import find_assets

SUFFIXES = [
    ".css", ".js", ".mjs", ".map", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".ico", ".webp",
    ".avif", ".bmp", ".woff", ".woff2", ".ttf", ".otf", ".eot", ".mp3", ".mp4", ".webm", ".ogg",
    ".m4a", ".m4v",
]  # as docs/definitions.md lists them  # fmt: skip
ENDINGS = (*SUFFIXES, "/robots.txt", "/robots.txt/", "robots.txt", ".cs", "css", ".", "")
ODD = ("\u0130", "\u212a", "\u017f", "\u00e9", "\U0001f30a", "\0", "@", "[", "`", "{", "A", "z")


def is_asset(path: str | None) -> bool:
    """Read the definition plainly."""
    if path is None:
        return False
    lower = path.lower()
    return lower.endswith(tuple(SUFFIXES)) or lower == "/robots.txt"


STARTS = st.sampled_from(("", "/", "/a", "/a/b", "/x.", "/", "//", "/robots.txt", "/robots"))
PARTS = (STARTS, st.sampled_from((*ODD, "")), st.sampled_from(ENDINGS), st.sampled_from(("", "?")))
MIXED = st.tuples(*PARTS).map("".join)
CASED = st.one_of(MIXED, MIXED.map(str.upper), MIXED.map(str.title), MIXED.map(str.swapcase))
PATHS = st.one_of(st.none(), CASED, CASED, st.text(max_size=12))


@given(paths=st.lists(PATHS, max_size=15), skipped=st.integers(0, 3))
@example(paths=[], skipped=0)
@example(paths=[None, None], skipped=0)
@example(paths=["", None, ".js", ".css"], skipped=1)
@example(paths=["/x.\u0130co", "/x.g\u0131f", "/x.\u212aco"], skipped=0)
def test_assets_are_those_of_a_plain_reading(paths: list[str | None], skipped: int) -> None:
    """Every path gives what its lower case's ending says, also in a slice of an array."""
    array = pa.array(paths, pa.string())[skipped:]
    assert find_assets(array).tolist() == [is_asset(path) for path in paths[skipped:]]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_each_suffix_is_an_asset_s(suffix: str) -> None:
    """Each listed ending in either case, alone or after a path, but not before anything."""
    paths = [suffix, "/a" + suffix, "/A" + suffix.upper(), "/a" + suffix + "x", "/a" + suffix[1:]]
    # What follows `.` in /acss is no ending of the list unless another one ends it.
    assert find_assets(pa.array(paths)).tolist() == [True, True, True, False, False]


def test_robots_txt_is_one_whole_path() -> None:
    """`/robots.txt` in any case, and nothing before or after it."""
    paths = [
        "/robots.txt",
        "/ROBOTS.txt",
        "robots.txt",
        "/a/robots.txt",
        "/robots.txt/",
        "/Xobots.txt",
    ]
    assert find_assets(pa.array(paths)).tolist() == [True, True, False, False, False, False]
