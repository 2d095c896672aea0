"""Settings: ``tidegauge.toml``, overridden by ``TIDEGAUGE_*``, overridden by options.

The only module that reads the environment.
"""

import os
import re
import tomllib
from datetime import date
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from pipeline.errors import SettingsError
from pipeline.proxies import TrustedProxies, read_proxies

DEFAULT_CONFIG = Path("tidegauge.toml")
DEFAULT_TIMEZONE = "America/Toronto"
MAX_CONTENT_RATIO = 300
"""Logs compress 5 to 35 times as gz, up to 250 times in a flood of one line, zeros 1,030 times."""
MAX_LINES = 200_000_000


def _check_timezone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("not an IANA time zone; write one such as America/Toronto or UTC")
    return name


def _check_lake(path: Path) -> Path:
    if "?" in str(path):
        raise ValueError("DuckDB reads options behind a ? in a path; choose another folder")
    return path


def _split(words: Any) -> Any:
    return words.split() if isinstance(words, str) else words


def _check_sources(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if not re.fullmatch(r"[\w@+~-][\w@+~.-]{0,99}", name):
            raise ValueError(
                f"{name!r} is no source; write names such as web01, as status has them"
            )
    return names


def _check_proxies(words: tuple[str, ...]) -> tuple[str, ...]:
    read_proxies(words)
    return words


AlertUrls = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)]
"""URLs hold passwords, so they are never shown."""
SourceNames = Annotated[
    tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_check_sources)
]

ProxyNames = Annotated[
    tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_check_proxies)
]


class Addresses(StrEnum):
    """What the lake keeps of visitors' addresses."""

    none = "none"
    truncated = "truncated"
    full = "full"


class Settings(BaseSettings):
    """Everything a site may set. Paths are relative to the working directory."""

    model_config = SettingsConfigDict(env_prefix="TIDEGAUGE_", extra="forbid")

    lake: Annotated[Path, AfterValidator(_check_lake)] = Path("lake")
    geo: Path = Path("geo")
    raw: Path = Field(Path("raw"), description="raw logs that `run` and the DAGs discover")
    follow_links: bool = Field(
        False, description="read what links in a folder of raw logs point to outside it, too"
    )
    max_content_ratio: int = Field(
        MAX_CONTENT_RATIO,
        ge=2,
        description="a raw file of more than 64 MiB that is so many times its size on disk is none",
    )
    max_lines: int = Field(MAX_LINES, ge=1, description="a raw file of more lines is refused")
    log_format: str | None = Field(
        None,
        description="a layout's name or a format string as it stands in the server's"
        " configuration; found from each file's first lines when not set",
    )
    report: Path = Field(Path("report.html"), description="the page that `run` and the DAGs write")
    timezone: Annotated[str, AfterValidator(_check_timezone)] | None = Field(
        None,
        description=f"the site's time zone; {DEFAULT_TIMEZONE} when neither set nor in the lake",
    )
    session_timeout_minutes: int = Field(30, ge=1, le=24 * 60)
    drop_robotlike: bool = Field(
        False, description="whether visitors whose day looks like a robot's are not counted"
    )
    visitor_key: SecretStr | None = Field(
        None, min_length=16, description="secret of the visitor hash; else visitor_key_file"
    )
    visitor_key_file: Path = Path("~/.config/tidegauge/visitor.key")
    addresses: Addresses = Field(
        Addresses.none,
        description="what hits and rejected lines keep: none, truncated (/24, /48) or full",
    )
    geo_provider: str | None = Field(None, description="use only this provider's databases")
    maxmind_account_id: str | None = None
    maxmind_license_key: SecretStr | None = None
    maxmind_url: str = "https://download.maxmind.com"
    dbip_url: str = "https://download.db-ip.com"
    overlap_least_lines: int = Field(
        20, ge=2, description="so many lines in a row in two files of a server are an overlap"
    )
    drop_overlaps: bool = Field(
        True, description="whether the later copy of an overlap is dropped as duplicates"
    )
    sources: SourceNames = Field(
        (), description="the servers that every day should have logs of; learnt when not set"
    )
    trusted_proxies: ProxyNames = Field(
        (),
        description="proxies whose word on a client's address is taken: networks, addresses,"
        " `private`, `loopback`",
    )
    memory_limit_mb: int = Field(1200, ge=256, description="DuckDB's memory; it spills beyond")
    last_day: date | None = Field(
        None, description="of a closed site: no run is scheduled for days after it"
    )
    hits_kept_days: int | None = Field(
        None, ge=3, description="retention deletes hits and rejects that are older; all are kept"
    )
    retention_max_days: int = Field(7, ge=1, description="retention refuses to delete more at once")
    alert_urls: AlertUrls = Field((), description="apprise URLs, in TOML a list, else with spaces")
    alert_days: int = Field(7, ge=1, description="alerts are silent about days further back")
    restatement_alert_share: float = Field(
        0.05, ge=0, description="a published figure that changes by more than this share alerts"
    )

    @property
    def site_zone(self) -> str:
        """The IANA name in force: the one set, or the default."""
        return self.timezone or DEFAULT_TIMEZONE

    @property
    def zone_info(self) -> ZoneInfo:
        """The zone in force as ``tzinfo``."""
        return ZoneInfo(self.site_zone)

    @property
    def proxies(self) -> TrustedProxies:
        """The networks of ``trusted_proxies``."""
        return read_proxies(self.trusted_proxies)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Options first, then the environment, then the file named by ``load_settings``."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def _check_environment() -> None:
    """Refuse a misspelt ``TIDEGAUGE_*``: it would be silently without effect."""
    known = {f"TIDEGAUGE_{name.upper()}" for name in Settings.model_fields}
    for name in os.environ:
        if name.upper().startswith("TIDEGAUGE_") and name.upper() not in known:
            near = get_close_matches(name.upper(), known, 1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
            raise SettingsError(name, "(set in the environment)", f"no such setting; {hint}")


def load_settings(config: Path | None = None, **options: Any) -> Settings:
    """Read the settings; ``options`` that are ``None`` do not override.

    Raises:
        SettingsError: a wrong value or an unknown key, with what would be right.
    """
    path = config or DEFAULT_CONFIG
    if config is not None and not config.is_file():
        raise SettingsError("--config", str(config), "no such file")
    _check_environment()
    given = {key: value for key, value in options.items() if value is not None}

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=path)

    try:
        return FromFile(**given)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError("--config", str(path), f"not valid TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        value = "(hidden)" if "key" in key or "alert" in key else first["input"]
        raise SettingsError(key, value, first["msg"].removeprefix("Value error, ")) from None
