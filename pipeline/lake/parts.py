"""Objects of more bytes than one request of S3 writes or copies: made of parts.

Nobody sees any of one before its last request, which makes it whole, and has the conditions that a
single request has. What a killed process left of one is no object; ``garbage`` collects it.
"""

from __future__ import annotations

import base64
import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pipeline.errors import TidegaugeError
from pipeline.lake.fault_points import reach

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    Request = tuple[str, dict[str, Any]]
    """An operation that makes a part, and what it is given beside the part's number."""

ONE_REQUEST = 5 * 1000**3
"""The most bytes of an object that one request writes or copies."""
PART = 64 * 1024**2
"""The bytes of a part, which is held in memory; the least that S3 takes of all but the last is
5 MiB."""
MOST_BYTES = 10_000 * PART
"""Of an object: S3 takes so many parts."""


def read_pieces(path: Path) -> Iterator[bytes]:
    """A file's bytes by parts."""
    with path.open("rb") as file:
        while piece := file.read(PART):
            yield piece


def writing(pieces: Iterable[bytes]) -> Iterator[Request]:
    """Requests that write parts; the store refuses other bytes, whatever happens on the way."""
    for piece in pieces:
        digest = hashlib.md5(piece, usedforsecurity=False).digest()
        yield "upload_part", {"Body": piece, "ContentMD5": base64.b64encode(digest).decode()}


def copying(source: dict[str, str], size: int, etag: str) -> Iterator[Request]:
    """Requests that copy an object by parts, as long as it has this entity tag."""
    for start in range(0, size, PART):
        end = min(start + PART, size) - 1
        its = {"CopySource": source, "CopySourceIfMatch": etag}
        yield "upload_part_copy", {**its, "CopySourceRange": f"bytes={start}-{end}"}


def make_of_parts(
    call: Callable[..., Any],
    key: str,
    requests: Iterable[Request],
    metadata: dict[str, str],
    condition: dict[str, str],
) -> str | None:
    """Make an object; returns its entity tag, or None where parts or their source were gone.

    They are, too, where the object was made and the answer that said so was lost.

    Raises:
        TakenError: the condition did not hold.
    """
    upload = {"Key": key}
    upload |= {"UploadId": call("create_multipart_upload", **upload, Metadata=metadata)["UploadId"]}
    whole, parts = None, []
    try:
        for number, (operation, arguments) in enumerate(requests, 1):
            reach("store: before a part")
            made = call(operation, **upload, PartNumber=number, **arguments)
            if not made:
                break
            etag = made.get("CopyPartResult", made)["ETag"]
            parts.append({"PartNumber": number, "ETag": etag})
        else:
            reach("store: before a whole")
            its = {"MultipartUpload": {"Parts": parts}}
            whole = call("complete_multipart_upload", **upload, **its, **condition)
            reach("store: whole")
    finally:
        if not whole:  # of one that is whole by now nothing is left to take back
            with suppress(TidegaugeError):
                call("abort_multipart_upload", **upload)
    return str(whole["ETag"]) if whole else None
