"""What a glob means in an S3 bucket: each prefix is listed once, no object is asked for."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

_MAGIC = re.compile(r"[*?\[]")


def list_matching(files: Any, pattern: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Find the objects that a glob ``bucket/key`` means, each with what a listing tells of it.

    Args:
        files: an ``s3fs.S3FileSystem``.
        pattern: wildcards as ``fsspec`` has them, none in the bucket's name.

    Yields:
        Path and ``Size``, ``LastModified``, ``ETag``; no folders. What lacks yields nothing.

    Raises:
        As ``files.call_s3``.
    """
    from fsspec.utils import glob_translate  # noqa: PLC0415 only who has such a source waits

    bucket, _, key = pattern.partition("/")
    is_meant = re.compile(glob_translate(pattern))
    *folders, name = key.split("/")
    prefixes, delimiter = [""], "/"
    for number, folder in enumerate(folders):
        if folder == "**":  # all that is below
            name, delimiter = "**", ""
            break
        if not _MAGIC.search(folder):
            prefixes = [f"{prefix}{folder}/" for prefix in prefixes]
            continue
        is_folder = re.compile(glob_translate("/".join([bucket, *folders[: number + 1]])))
        prefixes = [
            its
            for page in _list_pages(files, bucket, _begin(prefixes, folder), "/")
            for one in page.get("CommonPrefixes", ())
            if is_folder.match(f"{bucket}/{(its := one['Prefix'])[:-1]}")
        ]
    if name == "**":
        delimiter = ""
    for page in _list_pages(files, bucket, _begin(prefixes, name), delimiter):
        for one in page.get("Contents", ()):
            path = f"{bucket}/{one['Key']}"
            if not path.endswith("/") and is_meant.match(path):
                yield path, one


def _begin(prefixes: Iterable[str], segment: str) -> list[str]:
    """What the names below some prefixes begin with that a segment of a glob means."""
    return [prefix + _MAGIC.split(segment, maxsplit=1)[0] for prefix in prefixes]


def _list_pages(
    files: Any, bucket: str, prefixes: Iterable[str], delimiter: str
) -> Iterator[dict[str, Any]]:
    for prefix in prefixes:
        asked = {"Bucket": bucket, "Prefix": prefix, "Delimiter": delimiter}
        while True:
            try:
                page = files.call_s3("list_objects_v2", **asked)
            except FileNotFoundError:
                return
            yield page
            if not page.get("IsTruncated"):
                break
            asked["ContinuationToken"] = page["NextContinuationToken"]
