"""The exception tree. A bad line is data; a bad file, setting or database is one of these."""

from pathlib import Path


class TidegaugeError(Exception):
    """Root: a sentence that says what is wrong and what to do; ends the command with ``exit_code``.

    The sentence may quote file names; ``pipeline.cli`` escapes it for the terminal.
    """

    exit_code = 2


class SettingsError(TidegaugeError):
    """A setting is wrong or missing: names its key, its value and what would be right."""

    def __init__(self, key: str, value: object, remedy: str) -> None:
        """Keep ``key`` and ``value`` for callers; the message joins all three."""
        self.key = key
        self.value = value
        shown = str(value) if isinstance(value, Path) else value
        super().__init__(f"setting {key} = {shown!r}: {remedy}")


class StoreError(SettingsError):
    """A store of raw logs can't be reached or used as set; it may answer later."""


class GeoError(TidegaugeError):
    """An address database is missing, damaged or could not be fetched. Names the file or source."""


class DownloadError(GeoError):
    """A server did not answer, failed or was cut off, four times; it may answer later."""


class LakeError(TidegaugeError):
    """The lake cannot be used as asked: another key, another time zone, not writable."""


class StorageError(LakeError):
    """The disk under the lake or the report is full or can't be written; may be well again soon."""


class AlertError(TidegaugeError):
    """A service did not take an alert; it may later."""

    exit_code = 1


class DataError(TidegaugeError):
    """The data failed a check: unreadable raw files, accounting that does not balance."""

    exit_code = 1


class PassingError(DataError):
    """Raw files are not there yet, or were not readable just now; another try may find them so."""
