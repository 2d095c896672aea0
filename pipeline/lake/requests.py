"""Requests to an S3 store: tried again, and what goes wrong told in a sentence without a secret."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from pipeline.errors import LakeError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_TRIES = 8
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


class StoreRequests:
    """Of objects below one prefix. Safe to use from several threads."""

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
                if (status not in {409, 429} and status < 500) or status == 501:
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
