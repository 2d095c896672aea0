"""Which settings name a place by the working directory, which a scheduler's tasks do not share."""

from pathlib import Path

from pipeline.errors import SettingsError
from pipeline.settings import DEFAULT_CONFIG, Settings, find_config


def refuse_relative(settings: Settings) -> None:
    """Refuse paths that begin at the working directory: a scheduler's tasks have none in common.

    Raises:
        SettingsError: names the first of them.
    """
    for name, place in list_relative(settings).items():
        raise SettingsError(name, str(place), "in Airflow write an absolute path, from / on")


def list_relative(settings: Settings) -> dict[str, str | Path]:
    """The paths that begin at the working directory, by their settings' keys."""
    key, config = find_config()
    places: dict[str, str | Path | None] = {
        "lake": settings.lake if isinstance(settings.lake, Path) else None,
        "geo": settings.geo,
        "report": settings.report,
        "visitor_key_file": None if settings.visitor_key else settings.visitor_key_file,
        key: None if config == DEFAULT_CONFIG else config,
        **{f"[[source]] {n}.files": one.files for n, one in enumerate(settings.source, 1)},
    }
    if not settings.source or "raw" in settings.model_fields_set:
        places["raw"] = settings.raw
    return {
        name: place
        for name, place in places.items()
        if place is not None and not Path(place).expanduser().is_absolute()
    }
