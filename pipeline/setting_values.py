"""What a setting may be: a day in a path, a source's table, names, times, URLs that are secrets."""

import re
from datetime import datetime, time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)
from pydantic_settings import NoDecode

from pipeline.errors import show_value
from pipeline.machine import time_zones

DAY_IN_PATTERN = re.compile(r"\{day:([^{}]*)\}")


def _check_timezone(name: str) -> str:
    if name not in time_zones():
        raise ValueError("not an IANA time zone; write one such as America/Toronto or UTC")
    return name


def _read_geo(place: Any) -> Any:
    return None if str(place) == "none" else place


def _read_time(given: Any) -> Any:
    """A time of day; TOML has its own, with seconds."""
    if isinstance(given, time):
        return given
    try:
        return datetime.strptime(str(given), "%H:%M").time()  # noqa: DTZ007 of whatever zone
    except ValueError:
        raise ValueError("write a time of day such as 07:00") from None


def _split(words: Any) -> Any:
    return words.split() if isinstance(words, str) else words


def _check_source(name: str) -> str:
    if not re.fullmatch(r"[\w@+~-][\w@+~.-]{0,99}", name):
        raise ValueError(
            f"{show_value(name)} is no source; write names such as web01, as status has them"
        )
    return name


def _check_pattern(pattern: str) -> str:
    codes = DAY_IN_PATTERN.findall(pattern)
    is_whole = not set("{}").intersection(DAY_IN_PATTERN.sub("", pattern))
    is_dated = all(re.fullmatch(r"(?:[^%]*%[YymdjbBGVu])+[^%]*", code) for code in codes)
    if not pattern or not is_whole or not is_dated:
        raise ValueError(
            "write a path or glob; a day in it as {day:%Y%m%d}, of the codes Y y m d j b B G V u"
        )
    return pattern


def _check_files(pattern: str) -> str:
    if "://" in pattern:
        raise ValueError("that is a URL: write it as url; files is a local path or glob")
    return _check_pattern(pattern)


def _check_url(url: SecretStr) -> SecretStr:
    _check_pattern(text := url.get_secret_value())
    found = re.fullmatch(r"(s3|https?|sftp)://([^/]+)/.+", text)
    if not found:
        raise ValueError("write s3://bucket/key, https://host/path or sftp://user@host/path")
    if found[1] == "s3" and "@" in found[2]:
        raise ValueError("keys stand in AWS_ACCESS_KEY_ID and the like or ~/.aws, not in the URL")
    if found[1].startswith("http") and "?" in text and set("*[") & set(text):
        raise ValueError("a URL with a query names one file a day: no * and no [ in it")
    return url


def _check_proxies(words: tuple[str, ...]) -> tuple[str, ...]:
    if words:  # NumPy is not for where DAGs are parsed
        from pipeline.proxies import read_proxies  # noqa: PLC0415

        read_proxies(words)
    return words


TimeZoneName = Annotated[str, AfterValidator(_check_timezone)]
"""Of IANA."""
GeoFolder = Annotated[Path | None, BeforeValidator(_read_geo)]
"""None where nobody is to be located."""
TimeOfDay = Annotated[time, BeforeValidator(_read_time)]
AlertUrls = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)]
"""URLs hold passwords, so they are never shown."""
SourceNames = Annotated[
    tuple[Annotated[str, AfterValidator(_check_source)], ...], NoDecode, BeforeValidator(_split)
]

Tag = Annotated[str, Field(max_length=100)]
"""As long as Airflow takes it: a longer one makes the DAG's file one that can't be read."""
Tags = Annotated[tuple[Tag, ...], NoDecode, BeforeValidator(_split)]

ProxyNames = Annotated[
    tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_check_proxies)
]


class SourceTable(BaseModel):
    """A table ``[[source]]``: where the raw logs of one server lie, and how they are read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, AfterValidator(_check_source)] = Field(
        description="the server; several tables may have the same name"
    )
    files: Annotated[str, AfterValidator(_check_files)] | None = Field(
        None, description="a path, a folder or a glob on this machine"
    )
    url: Annotated[SecretStr, AfterValidator(_check_url)] | None = Field(
        None,
        description="or a URL or glob in a store: `s3://`, `https://` (a glob needs a listing),"
        " `sftp://`",
    )
    """May hold a password or a signature; see ``stores.without_secrets``."""
    layout: str | None = Field(
        None,
        description="a name of `tidegauge formats` or of a table `[formats.NAME]`, or the format"
        " string of the server's configuration; found from each file's first lines when not set",
    )
    timezone: TimeZoneName | None = Field(
        None, description="of times that are written without an offset; UTC when not set"
    )
    expected: bool = Field(
        True, description="whether a day without it is incomplete; joins the names in `sources`"
    )

    @model_validator(mode="after")
    def _check_place(self) -> "SourceTable":
        if (self.files is None) == (self.url is None):
            raise ValueError("write either files (a local path or glob) or url")
        return self


class Addresses(StrEnum):
    """What the lake keeps of visitors' addresses."""

    none = "none"
    truncated = "truncated"
    full = "full"


class AirflowItem(StrEnum):
    """What a site may keep in Airflow."""

    settings = "settings"
    visitor_key = "visitor_key"
    alert_urls = "alert_urls"
    s3 = "s3"


AirflowItems = Annotated[tuple[AirflowItem, ...], NoDecode, BeforeValidator(_split)]
