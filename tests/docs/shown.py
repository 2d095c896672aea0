"""What the docs show, by its form in Markdown.

A fence `sh`, and an indented or unnamed block that begins with a program's name, have a command a
line. A fence `text` right behind another block is what that one prints, in which `...` is anything.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import reference

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "README.md", ROOT / "dags" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in FILES}
PAGES |= {f"docs/reference/{name}.md": "\n".join(make()) for name, make in reference.PAGES.items()}
"""The text of each page, those too that are made of the program."""
_BLOCK = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<fenced>.*?)^(?P=indent)```$"
    r"(?:\n\n```text\n(?P<output>.*?)^```$)?"
    r"|(?<=\n\n)(?P<indented>(?:    [^\n]*\n|\n(?=    ))+)",
    re.MULTILINE | re.DOTALL,
)
_PROGRAM = re.compile(
    r"(?:[A-Z_]+=\S* )*"
    r"(?:tidegauge|make|docker|airflow|python3?|pip|duckdb|export|cd|cp|zcat|curl|jq|git) "
)


@dataclass(frozen=True)
class Command:
    """A command as it is shown, and what it prints by the docs; None where they don't say."""

    line: str
    output: str | None = None


@dataclass(frozen=True)
class Block:
    """A block of code: its language (empty when it names none), text without indent, output."""

    language: str
    text: str
    output: str | None

    @property
    def commands(self) -> list[Command]:
        """Its commands, without the folder of the checkout's programs."""
        text = re.sub(r"\\\n *", "", self.text.replace(".venv/bin/", ""))
        if self.language != "sh" and (self.language or not _PROGRAM.match(text)):
            return []
        *lines, last = (line for line in text.splitlines() if line.strip() and line[0] != "#")
        return [*map(Command, lines), Command(last, self.output)]


def find_blocks(page: str) -> Iterator[Block]:
    """Every block of code of a page."""
    for found in _BLOCK.finditer(PAGES[page]):
        indent = "    " if found["indented"] else found["indent"]
        text = re.sub(f"^{indent}", "", found["indented"] or found["fenced"], flags=re.MULTILINE)
        yield Block(found["language"] or "", text, found["output"])


def find_code(page: str) -> list[str]:
    """What stands in a page's sentences and tables as code."""
    return re.findall(r"`([^`\n]+)`", _BLOCK.sub("\n", PAGES[page]))


def find_commands(page: str) -> list[Command]:
    """Every command of a page, in its order."""
    return [command for block in find_blocks(page) for command in block.commands]
