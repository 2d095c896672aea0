"""The geo commands: their rows, sentences and errors."""

import csv
import io
import json
import re
import shlex
from pathlib import Path

import pytest
from conftest import build_database
from typer.testing import CliRunner, Result

from pipeline.cli.main import app
from pipeline.enrich.geo.check import KNOWN_COUNTRIES, KNOWN_NETWORKS
from pipeline.errors import GeoError, SettingsError

pytestmark = pytest.mark.clock
BUILT = "2016-11-03T11:31:32Z"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory in Toronto with one database under ./geo."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIDEGAUGE_TIMEZONE", "America/Toronto")
    (tmp_path / "geo").mkdir()
    build(tmp_path / "geo/GeoLite2-City-2016-11-03.mmdb", BUILT, "US-CA")
    return tmp_path


def build(path: Path, built: str, place: str) -> None:
    networks = {f"{ip}/32": known for ip, known in KNOWN_COUNTRIES.items()}
    build_database(path, "GeoLite2-City", built, networks | {"8.8.8.0/24": place})


def run(*args: str) -> Result:
    return CliRunner().invoke(app, ["geo", *args], catch_exceptions=False)


def test_list_shows_what_is_there(site: Path) -> None:
    """One row a database in build order, as objects with the column names."""
    build(site / "geo/later.mmdb", "2016-12-07T00:00:00Z", "US")
    rows = json.loads(run("list", "--format", "json").stdout)
    assert [(row["file"], row["built"][:10], row["kind"], row["provider"]) for row in rows] == [
        ("GeoLite2-City-2016-11-03.mmdb", "2016-11-03", "City", "maxmind"),
        ("later.mmdb", "2016-12-07", "City", "maxmind"),
    ]


def test_list_of_an_empty_folder_is_empty(site: Path) -> None:
    """Nothing there is no error for a listing: only the header."""
    result = run("list", "--geo", str(site / "none"), "--format", "csv")
    assert result.stdout == "built,kind,provider,type,ip_version,file\n"


def test_lookup_uses_the_database_in_force_on_the_local_day(site: Path) -> None:
    """Built 8 Nov 04:30 UTC is before midnight in Toronto and after it in UTC."""
    build(site / "geo/later.mmdb", "2016-11-08T04:30:00Z", "GB")

    def look(day: str) -> dict[str, object]:
        return json.loads(run("lookup", "8.8.8.8", "--on", day, "--format", "json").stdout)[0]

    assert look("2016-11-08")["country"] == "GB"
    before = look("2016-11-07")
    assert (before["country"], before["subdivision"], before["geo_is_late"]) == ("US", "CA", False)
    assert before["geo_built"] == "2016-11-03"
    assert look("2016-11-03")["geo_is_late"] is True
    (site / "utc.toml").write_text('geo_provider = "maxmind"\n')
    result = run("lookup", "8.8.8.8", "--on", "2016-11-08", "--config", "utc.toml")
    assert "GB" in result.stdout


