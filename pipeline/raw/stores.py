"""Remote stores of raw logs (S3, HTTP, SFTP) through fsspec: what is there, and one file fetched.

What it raises, shows or returns holds no secret: URLs are without userinfo and query, and
libraries' own words are not repeated.
"""

import hashlib
import os
import re
import secrets
import ssl
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pipeline.errors import DataError, PassingError, StoreError
from pipeline.raw.protocols import UnknownHostError, open_http, open_s3, open_sftp
from pipeline.raw.s3_listing import list_matching
from pipeline.text import escape

_READ_BYTES = 1024 * 1024
_BLOCK_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file in a store as it was listed."""

    url: str
    """Without secrets."""
    size: int | None
    changed_ns: int | None
    """Time of change since 1970; below a second a hash of the entity tag. None: not told."""

    @property
    def stat(self) -> list[int] | None:
        """As ``ledger.stat_of`` once it is fetched: while it is the same, so is the content."""
        is_told = self.size is not None and self.changed_ns is not None
        return [self.size, self.changed_ns] if is_told else None  # type: ignore[list-item]

    @property
    def name(self) -> str:
        """The last part of its URL as a file name of ours, which leads nowhere."""
        last = self.url.rpartition("/")[2]
        return re.sub(r"[^\w@+~.-]", "~", last, flags=re.ASCII).lstrip(".")[-150:] or "log"


@dataclass(frozen=True)
class Store:
    """One server's store, as a setting names it."""

    key: str
    """The setting."""
    shown: str
    """Its URL without secrets."""
    files: Any
    """An ``fsspec.AbstractFileSystem``."""
    root: str
    """What a path in ``files`` lacks to be a URL."""
    query: str
    """Of an HTTP URL, a signature maybe; sent, never shown."""

    def list(self, pattern: str) -> list[RemoteFile]:
        """The files that a URL without secrets means, by name; none when it is not there.

        Raises:
            StoreError: as ``scan``.
        """
        return sorted(self.scan(pattern), key=lambda file: file.url)

    def scan(self, pattern: str) -> Iterator[RemoteFile]:
        """The same as the store lists them: there may be a million, of which few matter.

        A search may find nothing because the store is out of reach: ``check_folder`` tells.

        Raises:
            StoreError: the store can't be reached, or refuses.
        """
        path = pattern.removeprefix(self.root)
        fixed = re.split(r"[*?\[]", path, maxsplit=1)[0]
        try:
            if fixed == path:
                found: Iterable[RemoteFile | None] = [self._look(path)]
            else:
                listed = self._search(path)
                found = (self._take(*one) for one in listed if one[0].startswith(fixed))
            yield from (file for file in found if file)
        except Exception as error:  # noqa: BLE001 each store's library raises its own kinds
            raise _refuse(self.key, self.shown, _reason(error)) from None

    def _search(self, path: str) -> Iterable[tuple[str, dict[str, Any]]]:
        """The files that a glob means, and what the store tells of them."""
        if self.is_s3 and not set("*?[") & set(path.partition("/")[0]):
            return list_matching(self.files, path)
        listed = self.files.glob(path, detail=True)
        return [(p, info) for p, info in listed.items() if info.get("type") != "directory"]

    def _take(self, path: str, info: dict[str, Any]) -> RemoteFile | None:
        """A file as a listing has it; asked for where that tells too little, or of a link."""
        size = info.get("Size", info.get("size"))
        if not self.root or size is None or info.get("type") == "link":
            return self._look(path)
        return RemoteFile(self.root + path, size, _changed_ns(info))

    @property
    def is_s3(self) -> bool:
        """Whether it is a bucket, where a prefix is no folder."""
        return self.root == "s3://"

    def check_folder(self, fixed: str, *, must_exist: bool) -> None:
        """See whether the store is there, and with ``must_exist`` the folder searched.

        Args:
            fixed: what all URLs of the source begin with.
            must_exist: it is no folder above those of single days, which may be hidden or bare.

        Raises:
            StoreError: it is not.
        """
        path = fixed.removeprefix(self.root)
        try:
            self.files.info(path.split("/")[0] if self.is_s3 else path.rpartition("/")[0] + "/")
        except Exception as error:  # noqa: BLE001
            is_there = _status(error) is not None or bool(self.root)
            if must_exist or self.is_s3 or not is_there:
                raise _refuse(self.key, self.shown, _reason(error)) from None

    def fetch(self, url: str, target: Path, most_bytes: int, on_read: Callable[[int], None]) -> int:
        """Copy a file of the store to ``target``, which appears whole; returns its bytes.

        ``target`` gets the store's time of change, as ``RemoteFile.stat`` has it.

        Raises:
            DataError: it is gone, can't be read, ended early or has more than ``most_bytes``.
            OSError: ``target`` can't be written.
        """
        shown = escape(url)
        try:
            remote = self._look(url.removeprefix(self.root))
        except Exception as error:  # noqa: BLE001
            raise PassingError(f"{shown}: can't be fetched: {_reason(error)}") from None
        if remote is None:
            raise DataError(f"{shown}: can't be fetched: nothing is there any more")
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{secrets.token_hex(8)}.part")
        count = 0
        try:
            with part.open("xb") as file:
                for piece in self._read(remote, most_bytes):
                    count += len(piece)
                    if count > most_bytes:
                        raise _too_large(shown, most_bytes)
                    file.write(piece)
                    on_read(len(piece))
            if remote.size is not None and count < remote.size:
                why = f"{shown}: ended after {count:,} of {remote.size:,} bytes"
                raise PassingError(f"{why}; the next run fetches it again")
            if remote.changed_ns is not None:
                os.utime(part, ns=(remote.changed_ns, remote.changed_ns))
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        return count

    def _look(self, path: str) -> RemoteFile | None:
        try:
            info = self.files.info(path + self.query)
        except FileNotFoundError as error:
            if not self.root and _status(error) not in {404, 410}:  # fsspec says so of any failure
                raise
            return None
        return RemoteFile(self.root + path, info.get("size"), _changed_ns(info))

    def _read(self, remote: RemoteFile, most_bytes: int) -> Iterator[bytes]:
        """Yield a file's bytes up to the size that was listed: what is appended comes next time."""
        shown = escape(remote.url)
        if remote.size is not None and remote.size > most_bytes:
            raise _too_large(shown, most_bytes)
        left = most_bytes + 1 if remote.size is None else remote.size
        path = remote.url.removeprefix(self.root) + self.query
        # HTTP as one stream: not every server gives ranges.
        options = {"block_size": _BLOCK_BYTES if self.root else 0, "size": remote.size}
        try:
            with self.files.open(path, "rb", **options) as file:
                if hasattr(file, "prefetch"):  # SFTP: without it each 32 kB wait for an answer
                    file.prefetch(remote.size, max_concurrent_requests=64)
                while left > 0 and (piece := file.read(min(_READ_BYTES, left))):
                    left -= len(piece)
                    yield piece
        except Exception as error:  # noqa: BLE001
            raise PassingError(f"{shown}: can't be fetched: {_reason(error)}") from None


