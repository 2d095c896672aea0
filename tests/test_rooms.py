"""The rooms of ``pipeline/``: which folder may import which, and which module may do what."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pipeline

ROOT = Path(pipeline.__file__).parent
FLOORS = (
    "demo", "cli", "orchestration", "alerts", "report", "verify", "compare", "build", "ingest",
    "enrich", "lake", "formats", "raw", "why", "surges",
)  # fmt: skip
"""From the top down: a folder imports only folders further down."""
BELOW_SETTINGS = ("formats", "raw", "why", "surges")
"""The modules beside the folders are for all, and know none; settings alone ask whether a format is
one, and whether a lake can lie where it is to."""
ASKED_BY_SETTINGS = {
    "pipeline.formats.layouts.read_maps", "pipeline.lake.place.BucketUrl",
    "pipeline.lake.place.check_bucket", "pipeline.lake.place.check_place",
}  # fmt: skip

MAY = {
    "read the environment": {"settings.py", "demo/standalone.py", "cli/main.py", "engine.py",
        "orchestration/airflow_state.py",
    },
    "connect to DuckDB": {"lake/database.py"},
    "use the network": {
        "raw/stores.py", "raw/s3_listing.py", "lake/requests.py", "enrich/geo/download.py",
        "alerts/services.py", "demo/standalone.py",
    },
    "know Airflow": {
        "orchestration/dag_run.py", "orchestration/airflow_settings.py",
        "orchestration/files_sensor.py", "orchestration/figures_due.py",
        "orchestration/airflow_plugin.py", "orchestration/airflow_state.py",
        "orchestration/building.py",
    },
    "have options": {"cli/", "demo/commands.py", "demo/standalone.py"},
    "print": {"cli/", "demo/commands.py", "demo/demo.py", "demo/standalone.py", "text.py"},
    "write Parquet": {"lake/coded_files.py", "lake/hit_files.py", "lake/table_files.py",
        "enrich/robots.py",
    },
    "ask in SQL": {
        "formats/", "lake/views.py", "lake/safe_sql.py", "tables.py", "verify/side_files.py",
    },
}  # fmt: skip
"""``standalone`` starts Airflow and asks it; ``text`` says what a person at the terminal is told;
``robots`` keeps what the lists answered. Questions to the lake lie in ``sql/``: what is left takes
lines apart, or deals with DuckDB itself."""
_IMPORTS = {
    "apprise": "use the network", "fsspec": "use the network", "paramiko": "use the network",
    "requests": "use the network", "urllib3": "use the network", "aiohttp": "use the network",
    "botocore": "use the network", "airflow": "know Airflow", "typer": "have options",
}  # fmt: skip
_CALLS = {
    "os.environ": "read the environment", "os.getenv": "read the environment",
    "duckdb.connect": "connect to DuckDB", "print": "print", "typer.echo": "print",
    "pq.ParquetWriter": "write Parquet", "pq.write_table": "write Parquet",
}  # fmt: skip

_SQL = re.compile(r"\s*(SELECT|WITH)\s")

COMPOSING = ("cli", "orchestration", "demo")
SETTINGS_READERS = {
    "alerts/services.py", "build/build.py", "build/retention.py", "build/stale.py",
    "enrich/visitors.py", "enrich/geo/providers.py", "ingest/maker.py", "report/accounting.py",
    "lake/zone.py",
}  # fmt: skip
"""Beside the folders that compose: each makes its room's value of the settings; ``lake/zone.py``
reads them for the zone that schedules are in."""

MODULES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))


def imports_of(tree: ast.AST) -> Iterator[str]:
    """The modules that a module imports, at any place in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)


@cache
def effects_of(module: str) -> set[str]:
    """What a module does, of ``MAY``."""
    nodes = [*ast.walk(read(module))]
    imports = {one.split(".")[0] for one in imports_of(read(module))}
    texts = (n.value for n in nodes if isinstance(n, ast.Constant))
    names = {ast.unparse(n) for n in nodes if isinstance(n, ast.Name | ast.Attribute)}
    asks = {"ask in SQL"} if any(_SQL.match(str(text)) for text in texts) else set()
    return (
        {_IMPORTS[n] for n in imports & {*_IMPORTS}} | {_CALLS[n] for n in names & {*_CALLS}} | asks
    )


@cache
def read(module: str) -> ast.AST:
    return ast.parse((ROOT / module).read_text(encoding="utf-8"))


def folder_of(module: str) -> str:
    """The folder of a module's path or dotted name; empty beside the folders."""
    first = module.removeprefix("pipeline.").replace(".", "/").split("/")[0]
    return first if (ROOT / first).is_dir() else ""


def test_a_folder_imports_only_what_lies_below_it() -> None:
    imports = [(module, name) for module in MODULES for name in imports_of(read(module))]
    for module, name in imports:
        if not name.startswith("pipeline."):
            continue
        own, other = folder_of(module), folder_of(name)
        if own and other and other != own:
            assert FLOORS.index(other) > FLOORS.index(own), f"{module} imports {name}"
        elif not own and other:
            assert module == "settings.py", f"{module} imports {name}"
            assert name in ASKED_BY_SETTINGS
        elif own in BELOW_SETTINGS:
            assert name.split(".")[1] != "settings", f"{module} imports {name}"


def test_only_who_may_do_it_does_it() -> None:
    for module in MODULES:
        for effect in effects_of(module):
            places = {module, f"{folder_of(module)}/"}
            assert places & MAY[effect], f"{module}: {effect}"


def test_functions_take_what_they_need_and_not_all_settings() -> None:
    whole = {"pipeline.settings.Settings", "pipeline.settings.load_settings"}
    below = (module for module in MODULES if folder_of(module) not in COMPOSING)
    assert {module for module in below if whole & {*imports_of(read(module))}} == SETTINGS_READERS


def test_every_folder_has_its_floor_and_every_permission_is_used() -> None:
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert folders == set(FLOORS)
    done = {(effect, module) for module in MODULES for effect in effects_of(module)}
    for effect, modules in MAY.items():
        for one in modules:
            assert any(done_by.startswith(one) for what, done_by in done if what == effect), one


def test_no_name_stands_for_two_modules_but_a_command_and_what_it_calls() -> None:
    places: dict[str, list[str]] = {}
    for module in MODULES:
        name = module.rpartition("/")[2]
        if name != "__init__.py" and not module.startswith("cli/"):
            places.setdefault(name, []).append(module)
    twice = {name: its for name, its in places.items() if len(its) > 1}
    assert not twice


def test_no_name_stands_for_two_classes() -> None:
    places: dict[str, list[str]] = {}
    for module in MODULES:
        for node in ast.walk(read(module)):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(module)
    assert not {name: its for name, its in places.items() if len(its) > 1}
