"""What lies in folders that may be a raw log: files to any depth, and where links lead.

A link in a folder does not lead out of it unasked.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.raw.opening import why_not
from pipeline.text import shown


@dataclass
class Search:
    """A search through folders, into folders within folders, to any depth."""

    roots: list[Path]
    """The real paths of the folders whose files are read."""
    follow_links: bool
    refused: list[tuple[Path, str]] = field(default_factory=list)
    hidden: list[Path] = field(default_factory=list)
    linked: dict[Path, Path] = field(default_factory=dict)
    """Files outside the folders, by their real paths, and the links that lead to them."""

    def linked_files(self) -> list[Path]:
        """The links to files that are in none of the folders searched, one for each file."""
        linked = sorted(self.linked.items())
        return [link for target, link in linked if not self._is_inside(target)]

    def _is_inside(self, path: Path) -> bool:
        return any(path.is_relative_to(root) for root in self.roots)

    def files_below(self, folder: Path) -> list[str]:
        """Every file below ``folder`` in order, without hidden ones; what can't be listed too."""
        files: list[str] = []
        folders, listed_folders = [folder], 0
        while folders:
            parent = folders.pop()
            listed_folders += 1
            beginning, plain, others = os.fspath(parent / "_")[:-1], [], []
            try:
                with os.scandir(parent) as listed:
                    for entry in listed:
                        kind, name = _kind_of_entry(entry), entry.name
                        if kind == stat.S_IFREG and not name.startswith("."):
                            plain.append(beginning + name)
                        else:
                            others.append((name, kind))
            except OSError:
                files.append(os.fspath(parent))
                continue
            for name, listed_kind in sorted(others):
                kind = self._follow(parent / name) if listed_kind == stat.S_IFLNK else listed_kind
                if kind == stat.S_IFDIR:
                    folders.append(parent / name)
                elif kind == stat.S_IFREG and name.startswith("."):
                    self.hidden.append(parent / name)
                elif kind == stat.S_IFREG:
                    plain.append(beginning + name)
                elif kind and not name.startswith("."):
                    self.refused.append((parent / name, why_not(kind)))
            files += plain
        files.sort(key=by_parts if listed_folders > 1 else None)
        return files

    def _follow(self, link: Path) -> int:
        """The kind that a link stands for; 0 when it is not followed, and why, if that is news."""
        target = real_path(link)
        kind = kind_of(target)
        if self._is_inside(target):
            is_read_itself = kind and (kind == stat.S_IFDIR or not target.name.startswith("."))
            return 0 if is_read_itself else stat.S_IFREG
        if link.name.startswith("."):
            return 0
        holds_root = any(root.is_relative_to(target) for root in self.roots)
        if holds_root or not self.follow_links:
            what = "a link to a folder that holds this one" if holds_root else "a link out of it"
            advice = "" if holds_root else ": set follow_links = true, or name it itself"
            self.refused.append((link, f"is {what}, to {shown(target)}; not followed{advice}"))
            return 0
        if kind == stat.S_IFDIR:
            self.roots.append(target)
            return kind
        self.linked.setdefault(target, link)
        return 0


def by_parts(text: str) -> str:
    """What orders texts of paths as the paths."""
    return text.replace("/", "\0")


def real_path(path: Path) -> Path:
    """The path without links and ``..``, also where links go round in a ring."""
    return Path(os.path.realpath(path))


def kind_of(path: Path) -> int:
    """The type of the file that a path leads to; 0 when nothing is there or in reach."""
    try:
        return stat.S_IFMT(path.stat().st_mode)
    except OSError:
        return 0


def _kind_of_entry(entry: os.DirEntry[str]) -> int:
    """A file's own type, from the folder alone where it tells; one that is gone counts as file."""
    if entry.is_symlink():
        return stat.S_IFLNK
    if entry.is_dir(follow_symlinks=False):
        return stat.S_IFDIR
    if entry.is_file(follow_symlinks=False):
        return stat.S_IFREG
    try:
        return stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode)
    except OSError:
        return stat.S_IFREG
