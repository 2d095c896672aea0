"""What the simulator needs from outside, and who may import it."""

import ast
import importlib.util
from pathlib import Path

import pytest

import pipeline
from pipeline.demo.storm.simulate import simulate
from pipeline.errors import GeoError


def test_without_the_database_of_the_time_the_message_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(GeoError, match=r"tidegauge\[demo\]"):
        simulate(tmp_path, 0.001)


def test_only_the_demo_and_the_airflow_to_try_import_the_simulator():
    root = Path(pipeline.__file__).parent
    modules = [path for path in root.rglob("*.py") if "storm" not in path.relative_to(root).parts]
    importing = {path.name for path in modules if imports_storm(path)}
    assert importing <= {"demo.py", "standalone.py"}


def imports_storm(path: Path) -> bool:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return any(f"{name}.".startswith("pipeline.demo.storm.") for name in names)
