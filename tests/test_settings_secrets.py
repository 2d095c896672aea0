"""What errors show of settings: a value of a key that is known and no secret, never credentials."""

import traceback
from pathlib import Path

import pytest
from lake_fixtures import Site, make_line

from pipeline.errors import SettingsError, show_value
from pipeline.settings import load_settings

pytestmark = pytest.mark.usefixtures("place")

IN_THE_FILE = {
    'visitor_kei = "s3cr3t"': "did you mean visitor_key?",
    'visitorkey = "s3cr3t"': "did you mean visitor_key?",
    'password = "s3cr3t"': "no such key",
    'alert_url = ["json://me:s3cr3t@example.org"]': "did you mean alert_urls?",
    'alerts = "s3cr3t"': "no such key",
    'alert_urls = [["s3cr3t"]]': "string",
    'alert_urls = { a = "s3cr3t" }': "tuple",
    'visitor_key = ["s3cr3t"]': "string",
    'visitor_key = "s3cr3t"': "16",
    'lake = ["s3cr3t"]': "path",
    'lake = { visitor_key = "s3cr3t" }': "path",
    'lake = "s3://AKIA:s3cr3t@bucket/a?b"': "keys stand in",
    'raw = ["sftp://me:s3cr3t@host/x"]': "path",
    'timezone = "https://me:s3cr3t@example.org/"': "IANA",
    'timezone = "me:s3cr3t@example.org"': "IANA",
    'timezone = "token=s3cr3t"': "IANA",
    'timezone = ["s3cr3t"]': "string",
    'sources = "s3://AKIA:s3cr3t@bucket"': "write names such as web01",
    'sources = [["s3cr3t"]]': "string",
    'trusted_proxies = "https://me:s3cr3t@proxy/"': "networks such as",
    'trusted_proxies = [{ a = "s3cr3t" }]': "string",
    'source = "s3cr3t"': "tuple",
    'source = ["s3cr3t"]': "SourceTable",
    '[source]\nname = "web01"\nurl = "https://h/s3cr3t"': "tuple",
    '[[source]]\nname = "web01"\npassword = "s3cr3t"': "no such key",
    '[[source]]\nname = "web01"\nurls = "https://me:s3cr3t@h/x"': "did you mean url?",
    '[[source]]\nname = "web01"\nurl = "ftp://me:s3cr3t@h/x"': "s3://bucket/key",
    '[[source]]\nname = "web01"\nurl = ["s3cr3t"]': "string",
    '[[source]]\nname = "web01"\nfiles = "s3://AKIA:s3cr3t@b/x"': "write it as url",
    '[[source]]\nname = "web01"\nfiles = ["s3cr3t"]': "string",
    '[[source]]\nname = "web01"\nfiles = "a"\nurl = "https://me:s3cr3t@h/x"': "either files",
    '[[source]]\nname = "me:s3cr3t@h"\nfiles = "a"': "is no source",
    '[[source]]\nname = "a"\nfiles = "b"\n[source.login]\nkey = "s3cr3t"': "no such key",
    'formats = "s3cr3t"': "dictionary",
    'formats = ["s3cr3t"]': "dictionary",
    '[formats]\napp = "s3cr3t"': "dictionary",
    '[formats.app]\ntime = ["s3cr3t"]': "string",
    '[formats.app]\npassword = "s3cr3t"': "write one of time, client",
    '[formats.app]\ntime = "t"\n[formats.app.login]\nkey = "s3cr3t"': "string",
    'max_lines = "s3cr3t:x@y"': "integer",
    'addresses = "token=s3cr3t"': "truncated",
    'last_day = ["s3cr3t"]': "date",
    'visitor_key "s3cr3t"': "not valid TOML",
    "visitor_key = s3cr3t": "not valid TOML",
    'visitor_key = "s3cr3t': "not valid TOML",
    'visitor_key = "a"\nvisitor_key = "s3cr3t"': "not valid TOML",
    '"json://me:s3cr3t@h" = 1': "no such key",
}
IN_A_VARIABLE = [
    ("VISITOR_KEI", "s3cr3t"), ("ALERT_URL", "json://me:s3cr3t@h"), ("PASSWORD", "s3cr3t"),
    ("VISITOR_KEY", "s3cr3t"), ("TIMEZONE", "me:s3cr3t@h"), ("SOURCE", '["s3cr3t"]'),
    ("SOURCE", '[{"name": "a", "pass": "s3cr3t"}]'), ("FORMATS", '"s3cr3t"'),
    ("FORMATS", '{"app": {"x": "s3cr3t"}}'), ("SOURCES", "s3://AKIA:s3cr3t@b"),
    ("TRUSTED_PROXIES", "me:s3cr3t@h"), ("LAKE", "s3://AKIA:s3cr3t@b?x"),
    ("CONFIG", "https://me:s3cr3t@h/x.toml"), ("CONFIG", "s3://AKIA:s3cr3t@b/x.toml"),
]  # fmt: skip
AS_AN_OPTION = [
    ("status", "--lake", "s3://AKIA:s3cr3t@bucket/lake"),
    ("status", "--config", "https://me:s3cr3t@h/x.toml"),
    ("ingest", "x.log", "--geo", "s3://AKIA:s3cr3t@bucket/geo"),
    ("run", "--geo", "geo", "--raw", "s3://AKIA:s3cr3t@bucket/raw"),
    ("run", "--geo", "geo", "--raw", "sftp://me:s3cr3t@host/raw"),
]
SHOWN = {
    "Toronto": True, "half": True, "/data/raw/2016-11-08": True, "web01": True, 5: True,
    "/data/pytest-of-root/pytest-14/test_wrong_RAW_folder0/nowhere": True,
    '$remote_addr - [$time_local] "$request" $status': True,
    "s3://bucket/key": False, "s3:/bucket/key": False, "me:pw@host": False, "api_key=abc": False,
    "AKIAIOSFODNN7EXAMPLE": False, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY": False,
    "ghp_abcdefghijklmnopqrstuv": False, "d41d8cd98f00b204e9800998ecf8427e": False,
    "eyJhbGciOiJIUzI1NiIsInR5cCI6": False, "x" * 5000: False, ("web01",): False,
}  # fmt: skip


@pytest.mark.parametrize("text", IN_THE_FILE)
def test_no_error_about_the_file_shows_what_may_be_a_secret(text: str, place: Path) -> None:
    """Nor does its traceback, which a scheduler logs."""
    (place / "tidegauge.toml").write_text(text)
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert IN_THE_FILE[text] in str(raised.value)
    assert "s3cr3t" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize(("name", "value"), IN_A_VARIABLE)
def test_no_error_about_a_variable_shows_what_may_be_a_secret(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"TIDEGAUGE_{name}", value)
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert "s3cr3t" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("args", AS_AN_OPTION)
def test_no_error_about_an_option_shows_a_password(args: tuple[str, ...], place: Path) -> None:
    site = Site(place)
    (place / "x.log").write_bytes(make_line())
    (place / "raw").mkdir()
    done = site.run(*args, code=2)
    assert "s3cr3t" not in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("value", SHOWN)
def test_what_looks_like_credentials_is_not_shown(value: object) -> None:
    assert show_value(value) == (repr(value) if SHOWN[value] else "'(hidden)'")
