"""Progress is drawn on a terminal, and nowhere else."""

import io
import sys

import pytest

from pipeline.progress import show_bytes, show_steps


class Terminal(io.StringIO):
    """Says that somebody watches."""

    def isatty(self) -> bool:
        """So it is one."""
        return True


def test_a_terminal_shows_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Title, and done of all, as it is known by then."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys, "stderr", Terminal())
    with show_steps("building", None) as bar:
        bar.advance(1, 4)
        bar.advance(2, 4)
    with show_bytes("fetching", 5_000_000) as bar:
        bar.advance(1_000_000)
        bar.reach(3_000_000, 6_000_000)
    drawn = sys.stderr.getvalue()
    for text in ("building", "3/4", "fetching", "3.0/6.0 MB"):
        assert text in drawn


def test_elsewhere_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    with show_steps("building", 3) as bar:
        bar.advance()
    assert capsys.readouterr() == ("", "")
