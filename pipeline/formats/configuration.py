"""Format strings as they are quoted in the configuration of Apache, nginx and GoAccess.

Sources: Apache's LogFormat and CustomLog, nginx's ngx_http_log_module (``log_format``) and
configuration file syntax, goaccess.conf.
"""

import re

_PIECE = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_TOKEN = re.compile(rf"{_PIECE}|#[^\n]*|;|[^\s;'\"][^\s;]*", re.DOTALL)
_BETWEEN = r"(?:\s*#[^\n]*)*\s*\n(?:\s*#[^\n]*)*\s*"
_QUOTED = re.compile(
    rf"\s*(?:escape=\w+\s+)?(?:{_PIECE})(?:{_BETWEEN}(?:{_PIECE}))*\s*;?\s*", re.DOTALL
)
_SINGLE_QUOTED = re.compile(
    r"\s*(?:escape=\w+\s+)?'(?:[^'\\]|\\.)*'(?:\s*'(?:[^'\\]|\\.)*')*\s*;?\s*", re.DOTALL
)
"""Pieces in single quotes may stand side by side; in double quotes that could be the log's own."""
_DIRECTIVE = re.compile(
    r"\s*(log_format\s+\S+|LogFormat|CustomLog\s+(?:\"[^\"]*\"|\S+))\s", re.IGNORECASE
)
_GOACCESS = re.compile(r"\s*log-format[ \t]+")
_GOACCESS_LINE = re.compile(r"^[ \t]*(log|date|time|datetime)-format[ \t]+(.*\S)", re.MULTILINE)
_ESCAPED = re.compile(r"\\(?:\r?\n|(.))", re.DOTALL)
_CONTROL = {"t": "\t", "n": "\n", "r": "\r"}


def read_configured(text: str) -> tuple[str, str]:
    """Take a format string out of its quotes, with or without the directive that it stands in.

    Returns:
        the string, and what nginx's ``escape`` is: ``default``, ``json`` or ``none``.
    """
    if text.lstrip().startswith("{"):
        return text, "default"  # JSON has escapes of its own
    if directive := _DIRECTIVE.match(text):
        is_apache = not directive[1].startswith("log_format")
        return _join(text[directive.end() :], 1 if is_apache else None)
    if _SINGLE_QUOTED.fullmatch(text) or _QUOTED.fullmatch(text):
        return _join(text, None)
    lines = dict(_GOACCESS_LINE.findall(text))
    bare = _GOACCESS.sub("", text, count=1) if _GOACCESS.match(text) else text
    bare = lines["log"] if len(lines) > 1 and "log" in lines else bare
    return _unescape(bare).strip("\r\n"), "default"


def read_goaccess_forms(text: str) -> dict[str, str]:
    """What goaccess.conf's ``date-format``, ``time-format`` and ``datetime-format`` say."""
    found = dict(_GOACCESS_LINE.findall(text))
    return {name: form for name, form in found.items() if name != "log"}


def _join(text: str, most: int | None) -> tuple[str, str]:
    """Join the pieces of a string, the first so many of them."""
    pieces, escape = [], "default"
    for piece in _TOKEN.findall(text):
        if piece == ";":
            break
        if piece.startswith("escape="):
            escape = piece.removeprefix("escape=")
        elif piece[0] in "'\"":
            pieces.append(piece[1:-1])
        elif piece[0] != "#":
            pieces.append(piece)
    return "".join(map(_unescape, pieces[:most])).rstrip("\r\n"), escape


def _unescape(text: str) -> str:
    r"""Write out ``\"``, ``\'``, ``\\``, ``\t`` and line ends; other backslashes stay."""
    return _ESCAPED.sub(_character, text)


def _character(found: re.Match[str]) -> str:
    if found[1] is None:
        return ""
    return found[1] if found[1] in "\"'\\" else _CONTROL.get(found[1], found[0])
