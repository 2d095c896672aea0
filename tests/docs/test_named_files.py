"""A file that a page, a comment or a docstring names is there."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOP = ("benchmarks", "dags", "docker", "docs", "pipeline", "sql", "tests")
FROM_TOP = re.compile(rf"(?<![\w./~-])(?:{'|'.join(TOP)})/[\w/.-]*\.(?:md|png|py|sh|sql)\b")
FROM_PIPELINE = re.compile(r"`([a-z_]+(?:/[a-z_]+)*\.py)`")


def texts() -> Iterator[Path]:
    """The repository's own: not what tests or a site leave in the checkout."""
    yield from (path for path in ROOT.glob("*") if path.is_file())
    for folder in TOP:
        suffixes = (".md", ".py", ".sql")
        yield from (path for path in ROOT.glob(f"{folder}/**/*") if path.suffix in suffixes)


def test_files_named_from_the_top_are_there() -> None:
    named = [
        (path, name)
        for path in texts()
        for name in FROM_TOP.findall(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert len(named) > 50
    assert [(str(path), name) for path, name in named if not (ROOT / name).exists()] == []


def test_modules_that_one_lines_way_goes_through_are_there() -> None:
    named = FROM_PIPELINE.findall((ROOT / "docs/understand/line.md").read_text(encoding="utf-8"))
    assert len(named) > 50
    assert [name for name in named if not (ROOT / "pipeline" / name).is_file()] == []


def test_the_readme_and_the_first_page_lead_to_every_page() -> None:
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in ROOT.glob("docs/**/*.md")}
    for first, before in (("README.md", "docs/"), ("docs/index.md", "")):
        text = (ROOT / first).read_text(encoding="utf-8")
        assert [page for page in pages - {"index.md"} if f"({before}{page})" not in text] == []
