"""One file over HTTP, with retries. Its errors show where it was going, never a key or a query."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import requests
import urllib3.exceptions

from pipeline.enrich.geo.providers import Download
from pipeline.errors import DownloadError, GeoError

Progress = Callable[[int, int | None], None]
"""Called with the bytes so far and the total, when the server tells it."""

MAX_DOWNLOAD_BYTES = 1 << 30
_CONNECT_S, _READ_S = 10, 60
_CHUNK_BYTES = 1 << 18
_PAUSES_S = (1.0, 3.0, 9.0)
# ValueError: a redirect to an address that cannot be parsed.
_LIBRARY_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError, ValueError)
_ADVICE = {
    401: "the account id or licence key was refused: check maxmind_account_id and"
    " maxmind_license_key",
    403: "access was refused: check the account's permissions",
    404: "there is no such file",
    429: "too many downloads for now: try again tomorrow",
}


class NotThereError(GeoError):
    """The server answered that it has no such file; another address may have it."""


class _RetryableError(Exception):
    """What may pass: the text is safe to show."""


def download(
    wanted: Download,
    target: Path,
    on_progress: Progress,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Write what ``wanted`` serves to ``target``.

    Connection errors, short answers and 5xx are tried four times, ``pause`` called with the seconds
    between; any other refusal is final. Raises DownloadError after four tries, NotThereError for
    404, else GeoError.
    """
    failure = ""
    for pause_s in (*_PAUSES_S, None):
        try:
            with target.open("wb") as file:
                _try_once(wanted, file, on_progress)
        except _RetryableError as error:
            failure = str(error)
        else:
            return
        if pause_s is not None:
            pause(pause_s)
    # Raised out here, so that no library exception with the URL in it is chained.
    raise DownloadError(
        f"cannot fetch {wanted.shown}: {failure} ({len(_PAUSES_S) + 1} tries); run it again when it"
        ' can be reached, or count without countries meanwhile (`ingest --no-geo`, geo = "none")'
    )


def _try_once(wanted: Download, file: BinaryIO, on_progress: Progress) -> None:
    with _quiet_wire_log(), requests.Session() as session:
        if wanted.account:
            account_id, license_key = wanted.account
            session.auth = (account_id, license_key.get_secret_value())
        # The files are compressed already; an encoding would hide their size.
        session.headers["Accept-Encoding"] = "identity"
        try:
            with session.get(wanted.url, stream=True, timeout=(_CONNECT_S, _READ_S)) as response:
                check_answer(wanted, response)
                _copy(wanted, response, file, on_progress)
                return
        except _LIBRARY_ERRORS as error:
            failure = error
    raise _as_own(wanted, failure)


@contextlib.contextmanager
def _quiet_wire_log() -> Iterator[None]:
    # At DEBUG urllib3 logs the query of every URL, which is where old MaxMind links have the key.
    def passes(record: logging.LogRecord) -> bool:
        return record.levelno > logging.DEBUG

    logger = logging.getLogger("urllib3.connectionpool")
    logger.addFilter(passes)
    try:
        yield
    finally:
        logger.removeFilter(passes)


def _as_own(wanted: Download, error: Exception) -> Exception:
    if isinstance(error, requests.Timeout):
        return _RetryableError("the server does not answer in time")
    if isinstance(error, requests.exceptions.SSLError):
        return GeoError(f"cannot fetch {wanted.shown}: the server's certificate is not valid")
    if isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError):
        return _RetryableError("the connection failed or was cut")
    return GeoError(f"cannot fetch {wanted.shown}: {type(error).__name__}")


def check_answer(wanted: Download, response: requests.Response) -> None:
    """Refuse every answer but 200 at the end of an unbroken chain of https, if it began so."""
    # requests has dropped the account by itself wherever a redirect left the host.
    hops = [hop.url for hop in (*response.history, response)]
    if wanted.url.startswith("https:") and any(hop.startswith("http:") for hop in hops):
        raise GeoError(f"cannot fetch {wanted.shown}: it redirects to an unencrypted address")
    status = response.status_code
    if status >= 500:
        raise _RetryableError(f"the server answers {status}")
    if status == 404:
        raise NotThereError(f"cannot fetch {wanted.shown}: {_ADVICE[404]} (404)")
    if status != 200:
        advice = _ADVICE.get(status, "the server refuses")
        raise GeoError(f"cannot fetch {wanted.shown}: {advice} ({status})")


def _copy(
    wanted: Download, response: requests.Response, file: BinaryIO, on_progress: Progress
) -> None:
    length = response.headers.get("Content-Length", "")
    total = int(length) if length.isdecimal() else None
    done = 0
    for chunk in response.iter_content(_CHUNK_BYTES):
        done += len(chunk)
        if done > MAX_DOWNLOAD_BYTES:
            raise GeoError(f"cannot fetch {wanted.shown}: over {MAX_DOWNLOAD_BYTES >> 20} MiB")
        file.write(chunk)
        on_progress(done, total)
