"""The exception tree. A bad line is data; a bad file, setting or database is one of these.

What a sentence shows of a setting is no secret: see ``show_value``.
"""

import re
from datetime import date
from pathlib import PurePath

HIDDEN = "(hidden)"
_PASSWORD = re.compile(r"(?<=:/)(/?)[^\s/@:]*:[^\s@]*@")
_CREDENTIALS = re.compile(
    r"""
    (?i: \b[a-z][a-z0-9+.-]+:/ | :\S*@ )                     # a URL, user:password@host
    | (?i: (passw|passphrase|pwd|secret|token|signature|credential|auth|bearer)[\w-]*\s*[=:] )
    | (?i: (api|access|licen[cs]e|private|visitor)[_-]?key[\w-]*\s*[=:] )
    | -----BEGIN
    | \b(AKIA|ASIA)[0-9A-Z]{16} | \bgh[a-z]_\w{20} | \bxox[a-z]- | \bglpat-
    | \b[0-9a-fA-F]{32,}\b
    | (?=[A-Za-z0-9+=]*[a-z])(?=[A-Za-z0-9+=]*[A-Z])(?=[A-Za-z0-9+=]*\d)[A-Za-z0-9+=]{20,}
    | (?<![\w+/])(?=\w[\w+/]*[a-z])(?=\w[\w+/]*[A-Z])\w[\w+/]{38}[\w=](?![\w+/])  # AWS' secrets
    """,
    re.VERBOSE,
)
_LONGEST = 2_000
_SHOWN = (str, int, float, date, PurePath, type(None))


def show_value(value: object) -> str:
    """A setting's value as an error shows it: hidden when it looks like credentials, or is many."""
    is_one = isinstance(value, _SHOWN) and len(str(value)) <= _LONGEST
    plain = str(value) if isinstance(value, PurePath) else value
    return repr(plain if is_one and not _CREDENTIALS.search(str(value)) else HIDDEN)


class TidegaugeError(Exception):
    """Root: a sentence that says what is wrong and what to do; ends the command with ``exit_code``.

    The sentence may quote file names; ``cli.main`` escapes it for the terminal. Passwords in URLs
    are left out of it.
    """

    exit_code = 2
    is_at_terminal = True
    """Whether a person at a terminal reads it, who can give options; a scheduler sets it False."""

    def __init__(self, sentence: str, *, options: str = "") -> None:
        """``options``: how the sentence goes on where there are options to give."""
        self.sentence = _PASSWORD.sub(rf"\1{HIDDEN}@", sentence)
        self.options = options
        super().__init__(self.sentence)

    def __str__(self) -> str:
        """The sentence for whoever reads it."""
        return self.sentence + (self.options if TidegaugeError.is_at_terminal else "")


class SettingsError(TidegaugeError):
    """A setting is wrong or missing: names its key, its value and what would be right."""

    def __init__(self, key: str, value: object, remedy: str, *, options: str = "") -> None:
        """Keep the parts for callers; the message joins them. Of a secret, ``value`` is HIDDEN."""
        self.key = key if not _CREDENTIALS.search(key) else HIDDEN
        self.value = value
        self.remedy = remedy
        super().__init__(f"setting {self.key} = {show_value(value)}: {remedy}", options=options)


class StoreError(SettingsError):
    """A store of raw logs, or of settings, can't be reached or used as set; it may answer later."""


class GeoError(TidegaugeError):
    """An address database is missing, damaged or could not be fetched. Names the file or source."""


class DownloadError(GeoError):
    """A server did not answer, failed or was cut off, four times; it may answer later."""


class LakeError(TidegaugeError):
    """The lake cannot be used as asked: another key, another time zone, not writable."""


class MissingLakeError(LakeError):
    """There is no lake yet."""


class StorageError(LakeError):
    """The disk under the lake or the report is full or can't be written; may be well again soon."""


class EngineError(TidegaugeError):
    """Where work is to run can't be reached, is of other versions, or broke off."""


class OvertakenError(EngineError):
    """What work was planned with is another by now; done by a plan of now it would go well."""


class AlertError(TidegaugeError):
    """A service did not take an alert; it may later."""

    exit_code = 1


class DataError(TidegaugeError):
    """The data failed a check: unreadable raw files, accounting that does not balance."""

    exit_code = 1


class PassingError(DataError):
    """Raw files are not there yet, or were not readable just now; another try may find them so."""
