"""Very many files are looked at by their folders; what is told of them is as of each one alone."""

import os
from pathlib import Path

import pytest

from pipeline.lake.ledger import quote_all, quoted
from pipeline.raw import files as raw_files
from pipeline.raw.files import as_path_writes, find_files, in_order, real_paths


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with files, folders, and links to both, in it and out of it."""
    raw, outside = tmp_path / "raw", tmp_path / "outside"
    (raw / "sub").mkdir(parents=True)
    outside.mkdir()
    for path in (raw / "b.log", raw / "a b%.log", raw / "sub" / "c.log", outside / "d.log"):
        path.write_text("")
    (raw / "in.log").symlink_to("b.log")
    (raw / "out.log").symlink_to(outside / "d.log")
    (raw / "outdir").symlink_to(outside)
    (raw / "gone.log").symlink_to("nothing")
    os.mkfifo(raw / "pipe.log")
    return raw


NAMES = (
    "a b%.log", "b.log", "in.log", "out.log", "outdir", "outdir/d.log", "outdir/..", "sub",
    "sub/..", "sub/../b.log", "outdir/../raw/b.log", "sub/../outdir/d.log", "gone.log", "no/file",
    "pipe.log", ".",
)  # fmt: skip


@pytest.mark.parametrize("many", [1, 2, 1_000])
def test_where_paths_lead_is_told_by_their_folders(
    tree: Path, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Links, ``..``, what is gone and what nobody can list: as the system resolves each."""
    monkeypatch.setattr(raw_files, "_MANY", many)
    for beginning in (str(tree), os.path.relpath(tree)):
        paths = [f"{beginning}/{name}" for name in NAMES] + ["/", "..", "."]
        assert list(real_paths(paths)) == [os.path.realpath(path) for path in paths]
        texts = [str(Path(path)) for path in paths]
        assert list(quote_all(texts)) == [quoted(Path(text)) for text in texts]


@pytest.mark.parametrize("follow", [False, True])
def test_given_files_are_found_alike_by_their_folders(
    tree: Path, monkeypatch: pytest.MonkeyPatch, *, follow: bool
) -> None:
    """Files, links and folders of one folder, given one by one, as a shell's wildcard does."""
    given = [tree / name for name in NAMES if not name.endswith(".")]
    each = find_files(given, follow_links=follow)
    monkeypatch.setattr(raw_files, "_MANY", 1)
    found = find_files(map(str, given), follow_links=follow)
    assert (found.files.texts, found.refused) == (each.files.texts, each.refused)
    names = {os.path.relpath(path, tree) for path in found.files.texts}
    assert {"b.log", "out.log", "outdir/d.log", "sub/c.log", "pipe.log", "no/file"} <= names
    assert not {"sub", "outdir"} & names


def test_texts_are_paths_texts_in_the_order_of_paths() -> None:
    """A folder is before a file whose name goes on behind the folder's."""
    texts = ["a//b.log", "./a/c", "a/./d/", "a/.hidden", "a-b/e", "a/d/e.", "a..b//", "a/../b"]
    written = [as_path_writes(text) for text in texts]
    assert written == [str(Path(text)) for text in texts]
    assert in_order(written) == [str(path) for path in sorted(map(Path, written))]
