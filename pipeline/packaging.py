"""How the package is built: setuptools, with ``sql/`` and ``dags/`` put into the wheel.

They lie at the top of a checkout, and in an installed package beside the modules. The wheel is
built from a copy, so that nothing of the building stays in the checkout. Only pip imports this.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import (
    build_editable,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
)

from pipeline.installed import DATA

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
]
_SOURCES = ("pipeline", "pyproject.toml", "README.md", "LICENSE")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.egg-info")


def build_wheel(
    wheel_directory: str,
    config_settings: Any = None,
    metadata_directory: str | None = None,  # noqa: ARG001 made anew: its maker writes into the checkout
) -> str:
    """Build a wheel into ``wheel_directory``; returns its name (PEP 517)."""
    target = str(Path(wheel_directory).absolute())
    with _whole_copy():
        return str(build_meta.build_wheel(target, config_settings))


def build_sdist(sdist_directory: str, config_settings: Any = None) -> str:
    """Build a source archive that a wheel can be built of; returns its name (PEP 517)."""
    target = str(Path(sdist_directory).absolute())
    with _whole_copy():
        return str(build_meta.build_sdist(target, config_settings))


@contextmanager
def _whole_copy() -> Iterator[None]:
    """Work in a copy of the sources that has all of the package in one folder."""
    with tempfile.TemporaryDirectory(prefix="tidegauge-") as folder:
        for name in _SOURCES:
            _copy(Path(name), Path(folder, name))
        for name in filter(lambda name: Path(name).is_dir(), DATA):  # in an archive they are in it
            _copy(Path(name), Path(folder, "pipeline", name))
        with chdir(folder):
            yield


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=_LEFT_OUT)
    else:
        shutil.copy2(source, target)
