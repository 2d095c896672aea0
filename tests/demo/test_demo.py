"""The demo: the storm at a small scale, end to end, and the folder it may write into."""

import csv
import io
import re
import shutil
from pathlib import Path

import pytest
from conftest import DEMO_SCALE
from lake_fixtures import Done, Site

pytestmark = pytest.mark.xdist_group("demo")


@pytest.mark.large
def test_demo_compares_five_figures_and_all_are_equal(shown: tuple[Site, Done]) -> None:
    """The table has five figures, each equal to the simulator's own rounded cells, and says so."""
    _, done = shown
    table = done.out[done.out.index(f"At scale {DEMO_SCALE}") :]
    rows = [line for line in table.splitlines() if line.rstrip().endswith(" yes")]
    assert len(rows) == 5
    assert "NO" not in table.split()
    assert "compared with the simulator's own rounded cells" in done.out


@pytest.mark.large
def test_demo_tells_the_first_figure_before_the_late_logs_came(shown: tuple[Site, Done]) -> None:
    """On the morning after, with the logs of two servers, about 40 % of the day is counted."""
    _, done = shown
    told = re.search(
        r"As of 2016-11-09 06:00 the logs of 2 of 5 servers for 2016-11-08 were there\.\n"
        r"First figure, preliminary: ([\d,]+) sessions from the United States\.\n",
        done.out,
    )
    assert told
    assert 0.38 < int(told[1].replace(",", "")) / (249_950 * float(DEMO_SCALE)) < 0.42
    assert told.start() == 0


@pytest.mark.large
def test_demo_tells_the_restatement_by_the_late_logs_names(shown: tuple[Site, Done]) -> None:
    """The first figure of 2 of 5 servers, then the final one of all and why, before the table."""
    site, done = shown
    told = done.out[done.out.index("Published figures of 2016-11-08") : done.out.index("At scale")]
    first, last = (line for line in told.splitlines() if line.strip().startswith("2016-11-08   US"))
    assert "2016-11-09 06:00" in first
    assert "2 of 5" in first
    assert "yes" in first.split()
    assert "5 of 5" in last
    assert f"{round(249_950 * float(DEMO_SCALE)):,} " in last
    for server in ("web03", "web04", "web05"):
        assert f"{server}-20161108.log.gz" in last
    lake = "demo/lake", "--day", "2016-11-08", "--country", "US"
    printed = site.run("history", "--lake", *lake, env={"TIDEGAUGE_TIMEZONE": None}).out
    assert printed in done.out


@pytest.mark.large
def test_demo_shows_the_days_the_episode_and_what_is_next(shown: tuple[Site, Done]) -> None:
    """U.S. days, one episode of 8-16 November with its peak on the 9th, times, places, hints."""
    _, done = shown
    assert "simulated" in done.out
    surges = done.out[done.out.index("start_day") : done.out.index("At scale")]
    episodes = [line.split()[:4] for line in surges.splitlines() if line.strip().startswith("2016")]
    assert episodes == [["2016-11-08", "2016-11-09", "2016-11-16", "9"]]
    text = done.out + done.err
    for part in ("simulate", "ingest", "build", "lake:", "report:", "try next:"):
        assert part in text
    assert "\x1b" not in text


@pytest.mark.large
def test_demo_leaves_raw_lake_and_report(shown: tuple[Site, Done]) -> None:
    """DIR has raw logs of five servers, the lake and the report; the lake answers by itself."""
    site, _ = shown
    out = site.folder / "demo"
    assert {path.name.split("-")[0] for path in (out / "raw").rglob("*.gz")} == {
        f"web0{n}" for n in range(1, 6)
    }
    assert (out / "report.html").is_file()
    rows = csv.reader(io.StringIO(site.run(
        "daily", "--lake", "demo/lake", "--country", "US", "--format", "csv",
        env={"TIDEGAUGE_TIMEZONE": None},
    ).out))  # fmt: skip
    sessions = {row[0]: row[2] for row in rows}
    assert sessions["2016-11-09"] == str(round(742_915 * float(DEMO_SCALE)))
    assert len(sessions) == 1 + 20


