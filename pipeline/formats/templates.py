"""Layouts of format strings as they stand in the configuration of Apache, nginx or GoAccess."""

import re
from collections.abc import Mapping

from pipeline.errors import SettingsError
from pipeline.formats.apache import read_apache
from pipeline.formats.configuration import read_configured, read_goaccess_forms
from pipeline.formats.directives import NO_QUERY, Directive
from pipeline.formats.fields import DURATIONS
from pipeline.formats.goaccess import is_goaccess, read_goaccess
from pipeline.formats.nginx import VARIABLE, read_nginx
from pipeline.formats.pattern import QUOTED, Pattern, Segment
from pipeline.formats.shapes import places_of, plain_of, shape_of
from pipeline.formats.times import TimeFormat, find_missing

_NEEDED = {
    "time date": "%t or $time_local", "client forwarded": "%h or $remote_addr",
    "request method target path": "%r or $request",
}  # fmt: skip


def is_format(text: str) -> bool:
    """Whether it is a format string or a map of JSON, and not a layout's name."""
    return "%" in text or "$" in text or text.lstrip().startswith("{")


def read_directives(text: str, forms: Mapping[str, str]) -> list[Directive]:
    """Read a format string, of whichever of the three it is; ``forms`` as ``read_goaccess``.

    Raises:
        ValueError: it has a directive that is not known; says what to write.
    """
    if VARIABLE.search(text):
        return read_nginx(text)
    return read_goaccess(text, forms) if is_goaccess(text) else read_apache(text)


def compile_format(
    text: str, name: str = "", example: str = "", key: str = "log_format"
) -> Pattern:
    """Make a layout of a format string, with or without its quotes and its directive.

    Args:
        text: the string.
        name: what to call the layout; the string when not given.
        example: a line of it.
        key: the setting that has the string.

    Raises:
        SettingsError: it has a directive that is not known, or lacks time, client or request.
    """
    string, escape = read_configured(text)
    try:
        directives = read_directives(string, read_goaccess_forms(text))
    except ValueError as error:
        raise SettingsError(key, text, str(error)) from None
    if escape != "default":
        directives = [one for one in directives if one.shape != NO_QUERY]
    fields = {directive.field for directive in directives}
    for needed, remedy in _NEEDED.items():
        if not fields & set(needed.split()):
            raise SettingsError(key, text, f"it has no {needed.split()[0]}: add {remedy}")
    if "date" in fields and not fields & {"clock", "time"}:
        raise SettingsError(key, text, "it has no time of day: add %t")
    layout = _assemble(directives, name or text, example, ".*?" if escape == "none" else QUOTED)
    if missing := find_missing(layout.times.kind):
        remedy = f"its time has no {missing}: write date and time of day side by side"
        raise SettingsError(key, text, remedy)
    return layout


def _assemble(directives: list[Directive], name: str, example: str, quoted: str) -> Pattern:
    chosen = _choose(directives)
    segments = []
    for number, (one, place) in enumerate(zip(directives, places_of(directives), strict=True)):
        if one.is_literal:
            segments.append(Segment(re.escape(one.text)))
            continue
        shape = one.shape or shape_of(one, place, quoted)
        field = one.field if number in chosen else None
        segments.append(Segment(shape, field, plain_of(one, shape, place)))
    times = next((d.times for n, d in enumerate(directives) if d.times and n in chosen), None)
    kinds = [d.forwarded for n, d in enumerate(directives) if d.forwarded and n in chosen]
    decoders = {
        d.field: d.decode for n, d in enumerate(directives) if n in chosen and d.field and d.decode
    }
    return Pattern(
        name, tuple(segments), times or TimeFormat("iso"), example, decoders=decoders,
        forwarded_kind=kinds[0] if kinds else Pattern.forwarded_kind,
    )  # fmt: skip


def _choose(directives: list[Directive]) -> set[int]:
    """Which directive gives each field: the final one, else the first; the finest duration."""
    chosen: dict[str, int] = {}
    for number, one in enumerate(directives):
        if one.field and (one.field not in chosen or one.is_final):
            is_better = one.field not in chosen or not directives[chosen[one.field]].is_final
            chosen[one.field] = number if is_better else chosen[one.field]
    durations = [chosen[field] for field in DURATIONS if field in chosen]
    return set(chosen.values()) - set(durations[:-1])
