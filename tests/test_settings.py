"""Settings: file, then environment, then options; what is wrong is named with its remedy."""

from pathlib import Path

import pytest

from pipeline.errors import SettingsError
from pipeline.settings import load_settings

pytestmark = pytest.mark.usefixtures("place")


def test_defaults_are_those_of_the_contract() -> None:
    """Without any setting: ./lake, ./geo, half an hour, and no zone."""
    settings = load_settings()
    assert (settings.lake, settings.geo) == (Path("lake"), Path("geo"))
    assert settings.session_timeout_minutes == 30
    assert settings.timezone is None


def test_environment_wins_over_file_and_option_over_both(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each source overrides the one before it, key by key."""
    (place / "tidegauge.toml").write_text('lake = "a"\ngeo = "a"\ntimezone = "Asia/Tokyo"\n')
    assert load_settings().lake == Path("a")
    monkeypatch.setenv("TIDEGAUGE_LAKE", "b")
    monkeypatch.setenv("TIDEGAUGE_GEO", "b")
    assert load_settings().lake == Path("b")
    settings = load_settings(lake=Path("c"), geo=None)
    assert (settings.lake, settings.geo) == (Path("c"), Path("b"))
    assert settings.timezone == "Asia/Tokyo"


def test_config_names_another_file(place: Path) -> None:
    """`--config` is read instead of tidegauge.toml; one that is not there is an error."""
    (place / "tidegauge.toml").write_text('lake = "default"\n')
    (place / "other.toml").write_text("session_timeout_minutes = 1440\n")
    settings = load_settings(place / "other.toml")
    assert (settings.session_timeout_minutes, settings.lake) == (1440, Path("lake"))
    with pytest.raises(SettingsError, match=r"--config = '.*gone\.toml': no such file"):
        load_settings(place / "gone.toml")


def test_a_variable_names_the_settings_file_and_the_option_wins(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is not there is an error, as with the option; the default one is not read then."""
    (place / "tidegauge.toml").write_text('lake = "default"\n')
    (place / "a.toml").write_text('lake = "a"\n')
    (place / "b.toml").write_text('lake = "b"\n')
    monkeypatch.setenv("TIDEGAUGE_CONFIG", str(place / "a.toml"))
    assert load_settings().lake == Path("a")
    assert load_settings(place / "b.toml").lake == Path("b")
    for wrong in ("gone.toml", str(place), ""):
        monkeypatch.setenv("TIDEGAUGE_CONFIG", wrong)
        with pytest.raises(SettingsError, match=r"TIDEGAUGE_CONFIG = '.*': no such file"):
            load_settings()


WRONG = {
    'timezone = "Toronto"': ("timezone", "'Toronto'", "America/Toronto"),
    'timezone = "EST5EDT4"': ("timezone", "'EST5EDT4'", "IANA"),
    "timezone = 5": ("timezone", "5", "string"),
    "session_timeout_minutes = 0": ("session_timeout_minutes", "0", "greater than or equal to 1"),
    "session_timeout_minutes = 1441": ("session_timeout_minutes", "1441", "1440"),
    'session_timeout_minutes = "half"': ("session_timeout_minutes", "'half'", "integer"),
    "session_timeout_minutes = 1.5": ("session_timeout_minutes", "1.5", "integer"),
    "memory_limit_mb = 1": ("memory_limit_mb", "1", "256"),
    "lake = 7": ("lake", "7", "path"),
    'laek = "x"': ("laek", "'(hidden)'", "no such key; did you mean lake?"),
    '[[source]]\nname = "a"\nfile = "b"': ("[[source]] 1.file", "(hidden)", "did you mean files?"),
    "[site]\nlake = 1": ("site", "'(hidden)'", "no such key"),
    "lake = ": ("--config", "tidegauge.toml", "not valid TOML"),
    'lake = "\xff"': ("--config", "tidegauge.toml", "not valid"),
}


@pytest.mark.parametrize("text", WRONG)
def test_wrong_setting_in_the_file_is_named(text: str, place: Path) -> None:
    """Key, value and what would be right are all in the message."""
    (place / "tidegauge.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(SettingsError) as raised:
        load_settings()
    for part in WRONG[text]:
        assert part in str(raised.value)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [("TIMEZONE", "Mars/Base"), ("SESSION_TIMEOUT_MINUTES", "abc"), ("TIMEZONE", "")],
)
def test_wrong_variable_is_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong value in the environment is named like one in the file."""
    monkeypatch.setenv(f"TIDEGAUGE_{name}", value)
    with pytest.raises(SettingsError, match=rf"{name.lower()} = '{value}': "):
        load_settings()


@pytest.mark.parametrize("name", ["SOURCE", "FORMATS"])
def test_variable_that_is_no_json_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its value is not shown: it may hold a store's password."""
    monkeypatch.setenv(f"TIDEGAUGE_{name}", '{"s3cr3t')
    with pytest.raises(SettingsError, match=rf"TIDEGAUGE_{name} = '\(hidden\)': write JSON") as e:
        load_settings()
    assert "s3cr3t" not in str(e.value)


def test_unknown_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt TIDEGAUGE_ variable is an error, as a misspelt key in the file is."""
    monkeypatch.setenv("TIDEGAUGE_TIMZONE", "UTC")
    with pytest.raises(SettingsError, match=r"(?i)timzone"):
        load_settings()


@pytest.mark.parametrize("name", ["visitor_key", "maxmind_license_key"])
def test_secret_is_shown_nowhere(name: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the settings' text nor an error about a secret shows it."""
    monkeypatch.setenv(f"TIDEGAUGE_{name.upper()}", "a secret of 24 characters")
    assert "a secret" not in repr(load_settings()) + str(load_settings())
    monkeypatch.delenv(f"TIDEGAUGE_{name.upper()}")
    (place / "tidegauge.toml").write_text(f'{name} = ["s3cr3t"]\n')
    with pytest.raises(SettingsError, match=name) as raised:
        load_settings()
    assert "s3cr3t" not in str(raised.value)


def test_visitor_key_has_a_least_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """A visitor key under 16 characters is refused, and not shown."""
    monkeypatch.setenv("TIDEGAUGE_VISITOR_KEY", "fifteen letters")
    with pytest.raises(SettingsError, match="16") as raised:
        load_settings()
    assert "fifteen letters" not in str(raised.value)