@pytest.mark.large
def test_hints_of_the_demo_work(shown: tuple[Site, Done]) -> None:
    """Each command that the demo proposes exits 0 in the same folder."""
    site, done = shown
    hints = [line.split() for line in re.findall(r"^  \S*tidegauge .*", done.out, re.MULTILINE)]
    assert len(hints) >= 3
    shutil.copytree(Path(__file__).parents[2] / "sql", site.folder / "sql", dirs_exist_ok=True)
    for hint in hints:
        assert site.run(*hint[1:], env={"TIDEGAUGE_TIMEZONE": None}).out


@pytest.mark.large
def test_demo_writes_over_its_own_folder_alone(shown: tuple[Site, Done], tmp_path: Path) -> None:
    """A folder with anything in it that the demo did not make is refused and left alone."""
    other = Site(tmp_path)
    mine = other.write("../precious/notes.txt", b"mine")
    done = other.run("demo", "--scale", DEMO_SCALE, "--out", mine.parent, code=2)
    assert str(mine.parent) in done.err
    assert [path.name for path in mine.parent.iterdir()] == ["notes.txt"]
    site, _ = shown
    assert not (site.folder / "demo" / "raw" / "web09-leftover.gz").exists()


@pytest.mark.parametrize("scale", ["0", "-1", "nan", "1e9", "abc"])
def test_wrong_scale_exits_2(scale: str, tmp_path: Path) -> None:
    """A scale that is no positive number of a sane size is refused; an earlier demo stays."""
    site = Site(tmp_path)
    for name in (".tidegauge-demo", "report.html"):
        site.write(f"../out/{name}", b"")
    done = site.run("demo", "--scale", scale, "--out", "out", code=2)
    assert "scale" in done.err
    assert (tmp_path / "out" / "report.html").exists()


@pytest.mark.large
def test_simulate_writes_the_same_bytes_again(tmp_path: Path) -> None:
    """`simulate` writes raw logs only; the same scale gives the same bytes."""
    site = Site(tmp_path)
    contents = []
    for name in ("one", "two"):
        site.run("simulate", "--scale", "0.0005", "--out", name)
        files = sorted((tmp_path / name).rglob("*.gz"))
        contents.append([(path.name, path.read_bytes()) for path in files])
    assert contents[0] == contents[1]
    assert contents[0]


@pytest.mark.large
def test_the_demos_lake_is_called_simulated_wherever_it_is_moved(
    shown: tuple[Site, Done], tmp_path: Path
) -> None:
    """The mark beside it stays behind; what the lake itself says goes with it."""
    site, _ = shown
    shutil.copytree(site.folder / "demo" / "lake", tmp_path / "lake")
    ask = ("--lake", tmp_path / "lake")
    unset = {"TIDEGAUGE_TIMEZONE": None}
    said = site.run("figure", "--day", "2016-11-09", "--country", "US", *ask, env=unset).out
    assert said.startswith("Simulated data: no real visitor is in this figure.")
    assert re.search(r"^ data +simulated", site.run("status", *ask, env=unset).out, re.MULTILINE)


@pytest.mark.large
def test_demo_has_an_answer_to_why_which_it_calls_assumed(shown: tuple[Site, Done]) -> None:
    """The storm's pages and sites, other pages from the 14th on, and a flood from Romania."""
    site, _ = shown

    def why(*args: str) -> list[str]:
        done = site.run("why", "--lake", "demo/lake", *args, env={"TIDEGAUGE_TIMEZONE": None})
        return done.out.splitlines()

    note, _, drivers, people, *_ = why("--country", "US")
    assert note == "Simulated data: what drives it is assumed."
    for name in ("www.google.com", "www.wikihow.com", "/english/immigrate/skilled/index.asp"):
        assert name in drivers
    assert people.startswith("It looks like people")
    _, _, express, *_ = why("--country", "US", "--day", "2016-11-14")
    assert "by entry page \u201c/english/immigrate/express/eligibility.asp\u201d" in express
    _, _, flood, machines, *_ = why("--country", "RO")
    assert "/english/department/fees/index.asp" in flood
    assert machines.startswith("It looks like machines")
