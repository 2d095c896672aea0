"""The objects of a lake in an S3 store: read, written, listed, and written under conditions.

Conditions are what a lake there rests on: ``If-None-Match: *`` (only where nothing is) and
``If-Match`` (only over what was looked at). What is raised holds no secret.
"""

from __future__ import annotations

import base64
import hashlib
import os
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pipeline.errors import LakeError
from pipeline.lake import parts
from pipeline.lake.requests import StoreRequests, TakenError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_NUMBER = "tg-commit"


@dataclass(frozen=True)
class ListedObject:
    """An object as a listing has it."""

    place: str
    """Its key below the lake's prefix."""
    size: int
    etag: str
    age_seconds: float
    """By the store's clock."""
    upload: str = ""
    """Of parts that nobody has made whole: the id of their upload. It has no entity tag."""


class Objects(StoreRequests):
    """Those below one prefix. Safe to use from several threads."""

    def get(self, place: str) -> tuple[bytes, str] | None:
        """An object's bytes and entity tag; None when there is none."""
        found = self._call("get_object", Key=self._key(place))
        return (self._read(found["Body"]), found["ETag"]) if found else None

    def download(self, place: str, sha256: str) -> Iterator[bytes]:
        """An object's bytes in pieces.

        Raises:
            FileNotFoundError: there is none, or one of other bytes; nothing of it counts then.
        """
        found = self._call("get_object", Key=self._key(place))
        if not found:
            raise FileNotFoundError(place)
        digest = hashlib.sha256()
        for piece in self._pieces(found["Body"]):
            digest.update(piece)
            yield piece
        if digest.hexdigest() != sha256:
            raise FileNotFoundError(place)

    def has(self, place: str, sha256: str) -> bool:
        """Whether an object has the bytes of this digest; all of it is read."""
        try:
            deque(self.download(place, sha256), maxlen=0)
        except FileNotFoundError:
            return False
        return True

    def put(self, place: str, body: bytes) -> None:
        """Write an object, whatever is there."""
        self._call("put_object", Key=self._key(place), Body=body)

    def upload(self, place: str, path: Path) -> str:
        """Write a file's bytes, whatever is there; returns their entity tag.

        Raises:
            LakeError: it is larger than an object can be.
        """
        size = path.stat().st_size
        if size > parts.MOST_BYTES:
            raise LakeError(
                f"lake {self.name}: {path.name} has {size:,} bytes, and a file there may have"
                f" {parts.MOST_BYTES:,}: split the raw file into smaller ones"
            )
        if size > parts.ONE_REQUEST:
            return self._upload_parts(place, path)
        with path.open("rb") as body:
            digest = hashlib.file_digest(body, lambda: hashlib.md5(usedforsecurity=False))
            proof = base64.b64encode(digest.digest()).decode()
            # The store refuses other bytes than these, whatever happens on the way.
            made = self._call(
                "put_object", Key=self._key(place), Body=body, ContentMD5=proof, ContentLength=size
            )
            return str(made["ETag"])

    def _upload_parts(self, place: str, path: Path) -> str:
        with suppress(TakenError):
            return self.make(place, parts.read_pieces(path))
        if found := self.look(place):  # it was whole, and the answer that said so was lost
            return found[0]
        raise self._broken("parts that were written are gone")

    def make(self, place: str, pieces: Iterable[bytes], **condition: str) -> str:
        """Write an object of parts, one after the other; returns its entity tag.

        Raises:
            TakenError: the condition did not hold, or the parts are gone: they may be whole by now.
        """
        requests = parts.writing(pieces)
        made = parts.make_of_parts(self._call, self._key(place), requests, {}, condition)
        if not made:
            raise TakenError
        return made

    def create(self, place: str, body: bytes) -> str:
        """Write an object where none is; returns its entity tag.

        Raises:
            TakenError: there is one.
        """
        made = self._call("put_object", Key=self._key(place), Body=body, IfNoneMatch="*")
        return str(made["ETag"])

    def replace(self, place: str, body: bytes, etag: str) -> str:
        """Write an object over the one that has this entity tag; returns the new one's.

        Raises:
            TakenError: there is another one, or none.
        """
        made = self._call("put_object", Key=self._key(place), Body=body, IfMatch=etag)
        if not made:
            raise TakenError
        return str(made["ETag"])

    def look(self, place: str) -> tuple[str, int] | None:
        """An object's entity tag and the commit that it is of; None when there is none."""
        found = self._call("head_object", Key=self._key(place))
        return (found["ETag"], int(found["Metadata"].get(_NUMBER, 0))) if found else None

    def copy(self, source: str, place: str, number: int, etag: str | None, size: int = 0) -> None:
        """Copy an object within the store, as of a commit, over the one with this entity tag.

        Args:
            source: where it lies.
            place: where it comes to lie.
            number: of the commit.
            etag: of what was looked at there; None where nothing is.
            size: its bytes; more than one request copies are copied by parts.

        Raises:
            TakenError: there is another one by now, or one where None was looked at.
            FileNotFoundError: there is no source.
        """
        condition = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
        what = {"Bucket": self._bucket, "Key": self._key(source)}
        metadata = {_NUMBER: str(number)}
        if size > parts.ONE_REQUEST:
            if not (there := self.look(source)):
                raise FileNotFoundError(source)
            requests = parts.copying(what, size, there[0])
            key = self._key(place)
            if not parts.make_of_parts(self._call, key, requests, metadata, condition):
                raise TakenError  # whoever looks again finds out why
            return
        made = self._call(
            "copy_object",
            Key=self._key(place),
            CopySource=what,
            MetadataDirective="REPLACE",
            Metadata=metadata,
            **condition,
        )
        if not made:
            raise FileNotFoundError(source)

    def list(self, folder: str, after: str = "") -> Iterator[ListedObject]:
        """The objects below a folder, by key, from behind one on."""
        options = {"StartAfter": self._key(after)} if after else {}
        while True:
            page = self._call("list_objects_v2", Prefix=self._key(folder), **options)
            now = _clock(page)
            for one in page.get("Contents", []):
                place = one["Key"].removeprefix(self._prefix)
                if one["Key"].endswith("/"):  # what consoles show as an empty folder
                    continue
                age = now - one["LastModified"].timestamp()
                yield ListedObject(place, one["Size"], one["ETag"], age)
            if not page.get("IsTruncated"):
                return
            options = {"ContinuationToken": page["NextContinuationToken"]}

    def list_uploads(self, folder: str) -> Iterator[ListedObject]:
        """What lies below a folder as parts that nobody has made whole, with their bytes."""
        options: dict[str, str] = {}
        while True:
            page = self._call("list_multipart_uploads", Prefix=self._key(folder), **options)
            now = _clock(page)
            for one in page.get("Uploads", []):
                age = now - one["Initiated"].timestamp()
                size = self._size_of_parts(one["Key"], one["UploadId"])
                yield ListedObject(
                    one["Key"].removeprefix(self._prefix), size, "", age, one["UploadId"]
                )
            if not page.get("IsTruncated"):
                return
            after = {name: page.get(f"Next{name}") for name in ("KeyMarker", "UploadIdMarker")}
            options = {name: marker for name, marker in after.items() if marker}

    def _size_of_parts(self, key: str, upload: str) -> int:
        size, options = 0, dict[str, int]()
        while page := self._call("list_parts", Key=key, UploadId=upload, **options):
            size += sum(part["Size"] for part in page.get("Parts", []))
            if not page.get("IsTruncated"):
                break
            options = {"PartNumberMarker": page["NextPartNumberMarker"]}
        return size

    def abort(self, what: ListedObject) -> None:
        """Delete parts that nobody has made whole, if they are still there."""
        self._call("abort_multipart_upload", Key=self._key(what.place), UploadId=what.upload)

    def delete(self, place: str, etag: str | None = None) -> None:
        """Delete an object, if there is one: with an entity tag, none but that.

        Raises:
            TakenError: there is another one.
        """
        condition = {"IfMatch": etag} if etag else {}
        self._call("delete_object", Key=self._key(place), **condition)


def _clock(answer: Any) -> float:
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 as above

    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return parsedate_to_datetime(date).timestamp() if date else time.time()


@lru_cache(maxsize=4)
def _open(bucket: str, prefix: str, name: str, _process: int) -> Objects:
    return Objects(bucket, prefix, name)


def open_objects(url: str) -> Objects:
    """Those of a lake, by its URL; one connection pool a process."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    return _open(bucket, f"{prefix}/" if prefix else "", url, os.getpid())