def open_store(key: str, url: str) -> Store:
    """Connect to the store of a URL, which may hold a name and a password, or a signature.

    S3 takes keys, region and endpoint from the environment or ``~/.aws`` (``AWS_ENDPOINT_URL`` for
    a store that is not Amazon's), SFTP keys from ``~/.ssh`` and the agent.

    Raises:
        StoreError: a package is missing, or the server can't be reached.
    """
    scheme, _, rest = url.partition("://")
    netloc, _, path = rest.partition("/")
    userinfo, _, host = netloc.rpartition("@")
    user, _, password = map(unquote, userinfo.partition(":"))
    shown = escape(without_secrets(url))
    is_http = scheme in {"http", "https"}
    query = "?" + path.partition("?")[2] if is_http and "?" in path else ""
    root = {"s3": "s3://", "sftp": f"sftp://{host}"}.get(scheme, "")
    try:
        if scheme == "s3":
            files = open_s3()
        elif scheme == "sftp":
            files = open_sftp(host, user, password)
        else:
            files = open_http(user, password)
    except ImportError:
        extra = f"[{scheme}]" if scheme in {"s3", "sftp"} else ""
        what = f"a package is missing: pip install 'tidegauge{extra}'"
        raise StoreError(key, shown, what) from None
    except Exception as error:  # noqa: BLE001
        raise _refuse(key, shown, _reason(error)) from None
    return Store(key, shown, files, root, query)


def without_secrets(url: str) -> str:
    """The URL without name, password and query; wildcards ``?`` of S3 and SFTP stay."""
    scheme, _, rest = url.partition("://")
    netloc, slash, path = rest.partition("/")
    if scheme in {"http", "https"}:
        path = path.partition("?")[0]
    return f"{scheme}://{netloc.rpartition('@')[2]}{slash}{path}"


_REASONS = {
    UnknownHostError: (
        "its key is not in ~/.ssh/known_hosts; ssh-keyscan adds it once you have checked it"
    ),
    ssl.SSLCertVerificationError: (
        "its certificate is signed by nobody known here; SSL_CERT_FILE names who else is"
    ),
    ssl.SSLError: "no TLS with it",
    FileNotFoundError: "no such file, folder or bucket",
    PermissionError: "access is refused",
}


def _changed_ns(info: dict[str, Any]) -> int | None:
    tag = str(info.get("ETag") or "")
    changed = info.get("LastModified") or info.get("mtime") or info.get("Last-Modified")
    if isinstance(changed, str):
        try:
            changed = parsedate_to_datetime(changed)
        except ValueError:
            changed = None
    if isinstance(changed, datetime):
        changed = (changed if changed.tzinfo else changed.replace(tzinfo=UTC)).timestamp()
    if changed is None and not tag:
        return None
    mark = int.from_bytes(hashlib.sha256(tag.encode()).digest()[:8]) % 1_000_000_000
    return int(changed or 0) * 1_000_000_000 + mark


def _too_large(shown: str, most_bytes: int) -> DataError:
    most = most_bytes // 1_000_000
    return DataError(f"{shown}: has more than {most:,} MB: not fetched; set max_fetch_mb higher")


def _refuse(key: str, shown: str, why: str) -> StoreError:
    return StoreError(
        key, shown, f"can't be reached ({why}): check the address, the store and your access to it"
    )


def _status(error: BaseException) -> int | None:
    cause = error.__cause__ or error
    status = getattr(cause, "status", None)
    return status if isinstance(status, int) else None


def _reason(error: BaseException) -> str:
    """Why, in words that are ours or the system's: a library's own may repeat secrets."""
    cause = error.__cause__ or error
    if status := _status(error):
        return f"HTTP {status}"
    for kind, why in _REASONS.items():
        if isinstance(cause, kind):
            return why
    if isinstance(cause, OSError) and cause.errno:
        return os.strerror(cause.errno) if cause.errno > 0 else "no such host"
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(cause).__name__).lower()
