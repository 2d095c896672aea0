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
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pipeline.errors import LakeError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NUMBER = "tg-commit"
_TRIES = 8
_MOST_BYTES = 5 * 1000**3
"""Of an object that one request writes or copies."""
_PIECE = 1024 * 1024
_REFUSED = {
    "NoSuchBucket": "there is no such bucket: make it, or write another one's name",
    "AccessDenied": "the store refuses these keys here: give them the right to list, read, write"
    " and delete below this prefix",
    "InvalidAccessKeyId": "the store does not know the key in AWS_ACCESS_KEY_ID or ~/.aws",
    "SignatureDoesNotMatch": "the store does not take the secret in AWS_SECRET_ACCESS_KEY or"
    " ~/.aws",
    "ExpiredToken": "the keys have expired: give new ones",
    "AuthorizationHeaderMalformed": "the bucket is in another region: set AWS_DEFAULT_REGION to it",
    "PermanentRedirect": "the bucket is in another region: set AWS_DEFAULT_REGION to it",
    "RequestTimeTooSkewed": "this machine's clock is off by more than the store accepts: set it",
}
_STATUS = {403: "AccessDenied", 301: "PermanentRedirect"}


class RefusedError(LakeError):
    """The store does not let these keys do it."""


class TakenError(Exception):
    """The condition did not hold: somebody else was first."""


@dataclass(frozen=True)
class ListedObject:
    """An object as a listing has it."""

    place: str
    """Its key below the lake's prefix."""
    size: int
    etag: str
    age_seconds: float
    """By the store's clock."""


class Objects:
    """Those below one prefix. Safe to use from several threads."""

    def __init__(self, bucket: str, prefix: str, name: str) -> None:
        """Know the place; the store is not asked.

        Raises:
            LakeError: the package is missing, or no region or keys are set as they should be.
        """
        self._bucket, self._prefix, self.name = bucket, prefix, name
        try:
            import botocore.session  # noqa: PLC0415 few lakes are in a store
            from botocore.config import Config  # noqa: PLC0415
        except ImportError:
            why = f"lake {name}: a package is missing: pip install 'tidegauge[s3]'"
            raise LakeError(why) from None
        session = botocore.session.get_session()
        region = session.get_config_variable("region") or "us-east-1"
        config = Config(
            connect_timeout=10,
            read_timeout=60,
            retries={"mode": "standard", "total_max_attempts": 5},
            max_pool_connections=16,
            # What is more than every S3 store has is not asked for.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        self._client = session.create_client("s3", region_name=region, config=config)

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
            LakeError: it is larger than an object that one request makes.
        """
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise LakeError(
                f"lake {self.name}: {path.name} has {size:,} bytes, and a file there may have"
                f" {_MOST_BYTES:,}: split the raw file into smaller ones"
            )
        with path.open("rb") as body:
            digest = hashlib.file_digest(body, lambda: hashlib.md5(usedforsecurity=False))
            proof = base64.b64encode(digest.digest()).decode()
            # The store refuses other bytes than these, whatever happens on the way.
            made = self._call(
                "put_object", Key=self._key(place), Body=body, ContentMD5=proof, ContentLength=size
            )
            return str(made["ETag"])

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

    def copy(self, source: str, place: str, number: int, etag: str | None) -> None:
        """Copy an object within the store, as of a commit, over the one with this entity tag.

        Raises:
            TakenError: there is another one by now, or one where None was looked at.
            FileNotFoundError: there is no source.
        """
        condition = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
        made = self._call(
            "copy_object",
            Key=self._key(place),
            CopySource={"Bucket": self._bucket, "Key": self._key(source)},
            MetadataDirective="REPLACE",
            Metadata={_NUMBER: str(number)},
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

    def delete(self, place: str, etag: str | None = None) -> None:
        """Delete an object, if there is one: with an entity tag, none but that.

        Raises:
            TakenError: there is another one.
        """
        condition = {"IfMatch": etag} if etag else {}
        self._call("delete_object", Key=self._key(place), **condition)

    def _key(self, place: str) -> str:
        return self._prefix + place

    def _call(self, operation: str, **arguments: Any) -> Any:
        """The store's answer; None where it says that nothing is there."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 as above

        body = arguments.get("Body")
        for attempt in range(_TRIES):
            if hasattr(body, "seek"):  # what was tried before has read it
                body.seek(0)  # type: ignore[union-attr]
            try:
                return getattr(self._client, operation)(Bucket=self._bucket, **arguments)
            except ClientError as error:
                status = error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
                code = error.response["Error"].get("Code", "")
                if code in _REFUSED or (code := _STATUS.get(status, code)) in _REFUSED:
                    kind = RefusedError if code == "AccessDenied" else LakeError
                    raise kind(f"lake {self.name}: {_REFUSED[code]}") from None
                if status == 404:
                    return None
                if status == 412:
                    raise TakenError from None
                if status not in {409, 429} and status < 500:
                    why = f"lake {self.name}: the store answers {code or status} to {operation}"
                    raise LakeError(why) from None
                if attempt == _TRIES - 1:
                    why = f"the store answers {code or status}, {_TRIES} times"
                    raise self._broken(why) from None
            except BotoCoreError as error:  # after its own tries
                raise self._broken(_say(error)) from None
            time.sleep(0.05 * 2**attempt)  # 409: somebody writes the same object at this moment
        raise AssertionError

    def _read(self, body: Any) -> bytes:
        return b"".join(self._pieces(body))

    def _pieces(self, body: Any) -> Iterator[bytes]:
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415 as above

        try:
            yield from body.iter_chunks(_PIECE)
        except (BotoCoreError, OSError) as error:
            raise self._broken(_say(error)) from None

    def _broken(self, why: str) -> StorageError:
        return StorageError(
            f"lake {self.name} can't be reached: {why}; nothing was changed that is not whole,"
            " run the command again"
        )


def _clock(answer: Any) -> float:
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 as above

    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return parsedate_to_datetime(date).timestamp() if date else time.time()


def _say(error: Exception) -> str:
    """What went wrong, in words of ours: the library's may hold addresses with secrets."""
    kinds = {
        "EndpointConnectionError": "no answer at its address; AWS_ENDPOINT_URL names another one",
        "NoCredentialsError": "no keys are set: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or"
        " ~/.aws",
        "PartialCredentialsError": "only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set",
        "SSLError": "no TLS with it",
        "ProxyConnectionError": "the proxy does not answer",
    }
    return kinds.get(type(error).__name__, "the connection broke off")


@lru_cache(maxsize=4)
def _open(bucket: str, prefix: str, name: str, _process: int) -> Objects:
    return Objects(bucket, prefix, name)


def open_objects(url: str) -> Objects:
    """Those of a lake, by its URL; one connection pool a process."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    return _open(bucket, f"{prefix}/" if prefix else "", url, os.getpid())