def test_lookup_in_another_zone(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same day starts earlier in UTC, before the later database was built."""
    build(site / "geo/later.mmdb", "2016-11-08T04:30:00Z", "GB")
    monkeypatch.setenv("TIDEGAUGE_TIMEZONE", "UTC")
    result = run("lookup", "8.8.8.8", "--on", "2016-11-08", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert (rows[0]["country"], rows[0]["database"]) == ("US", "GeoLite2-City-2016-11-03.mmdb")


def test_lookup_without_a_database_says_how_to_get_one(site: Path) -> None:
    """An error for the command's exit code 2."""
    with pytest.raises(GeoError, match="tidegauge geo fetch dbip-lite"):
        run("lookup", "8.8.8.8", "--geo", str(site / "none"))


def test_lookup_obeys_the_provider_in_settings(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only that provider's databases are in force."""
    monkeypatch.setenv("TIDEGAUGE_GEO_PROVIDER", "dbip")
    with pytest.raises(GeoError, match="there are: maxmind"):
        run("lookup", "8.8.8.8", "--geo", str(site / "geo"))


def test_fetch_says_what_it_did(site: Path) -> None:
    """Added with its build time and the provider's notice; again: no change."""
    build(site / "new", "2016-11-10T06:00:00Z", "US")
    first = run("fetch", "new").stdout.splitlines()
    assert first[0] == "added geo/GeoLite2-City-2016-11-10.mmdb (built 2016-11-10 06:00 UTC)"
    assert "MaxMind" in first[1]
    assert run("fetch", "new").stdout == (
        "no change: geo/GeoLite2-City-2016-11-10.mmdb is this build already"
        " (built 2016-11-10 06:00 UTC)\n"
    )


def test_fetch_options_waive_the_checks(site: Path) -> None:
    """--allow-older and --allow-size reach the checks."""
    build(site / "old", "2016-10-04T00:00:00Z", "US")
    with pytest.raises(GeoError, match="--allow-older"):
        run("fetch", "old")
    assert run("fetch", "old", "--allow-older").stdout.startswith("added ")
    networks = {f"{ip}/32": known for ip, known in KNOWN_COUNTRIES.items()}
    networks |= {f"10.{n >> 8}.{n & 255}.0/24": "CA" for n in range(500)}
    build_database(site / "big", "GeoLite2-City", "2016-11-17T00:00:00Z", networks)
    with pytest.raises(GeoError, match="--allow-size"):
        run("fetch", "big")
    assert run("fetch", "big", "--allow-size").stdout.startswith("added ")


def test_fetch_takes_the_account_from_the_settings(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it the setting is named; with it the key stays out of the error."""
    with pytest.raises(SettingsError, match="maxmind_account_id"):
        run("fetch", "maxmind")
    monkeypatch.setenv("TIDEGAUGE_MAXMIND_ACCOUNT_ID", "42")
    monkeypatch.setenv("TIDEGAUGE_MAXMIND_LICENSE_KEY", "s3cr3t-licence-key")
    (site / "local.toml").write_text('maxmind_url = "http://127.0.0.1:x"\n')
    with pytest.raises(GeoError, match="impossible port") as raised:
        run("fetch", "maxmind", "--edition", "country", "--config", "local.toml")
    assert "s3cr3t" not in str(raised.value)


def test_a_database_is_fetched_as_what_it_holds(site: Path) -> None:
    """Countries given for networks, and the other way round: a sentence each, nothing is added."""
    build(site / "countries", BUILT, "US")
    networks = {f"{ip}/32": f"AS{number} Its name" for ip, number in KNOWN_NETWORKS.items()}
    build_database(site / "networks", "GeoLite2-ASN", BUILT, networks)
    with pytest.raises(GeoError, match=r"^countries holds countries, no networks: leave out"):
        run("fetch", "countries", "--kind", "asn")
    with pytest.raises(GeoError, match=r"^networks holds networks, no countries: say --kind asn"):
        run("fetch", "networks")
    assert run("fetch", "networks", "--kind", "asn").stdout.startswith("added geo/GeoLite2-ASN-20")
    rows = json.loads(run("list", "--format", "json").stdout)
    assert [row["kind"] for row in rows] == ["City", "ASN"]
    asked = ("lookup", "8.8.8.8", "--on", "2016-11-08", "--format", "json")
    (row,) = json.loads(run(*asked).stdout)
    assert (row["country"], row["asn"], row["as_org"]) == ("US", 15169, "Its name")


@pytest.mark.parametrize("command", ["list", "lookup", "fetch"])
def test_help_shows_examples_that_run(site: Path, command: str) -> None:
    """Each example works as printed, but for the one that needs the network."""
    build(site / "GeoLite2-City_20161103.tar.gz", BUILT, "US-CA")
    shown = run(command, "--help").stdout
    examples = re.findall(r"^ *tidegauge geo (.*\S) *$", shown, re.MULTILINE)
    assert examples
    for example in examples:
        if "dbip-lite" not in example:
            assert run(*shlex.split(example)).exit_code == 0, example
