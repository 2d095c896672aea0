"""Settings: ``tidegauge.toml``, overridden by ``TIDEGAUGE_*``, overridden by options.

What the program reads of the environment, it reads here.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from datetime import date
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings import (
    SettingsError as UnreadableError,
)

from pipeline.definitions import (
    HITS_PER_MB,
    LEAST_KEY_LENGTH,
    MAX_CONTENT_RATIO,
    MAX_LINES,
    MEMORY_LIMIT_MB,
    MOST_TIMEOUT_MINUTES,
    SMALL_BYTES,
)
from pipeline.engine import Engine
from pipeline.errors import HIDDEN, SettingsError, TidegaugeError
from pipeline.lake.place import BucketUrl, check_bucket, check_place
from pipeline.language import LanguageCode
from pipeline.machine import find_timezone
from pipeline.setting_errors import explain
from pipeline.setting_values import (
    Addresses,
    AirflowItems,
    AlertUrls,
    GeoFolder,
    ProxyNames,
    SourceNames,
    SourceTable,
    Tags,
    TimeOfDay,
    TimeZoneName,
)

if TYPE_CHECKING:
    from pipeline.proxies import TrustedProxies

DEFAULT_CONFIG = Path("tidegauge.toml")
CONFIG_VARIABLE = "TIDEGAUGE_CONFIG"


def read_lake(place: Any) -> Any:
    """A lake's place as settings have it, on this machine.

    Raises:
        ValueError: no lake can lie there.
    """
    if isinstance(place, str) and place.startswith("s3:"):
        caches = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
        return check_bucket(place, Path(caches, "tidegauge"))
    return check_place(Path(place)) if isinstance(place, str | Path) else place


class Settings(BaseSettings):
    """Everything a site may set. Paths are relative to the working directory."""

    model_config = SettingsConfigDict(env_prefix="TIDEGAUGE_", extra="forbid")

    lake: Annotated[Path | BucketUrl, BeforeValidator(read_lake)] = Field(
        Path("lake"),
        description="the folder that everything counted is kept in, or `s3://bucket/prefix`",
    )
    geo: GeoFolder = Field(
        Path("geo"), description="address databases; `none` locates nobody: every country is ZZ"
    )
    raw: Path = Field(Path("raw"), description="raw logs that `run`, `watch` and the DAGs discover")
    follow_links: bool = Field(
        False, description="read what links in a folder of raw logs point to outside it, too"
    )
    max_content_ratio: int = Field(
        MAX_CONTENT_RATIO,
        ge=2,
        description=f"a raw file of over {SMALL_BYTES // 1024**2} MiB that is more times its size"
        " on disk is refused",
    )
    max_lines: int = Field(MAX_LINES, ge=1, description="a raw file of more lines is refused")
    log_format: str | None = Field(
        None,
        description="a layout's name, one of `formats`, or a format string as it stands in the"
        " server's configuration; found from each file's first lines when not set",
    )
    formats: dict[str, dict[str, str]] = Field(
        {},
        description="tables: maps from fields to places in JSON logs, by the name that `log_format`"
        " and `layout` may have",
    )
    language: LanguageCode = Field(
        LanguageCode.en, description="what sentences are written in: `en` or `fr`"
    )
    report: Path = Field(Path("report.html"), description="the page that `run` and the DAGs write")
    timezone: TimeZoneName | None = Field(
        None,
        description="the site's time zone, an IANA name; when neither set nor in the lake, the"
        " machine's or UTC, whichever the lines' own offsets fit",
    )
    session_timeout_minutes: int = Field(
        30,
        ge=1,
        le=MOST_TIMEOUT_MINUTES,
        description="a longer gap between two hits starts the next session",
    )
    drop_robotlike: bool = Field(
        False, description="leave visitors out of the counts whose day looks like a robot's"
    )
    visitor_key: SecretStr | None = Field(
        None,
        min_length=LEAST_KEY_LENGTH,
        description="the secret of the visitor hash; of `visitor_key_file` when not set",
    )
    visitor_key_file: Path = Field(
        Path("~/.config/tidegauge/visitor.key"),
        description="a file with that secret that only its owner may read; made on first use",
    )
    addresses: Addresses = Field(
        Addresses.none,
        description="what hits and rejected lines keep: none, truncated (/24, /48) or full",
    )
    geo_provider: str | None = Field(None, description="use only this provider's databases")
    maxmind_account_id: str | None = Field(
        None,
        description="for `geo fetch maxmind`; in Airflow the connection `maxmind` has both",
    )
    maxmind_license_key: SecretStr | None = Field(None, description="the account's licence key")
    maxmind_url: str = Field(
        "https://download.maxmind.com", description="where MaxMind's databases are fetched from"
    )
    dbip_url: str = Field(
        "https://download.db-ip.com", description="where DB-IP's databases are fetched from"
    )
    overlap_least_lines: int = Field(
        20,
        ge=2,
        description="so many different lines in a row in two files of a source are an overlap",
    )
    drop_overlaps: bool = Field(True, description="drop the later copy of an overlap as duplicates")
    workers: int = Field(
        1, ge=1, le=256, description="processes that take in raw files and build days at once"
    )
    spark_master: Annotated[str | None, BeforeValidator(lambda master: master or None)] = Field(
        None,
        description="a Spark cluster that does so instead, such as `spark://host:7077`; the lake"
        " and the raw files must be where its machines find them",
    )
    sources: SourceNames = Field(
        (), description="the servers that every day should have logs of; learnt when not set"
    )
    trusted_proxies: ProxyNames = Field(
        (),
        description="proxies whose word on a client's address is taken: networks, addresses,"
        " `private`, `loopback`; `unlogged` and `unix` for whoever connected so",
    )
    source: tuple[SourceTable, ...] = Field(
        (), description="tables: where the logs of a server lie; those expected join `sources`"
    )
    max_fetch_mb: int = Field(
        10_000, ge=1, description="a remote file or standard input of more MB is refused"
    )
    memory_limit_mb: int = Field(
        MEMORY_LIMIT_MB,
        ge=256,
        description="DuckDB's memory, in MB; it spills to the disk beyond. With less than 1000 raw"
        " files are read one at a time",
    )
    hits_at_once: int | None = Field(
        None,
        ge=1,
        description="hits that a process builds a day from; a day of more is divided by its"
        f" visitors; when not set, {HITS_PER_MB:,} for each MB of `memory_limit_mb`",
    )
    last_day: date | None = Field(
        None, description="the last day of a closed site: no run is scheduled for later ones"
    )
    hits_kept_days: int | None = Field(
        None,
        ge=3,
        description="`retention` deletes older hits and rejects; all are kept when not set",
    )
    retention_max_days: int = Field(
        7, ge=1, description="`retention` refuses to delete more days at once"
    )
    files_due_by: TimeOfDay | None = Field(
        None,
        description="in Airflow: until then, on the morning after, `tidegauge_nightly` waits for"
        " files of the sources expected, and counts what is there; it does not wait when not set",
    )
    figures_due_by: TimeOfDay | None = Field(
        None,
        description="in Airflow: a day whose figures are not published by then, on the morning"
        " after, alerts",
    )
    alert_urls: AlertUrls = Field((), description="apprise URLs of the services that alerts go to")
    alert_days: int = Field(7, ge=1, description="alerts are silent about days further back")
    restatement_alert_share: float = Field(
        0.05, ge=0, description="a published figure that changes by more than this share alerts"
    )
    airflow_reads: AirflowItems = Field(
        (),
        description="what tasks and the tab read in Airflow, where it must be: `settings` in the"
        " variable `tidegauge`, `visitor_key`, `alert_urls` and the keys of `s3` in connections",
    )
    airflow_owner: str | None = Field(
        None,
        description="the owner of the DAGs' tasks in Airflow's UI; Airflow's own default when not"
        " set",
    )
    airflow_pool: str = Field(
        "default_pool",
        min_length=1,
        max_length=256,
        description="the pool of Airflow that the DAGs' tasks run in; it must be there",
    )
    airflow_build_pool: str | None = Field(
        None,
        min_length=1,
        max_length=256,
        description="a pool of Airflow of one slot, in which builds of all DAGs take turns instead"
        " of waiting at work; `airflow_pool` when not set; it must be there",
    )
    airflow_build_tasks: int = Field(
        1,
        ge=1,
        le=256,
        description="in Airflow: days of a build, and buckets of a large one, are tasks of their"
        " own, so many at once, on any of its machines; with 1 a build is one task",
    )
    airflow_tags: Tags = Field(
        ("tidegauge",), description="the tags of the DAGs, by which Airflow's UI finds them"
    )

    @model_validator(mode="after")
    def _join_sources(self) -> "Settings":
        expected = [table.name for table in self.source if table.expected]
        self.sources = tuple(dict.fromkeys([*self.sources, *expected]))
        return self

    @model_validator(mode="after")
    def _resolve_formats(self) -> "Settings":
        """Replace names of ``formats`` by what stands for them, which needs no settings."""
        if not self.formats:
            return self
        from pipeline.formats.layouts import read_maps  # noqa: PLC0415 not for parsing DAGs

        maps = read_maps(self.formats)
        self.log_format = maps.get(self.log_format or "", self.log_format)
        self.source = tuple(
            table.model_copy(update={"layout": maps.get(table.layout or "", table.layout)})
            for table in self.source
        )
        return self

    @property
    def proxies(self) -> "TrustedProxies":
        """The networks of ``trusted_proxies``."""
        from pipeline.proxies import read_proxies  # noqa: PLC0415 numpy is not for parsing DAGs

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


def machine_timezone() -> str | None:
    """The IANA name of this machine's zone; None when it can't be told."""
    return find_timezone(os.environ.get("TZ"))


def _check_environment() -> None:
    """Refuse a misspelt ``TIDEGAUGE_*``: it would be silently without effect."""
    known = {f"TIDEGAUGE_{name.upper()}" for name in Settings.model_fields} | {CONFIG_VARIABLE}
    for name in os.environ:
        if name.upper().startswith("TIDEGAUGE_") and name.upper() not in known:
            near = get_close_matches(name.upper(), known, 1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
            raise SettingsError(name, "(set in the environment)", f"no such setting; {hint}")


@cache
def _class_of(path: Path) -> type[Settings]:
    """The settings with those of a file."""

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=path)

    return FromFile


def load_settings(config: Path | None = None, **options: Any) -> Settings:
    """Read the settings; ``options`` that are ``None`` do not override.

    Raises:
        SettingsError: a wrong value or an unknown key, with what would be right.
    """
    key, path = find_config(config)
    if path != DEFAULT_CONFIG and not path.is_file():
        raise SettingsError(key, str(path), "no such file")
    _check_environment()
    given = {key: value for key, value in options.items() if value is not None}
    try:
        return _class_of(path)(**given)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(key, str(path), f"not valid TOML: {error}") from None
    except ValidationError as error:
        raise explain(error, Settings) from None
    except UnreadableError as error:
        named = re.search(r'field "(\w+)"', str(error))
        name = f"TIDEGAUGE_{named[1].upper()}" if named else "TIDEGAUGE_*"
        raise SettingsError(name, HIDDEN, "write JSON, or tables in tidegauge.toml") from None


def find_config(config: Path | None = None) -> tuple[str, Path]:
    """What names the settings file, and the file: the option, else the variable, else neither."""
    named = [value for name, value in os.environ.items() if name.upper() == CONFIG_VARIABLE]
    if config is None and named:
        return CONFIG_VARIABLE, Path(named[0])
    key = "--config" if TidegaugeError.is_at_terminal else CONFIG_VARIABLE
    return key, config or DEFAULT_CONFIG


def as_elsewhere(settings: Settings) -> Settings:
    """The same for another process, which does the work itself; a file's settings can't be sent."""
    values = {name: getattr(settings, name) for name in Settings.model_fields}
    its_own = {"workers": 1, "spark_master": None}
    return Settings.model_construct(settings.model_fields_set, **values | its_own)


def engine_of(settings: Settings) -> Engine:
    """Where work runs; processes elsewhere get this one's keys to stores, and its region."""
    stores = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    return Engine(settings.workers, settings.spark_master, stores)


def use_store_keys(keys: Mapping[str, str]) -> None:
    """Let this process, and those that it starts, use these ``AWS_*`` alone."""
    os.environ.pop("AWS_SESSION_TOKEN", None)  # that of another key
    os.environ.update(keys)
