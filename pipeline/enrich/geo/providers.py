"""The places a database can be fetched from, and what is to be asked of each. Fetches nothing."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import SecretStr

from pipeline.errors import GeoError, SettingsError
from pipeline.settings import Settings

FetchedKind = Literal["country", "city", "asn"]

NOTICES = {
    "dbip": "IP geolocation by DB-IP (https://db-ip.com), CC BY 4.0: keep this attribution",
    "maxmind": "GeoLite2 and GeoIP2 data by MaxMind (https://www.maxmind.com), under its licence",
}

_SOURCES = "`dbip-lite`, `maxmind`, an http(s) URL, or the path of an .mmdb, .gz or .tar.gz file"


@dataclass(frozen=True)
class Services:
    """Where the named sources are, and the account for those that need one."""

    dbip_url: str = "https://download.db-ip.com"
    maxmind_url: str = "https://download.maxmind.com"
    maxmind_account_id: str | None = None
    maxmind_license_key: SecretStr | None = None


@dataclass(frozen=True)
class Download:
    """One address to ask. Only ``shown`` may appear in messages: the rest may hold secrets."""

    url: str = field(repr=False)
    account: tuple[str, SecretStr] | None = field(default=None, repr=False)

    @property
    def shown(self) -> str:
        """The URL without user, password and query."""
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}{parts.path}"


def candidates(
    source: str, kind: FetchedKind | None, today: date, services: Services
) -> list[Download] | Path:
    """Return the downloads to try in turn for ``source``, or the path when it is a file.

    DB-IP publishes at the start of a month, so the last month's is the second try; its default
    kind is ``country``, the small one, MaxMind's is ``city``. Raises GeoError for an unknown
    source, SettingsError when the account is missing.
    """
    if source == "dbip-lite":
        return _dbip_lite(kind or "country", today, services)
    if source == "maxmind":
        return [_maxmind(kind or "city", services)]
    if source.startswith(("http://", "https://")):
        return [_checked_url(source)]
    if Path(source).is_file():
        return Path(source)
    raise GeoError(f"no such source and no such file: {source!r}; give {_SOURCES}")


def _dbip_lite(kind: FetchedKind, today: date, services: Services) -> list[Download]:
    last_month = today.replace(day=1) - timedelta(days=1)
    base = services.dbip_url.rstrip("/")
    return [
        _checked_url(f"{base}/free/dbip-{kind}-lite-{month:%Y-%m}.mmdb.gz")
        for month in (today, last_month)
    ]


def _maxmind(kind: FetchedKind, services: Services) -> Download:
    if not services.maxmind_account_id:
        raise SettingsError(
            "maxmind_account_id", None, "set it in tidegauge.toml or TIDEGAUGE_MAXMIND_ACCOUNT_ID"
        )
    if services.maxmind_license_key is None:
        raise SettingsError("maxmind_license_key", None, "set it as TIDEGAUGE_MAXMIND_LICENSE_KEY")
    base = services.maxmind_url.rstrip("/")
    name = "ASN" if kind == "asn" else kind.title()
    url = f"{base}/geoip/databases/GeoLite2-{name}/download?suffix=tar.gz"
    return Download(
        _checked_url(url).url, (services.maxmind_account_id, services.maxmind_license_key)
    )


def _checked_url(url: str) -> Download:
    download = Download(url)
    try:
        has_host = download.shown and urlsplit(url).hostname
    except ValueError:
        has_host = None
    if not has_host:
        raise GeoError("a source's URL has no host or an impossible port; check it")
    return download


def services_of(settings: Settings) -> Services:
    """Where databases are fetched from, and with which account."""
    return Services(
        dbip_url=settings.dbip_url,
        maxmind_url=settings.maxmind_url,
        maxmind_account_id=settings.maxmind_account_id,
        maxmind_license_key=settings.maxmind_license_key,
    )


def folder_of(geo: Path | None) -> Path:
    """The folder of databases.

    Raises:
        SettingsError: nobody is to be located, so there is none.
    """
    if geo is None:
        raise SettingsError("geo", "none", "that locates nobody; set the folder for databases")
    return geo
