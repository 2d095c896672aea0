"""Drawing as inline SVG: scales, axes and marks; no script, no style of its own, texts escaped.

What a mark looks like is said by the page's style sheet for its class, so that a chart follows the
page into dark mode and onto paper. A mark's title is what browsers show as a tooltip.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import add, sub

from markupsafe import Markup, escape

from pipeline.language import Language

LEFT, RIGHT, TOP = 52, 8, 22
"""Room for the labels around a plot, in CSS pixels."""
_LINE = 14
_CHARACTER = 6.3
"""Width of a character of a label, about."""


@dataclass(frozen=True)
class Size:
    """A drawing for one kind of screen: CSS pixels and how many dates fit below it."""

    width: int
    height: int
    most_dates: int
    is_narrow: bool = False
    lines_below: int = 1
    """Of the names below the plot."""

    @property
    def bottom(self) -> float:
        """Where the plot ends."""
        return self.height - 10.0 - _LINE * self.lines_below

    @property
    def right(self) -> float:
        """Where the plot ends."""
        return self.width - float(RIGHT)


@dataclass(frozen=True)
class Scale:
    """Where values lie between two places of a drawing, linear or logarithmic."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def at(self, value: float) -> float:
        """The place of a value, in CSS pixels; those outside lie on the nearer end."""
        value = min(max(value, self.low), self.high)
        low, high = self._bend(self.low), self._bend(self.high)
        return self.start + (self._bend(value) - low) / (high - low) * (self.end - self.start)

    def _bend(self, value: float) -> float:
        return math.log10(value) if self.is_log else value


def element(
    tag: str, *children: Markup, text: str = "", title: str = "", **attributes: object
) -> Markup:
    """An element with escaped text and attributes; ``class_`` is ``class``, ``_`` is ``-``."""
    written = [
        f' {name.strip("_").replace("_", "-")}="{escape(_write(value))}"'
        for name, value in attributes.items()
    ]
    inside = f"<title>{escape(title)}</title>" if title else ""
    inside += f"{escape(text)}{''.join(children)}"
    return Markup(f"<{tag}{''.join(written)}>{inside}</{tag}>")  # noqa: S704 all of it is escaped


def _write(value: object) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)


def svg(size: Size, *parts: Markup) -> Markup:
    """A drawing; the figure around it has the description, a table the numbers."""
    box = f"0 0 {size.width} {size.height}"
    return element("svg", *parts, viewBox=box, aria_hidden="true", focusable="false")


def line(kind: str, points: Iterable[tuple[float, float] | None]) -> Markup:
    """A line through points; None interrupts it."""
    path, pen = [], "M"
    for point in points:
        if point is None:
            pen = "M"
            continue
        path.append(f"{pen}{_write(float(point[0]))} {_write(float(point[1]))}")
        pen = "L"
    return element("path", class_=kind, d="".join(path))


def rect(  # noqa: PLR0913 one parameter a measure
    kind: str, x: float, y: float, width: float, height: float, title: str = ""
) -> Markup:
    """A rectangle by its upper left corner."""
    return element(
        "rect", class_=kind, x=float(x), y=float(y), width=float(max(width, 0)),
        height=float(max(height, 0)), title=title,
    )  # fmt: skip


def dot(kind: str, x: float, y: float, radius: float, title: str = "") -> Markup:
    """A point."""
    return element("circle", class_=kind, cx=float(x), cy=float(y), r=float(radius), title=title)


def label(x: float, y: float, text: str, anchor: str = "middle") -> Markup:
    """A line of text."""
    return element("text", text=text, x=float(x), y=float(y), text_anchor=anchor)


def value_axis(size: Size, scale: Scale, ticks: Sequence[tuple[float, str]], title: str) -> Markup:
    """Lines across the plot with their numbers to the left, the title above."""
    parts = [label(0, 10, title, "start")]
    for value, text in ticks:
        y = scale.at(value)
        parts += [
            line("grid", [(LEFT, y), (size.right, y)]),
            label(LEFT - 6, y + 4, text, "end"),
        ]
    return element("g", *parts)


def count_scale(
    size: Size, language: Language, values: Iterable[float], *, is_log: bool = False
) -> tuple[Scale, list[tuple[float, str]]]:
    """The scale of counts, from nothing or, if logarithmic, from the smallest on; and its ticks."""
    known = [value for value in values if value is not None]
    top = max(known, default=0) or 1
    if is_log:
        low = max(min((value for value in known if value > 0), default=1) / 1.5, 0.5)
        marks = _log_marks(low, top, 4 if size.is_narrow else 6)
        return Scale(low, top * 1.15, size.bottom, TOP, is_log=True), [
            (n, language.count(n)) for n in marks
        ]
    step = _step(top, 3 if size.height < 200 or size.is_narrow else 5)
    marks = [n * step for n in range(math.ceil(top / step) + 1)]
    scale = Scale(0, max(top * 1.03, marks[-1]), size.bottom, TOP)
    return scale, [(n, language.count(n)) for n in marks]


def _step(top: float, most: int) -> float:
    """The round number, at least 1, of which about ``most`` go into ``top``."""
    power = 10.0 ** math.floor(math.log10(top / most))
    steps = [n * power for n in (1, 2, 5, 10)]
    return max(1.0, next(step for step in steps if top / step <= most))


def _log_marks(low: float, high: float, most: int) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1, 2, 5), (1, 3), (1,)):
        marks = [float(n) * 10**power for power in powers for n in digits]
        inside = [mark for mark in marks if max(low, 1) <= mark <= high]
        if len(inside) <= most:
            break
    return inside


def name_axis(size: Size, names: Sequence[tuple[float, Sequence[str]]]) -> Markup:
    """Names below the plot, each of one line or more; one that would overlap is left out."""
    bottom, taken = size.bottom, -1.0
    parts = [line("axis", [(LEFT, bottom), (size.right, bottom)])]
    for x, lines in names:
        halves = [len(text) * _CHARACTER / 2 for text in lines]
        middles = [min(max(x, LEFT + half), size.right - half) for half in halves]
        if min(map(sub, middles, halves)) < taken:
            continue
        taken = max(map(add, middles, halves)) + _CHARACTER
        parts.append(line("axis", [(x, bottom), (x, bottom + 4)]))
        parts += [
            label(middle, bottom + 16 + _LINE * n, text)
            for n, (middle, text) in enumerate(zip(middles, lines, strict=True))
        ]
    return element("g", *parts)
