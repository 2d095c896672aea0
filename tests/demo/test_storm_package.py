"""What the simulator needs from outside, and who may import it."""

import ast
import importlib.util
from pathlib import Path

import pytest
from conftest import build_database

import pipeline
from pipeline.demo.storm.address_pool import IPV6_TOPS
from pipeline.demo.storm.assumed import NETWORKS
from pipeline.demo.storm.simulate import simulate
from pipeline.errors import GeoError


def test_without_the_database_of_the_time_the_message_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(GeoError, match=r"tidegauge\[demo\]"):
        simulate(tmp_path, 0.001)


def test_assumed_networks_are_one_for_each_first_octet(tmp_path):
    """And for each 16 bits of IPv6, numbered for private use by RFC 6996; written in this way."""
    octets = {f"{n}.0.0.0/8": f"AS{64512 + n}" for n in range(1, 224)}
    tops = {f"{top:x}::/16": f"AS{64768 + n}" for n, top in enumerate(IPV6_TOPS)}
    networks = {at: f"{number} Simulated network {at}" for at, number in (octets | tops).items()}
    path = tmp_path / "assumed.mmdb"
    build_database(path, "Assumed-ASN", "2016-10-01T00:00:00Z", networks)
    assert path.read_bytes() == NETWORKS.read_bytes()


@pytest.mark.large
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
