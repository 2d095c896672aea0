"""`verify` by who may only read: it proves as much, and writes nothing."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import verify_lakes as lakes
from conftest import COMMAND, VISITOR_KEY
from lake_fixtures import Site

WITHOUT_RIGHTS: list[str] = []
if os.geteuid() == 0:
    WITHOUT_RIGHTS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]
    if not shutil.which("setpriv"):
        pytest.skip("root writes everywhere, and there is no setpriv here", allow_module_level=True)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A built site in a folder that everybody may look into, and only its owner may write."""
    folder = Path(tempfile.mkdtemp(prefix="tidegauge-readers-"))
    try:
        folder.chmod(0o755)
        yield lakes.make_everything(folder)
    finally:
        set_modes(folder, 0o755, 0o644)
        shutil.rmtree(folder)


def set_modes(folder: Path, for_folders: int, for_files: int) -> None:
    """Give everything below a folder the same modes."""
    folder.chmod(0o755)
    for path in sorted(folder.rglob("*")):
        path.chmod(for_folders if path.is_dir() else for_files)


def run_as_reader(site: Site, command: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Run a command without the right to write what its mode forbids, which root has."""
    return subprocess.run(
        [*WITHOUT_RIGHTS, COMMAND, command, "--lake", site.lake, "--geo", site.folder / "geo",
         *args],
        cwd=site.folder,
        env=os.environ | {"TIDEGAUGE_VISITOR_KEY": VISITOR_KEY},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip


def state_of(folder: Path) -> list[tuple[str, int]]:
    """Every file and folder with its time of change."""
    return sorted((str(path), path.stat().st_mtime_ns) for path in folder.rglob("*"))


@pytest.mark.large
@pytest.mark.parametrize("locks", ["there", "never made"])
def test_who_may_only_read_proves_the_lake(locks: str, site: Site) -> None:
    """Nothing is off, nothing is written; also where no lock was ever made, as in a copy."""
    if locks == "never made":
        for lock in site.lake.rglob(".*.lock"):
            lock.unlink()
    set_modes(site.folder, 0o555, 0o444)
    before = state_of(site.folder)
    done = run_as_reader(site, "verify")
    assert done.returncode == 0, done.stderr
    assert "counted anew: nothing is off" in done.stderr
    assert state_of(site.folder) == before
    set_modes(site.folder, 0o755, 0o644)


@pytest.mark.large
def test_damage_is_named_to_them_too(site: Site) -> None:
    """The exit code is 1 and the file is named."""
    part = site.lake / "daily" / "day=2016-11-08" / "part.parquet"
    content = part.read_bytes()
    lakes.flip(part)
    set_modes(site.folder, 0o555, 0o444)
    done = run_as_reader(site, "verify", "--format", "csv")
    set_modes(site.folder, 0o755, 0o644)
    part.write_bytes(content)
    assert done.returncode == 1
    assert "daily/day=2016-11-08/part.parquet" in done.stdout


@pytest.mark.large
def test_interrupted_change_is_one_sentence(site: Site) -> None:
    """What a dead process left half done is for who may write; a reader is told so."""
    (site.lake / ".commit").mkdir()
    (site.lake / ".commit" / "moves.json").write_text("[]")
    set_modes(site.folder, 0o555, 0o444)
    done = run_as_reader(site, "verify")
    set_modes(site.folder, 0o755, 0o644)
    shutil.rmtree(site.lake / ".commit")
    assert done.returncode == 2
    assert "a change of it was interrupted" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.large
def test_other_reading_commands_work_too(site: Site) -> None:
    """`sql --safe` and `status` need no right to write either."""
    set_modes(site.folder, 0o555, 0o444)
    asked = ["sql", "--safe", "SELECT count(*) AS n FROM hits"], ["status"]
    found = [run_as_reader(site, *command) for command in asked]
    set_modes(site.folder, 0o755, 0o644)
    assert [done.returncode for done in found] == [0, 0], found
