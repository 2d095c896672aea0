"""The rooms of ``pipeline/``: which folder may import which, and which module may do what."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pipeline

ROOT = Path(pipeline.__file__).parent
PAGE = (ROOT.parent / "docs/understand/rooms.md").read_text(encoding="utf-8")
BELOW_SETTINGS = ("formats", "raw", "why", "surges")
"""The modules beside the folders are for all, and know none; settings alone ask whether a format is
one, and whether a lake can lie where it is to."""
ASKED_BY_SETTINGS = {
    "pipeline.formats.layouts.read_maps", "pipeline.lake.place.BucketUrl",
    "pipeline.lake.place.check_bucket", "pipeline.lake.place.check_place",
}  # fmt: skip


def rows_of(title: str) -> Iterator[list[str]]:
    """The cells of each row of the page's table under a title."""
    _, _, rest = PAGE.partition(f"## {title}\n")
    _, *rows = re.findall(r"^\| (.*) \|$", rest.partition("\n## ")[0], re.MULTILINE)
    yield from (row.split(" | ") for row in rows)


FLOORS = [name for first, _ in rows_of("In `pipeline/`") for name in re.findall(r"`(\w+)/`", first)]
"""From the top down: a folder imports only folders further down."""
MAY = {
    effect: {*re.findall(r"`([\w/]+(?:\.py|/))`", only)}
    for effect, only in rows_of("Who may do what")
}
"""The modules, or whole folders, that may do what."""
_EFFECTS = {
    "os.environ": "environment", "os.environb": "environment",
    "os.getenv": "environment", "os.putenv": "environment",
    "pipeline.settings.Settings": "all settings", "pipeline.settings.load_settings": "all settings",
    "os.link": "putting files in their place", "os.rename": "putting files in their place",
    "os.replace": "putting files in their place", "shutil.move": "putting files in their place",
    "pq.ParquetWriter": "writing Parquet", "pq.write_table": "writing Parquet",
    "aiohttp": "network", "apprise": "network", "botocore": "network", "fsspec": "network",
    "http": "network", "httpx": "network", "paramiko": "network", "pyspark": "network",
    "requests": "network", "s3fs": "network", "smtplib": "network", "ssl": "network",
    "socket.create_connection": "network", "socket.getaddrinfo": "network",
    "socket.socket": "network", "urllib.request": "network", "urllib3": "network",
    "airflow": "Airflow", "typer": "options",
    "print": "printing", "typer.echo": "printing", "typer.secho": "printing",
    "sys.stderr.write": "printing", "sys.stdout.write": "printing",
    "rich.console": "printing", "rich.live": "printing", "rich.progress": "printing",
}  # fmt: skip
"""By what a module imports (or what that lies in), or names in full."""
_SQL = re.compile(
    r"([\s)]*|.* AS )(SELECT|WITH|FROM|JOIN|WHERE|VALUES|UNION|INSERT|UPDATE|DELETE|COPY)\s(?!\($)"
)
"""What asks tables: not what makes one of a model, in an order maybe (``CREATE TABLE a AS FROM (``,
and behind it ``) ORDER BY``), nor what deals with DuckDB itself (SET, ALTER, ATTACH)."""
_DUCKDB = re.compile(r"duckdb\.[a-z]\w*")
"""What is no type or error of the library's, but asks a database."""

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
    names = {ast.unparse(one) for one in nodes if isinstance(one, ast.Attribute)}
    names |= {"print" for one in nodes if isinstance(one, ast.Name) and one.id == "print"}
    effects = {_EFFECTS[name] for name in names & {*_EFFECTS}} | {
        effect
        for name in imports_of(read(module))
        for known, effect in _EFFECTS.items()
        if f"{name}.".startswith(f"{known}.")
    }
    if any(_SQL.match(str(node.value)) for node in nodes if isinstance(node, ast.Constant)):
        effects.add("SQL outside `sql/`")
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    if any(_DUCKDB.fullmatch(ast.unparse(call.func)) for call in calls):
        effects.add("DuckDB connections")
    if any(moves_a_file(call) for call in calls):
        effects.add("putting files in their place")
    return effects


def moves_a_file(call: ast.Call) -> bool:
    """Whether it may be a method of a path: a text's ``replace`` takes two, a time's has names."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    one = len(call.args) == 1 and not call.keywords and not isinstance(call.args[0], ast.Starred)
    return one and name in {"replace", "rename", "hardlink_to", "symlink_to"}


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


def test_each_room_has_a_folder_of_tests_and_no_test_imports_another() -> None:
    tests = Path(__file__).parent
    assert {path.name for path in tests.iterdir() if path.is_dir()} >= set(FLOORS)
    for path in tests.rglob("*.py"):
        names = imports_of(ast.parse(path.read_text(encoding="utf-8")))
        assert not [name for name in names if name.startswith("test_")], path
