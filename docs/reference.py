"""The pages of docs/reference, made of the program as the site is built: nothing of it is kept.

A hook of MkDocs (``hooks`` in mkdocs.yml). What a page says stands once, beside what it is about:
in a command's help, a setting's and a column's description, a DAG's docstring.
"""

import ast
import json
import re
from collections.abc import Iterable, Iterator
from functools import reduce
from html import escape
from pathlib import Path
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from pipeline.cli.main import app
from pipeline.definitions import MAX_LINE_BYTES
from pipeline.errors import TidegaugeError
from pipeline.formats.fields import EXPLAINED
from pipeline.formats.layouts import list_layouts
from pipeline.formats.verdicts import TOO_LONG
from pipeline.lake.ledger import FILES_FOLDER
from pipeline.settings import Settings
from pipeline.tables import (
    DUCKDB_TYPES,
    PARTITIONED,
    RENAMED,
    TABLES,
    VIEWS,
    words_of,
)

DAGS = Path(__file__).parent.parent / "dags"
SETTINGS = {
    "Where": "lake raw source report language max_fetch_mb follow_links",
    "Reading": "log_format formats max_lines max_content_ratio overlap_least_lines drop_overlaps"
    " memory_limit_mb hits_at_once workers spark_master",
    "Counting": "timezone session_timeout_minutes drop_robotlike sources trusted_proxies last_day",
    "Visitors and countries": "addresses visitor_key visitor_key_file geo geo_provider"
    " maxmind_account_id maxmind_license_key maxmind_url dbip_url",
    "Alerts": "alert_urls alert_days restatement_alert_share",
    "Retention": "hits_kept_days retention_max_days",
    "Airflow": "files_due_by figures_due_by airflow_reads airflow_owner airflow_pool"
    " airflow_build_pool airflow_build_tasks airflow_tags",
}
"""The keys of all settings, by what they are about."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages (called by MkDocs)."""
    for name, make in PAGES.items():
        path = f"reference/{name}.md"
        files.append(File.generated(config, path, content="\n".join(make())))
    return files


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for row in (head, ("---",) * len(head), *rows):
        yield f"| {' | '.join(row)} |"
    yield ""


def list_commands() -> Iterator[tuple[str, typer.Context, Any]]:
    """Each command as it is typed, a context to ask it in, and the command of Typer's."""
    groups = [("tidegauge", typer.main.get_group(app))]
    for prefix, group in groups:
        context = typer.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if hasattr(command, "commands"):
                groups.append((f"{prefix} {name}", command))
            else:
                yield f"{prefix} {name}", context, command


def split_help(command: Any) -> tuple[list[str], list[str]]:
    """A command's help: the paragraphs of its text, and the lines of its examples."""
    text, _, examples = command.help.partition("For example:")
    return text.strip().split("\n\n"), examples.split("\n\n")[1:]


def _commands() -> Iterator[str]:
    commands = list(list_commands())
    options = {
        name: [param.get_help_record(context) for param in command.get_params(context)]
        for name, context, command in commands
    }
    everywhere = reduce(lambda a, b: [one for one in a if one in b], options.values())
    yield "# Commands\n"
    yield "Each command takes these, too:\n"
    yield from _options(everywhere)
    yield "`tidegauge --version` prints the version; `tidegauge -v COMMAND` logs each step.\n"
    yield from _exit_codes()
    for name, context, command in commands:
        text, examples = split_help(command)
        usage = " ".join([name, *command.collect_usage_pieces(context)])
        yield f"## {name}\n"
        yield from (f"{escape(paragraph, quote=False)}\n" for paragraph in text)
        yield f"```text\n{usage}\n```\n"
        yield from _options([one for one in options[name] if one not in everywhere])
        yield "For example:\n\n```sh"
        yield from (example.strip() for example in examples)
        yield "```\n"


def _options(records: list[tuple[str, str]]) -> Iterator[str]:
    if records:
        yield from _table(
            ("option", "what it does"),
            (
                (
                    f"`{name}`",
                    escape(re.sub(r"\[default: \((.+)\)\]", r"[default: \1]", text), quote=False),
                )
                for name, text in records
            ),
        )


def _exit_codes() -> Iterator[str]:
    yield "## Exit codes\n"
    codes = {0: ["Done."], 2: ["Options that don't fit."], 130: ["Interrupted."]}
    for error in _below(TidegaugeError):
        codes.setdefault(error.exit_code, []).append(str(error.__doc__).partition("\n")[0])
    yield from _table(
        ("code", "why"), ((str(code), "<br>".join(why)) for code, why in sorted(codes.items()))
    )


def _below(error: type[TidegaugeError]) -> Iterator[type[TidegaugeError]]:
    for one in error.__subclasses__():
        yield one
        yield from _below(one)


def _settings() -> Iterator[str]:
    yield "# Settings\n"
    yield (
        "They stand in `tidegauge.toml` in the working directory, or in the file that `--config` or"
        " `TIDEGAUGE_CONFIG` names. The environment goes before the file (`lake` is"
        " `TIDEGAUGE_LAKE` there, an array's items have spaces between them), and a command's"
        " options before both. Paths are relative to the working directory. A key, a variable or a"
        " value that is wrong is refused, with what would be right.\n"
    )
    schema = Settings.model_json_schema()
    left = dict(schema["properties"])
    for title, keys in SETTINGS.items():
        yield f"## {title}\n"
        yield from _keys({key: left.pop(key) for key in keys.split()})
    if left:
        raise ValueError(f"settings of no group: {', '.join(left)}")
    yield "## source\n\nThe keys of a table `[[source]]`:\n"
    yield from _keys(schema["$defs"]["SourceTable"]["properties"])


def _keys(properties: dict[str, Any]) -> Iterator[str]:
    yield from _table(
        ("key", "what it says", "value"),
        ((f"`{key}`", one["description"], _describe_value(one)) for key, one in properties.items()),
    )


def _describe_value(its: dict[str, Any]) -> str:
    """The type of a setting, its bounds and its default, from its JSON schema."""
    kind = its.get("anyOf", [its])[0]
    name = kind.get("format", kind.get("type", "string"))
    text = {"object": "tables", "password": "string, never shown"}.get(name, name)
    for sign, words in (("minimum", "from"), ("maximum", "to"), ("minLength", "of at least")):
        if sign in kind:
            text += f" {words} {kind[sign]:,}"
    is_set = its.get("default") not in (None, [], {})
    return f"{text}; default `{json.dumps(its['default'])}`" if is_set else text


def _tables() -> Iterator[str]:
    yield "# Tables\n"
    yield (
        "The lake's tables, as `tidegauge sql` and [any engine](../how-to/query.md) read them, and"
        " views of them. Types are DuckDB's; times are instants in UTC, those of type `TIMESTAMP`"
        " the site's. The same words are comments in `tidegauge.duckdb` (`duckdb_views()`,"
        " `duckdb_columns()`).\n"
    )
    for name, schema in VIEWS.items():
        yield f"## {name}\n\n{words_of(schema)} {_say_where(name)}\n"
        yield from _table(
            ("column", "type", "meaning"),
            (
                (
                    f"`{one.name}`",
                    f"`{DUCKDB_TYPES[one.type]}`",
                    words_of(one) + _say_stored(name, one.name),
                )
                for one in schema
            ),
        )
        if name == "rejects":
            yield from _reasons()


def _say_where(view: str) -> str:
    if view not in TABLES:
        return "Only a view, in `lake/tidegauge.duckdb`."
    if view == "files":
        return f"In `lake/{FILES_FOLDER}`, a file or several a source."
    return f"In `lake/{view}`, {'a folder a day' if view in PARTITIONED else 'one file'}."


def _say_stored(view: str, column: str) -> str:
    """Where a column is not in the Parquet by its name, say so."""
    if view not in TABLES or column in TABLES[view].names:
        return ""
    old = {new: old for old, new in RENAMED.get(view, {}).items()}.get(column)
    return f"; in the Parquet `{old}`" if old else "; only in the view"


def _reasons() -> Iterator[str]:
    yield "Another `reason` than these is the name of the field that is wrong.\n"
    reasons = EXPLAINED | {str(TOO_LONG.reason): f"over {MAX_LINE_BYTES // 1024**2} MiB"}
    yield from _table(("reason", "meaning"), ((f"`{key}`", its) for key, its in reasons.items()))


def _layouts() -> Iterator[str]:
    yield "# Layouts\n"
    yield (
        "The layouts that are found by themselves, the likelier ones first, each with a line of it,"
        " as `tidegauge formats` prints them. [Formats](../how-to/formats.md) says how a file's"
        " layout is found, and how any other is described.\n"
    )
    for layout in list_layouts():
        example = escape(layout.example, quote=False)
        yield f'## {layout.name}\n\n<pre class="lines"><code>{example}</code></pre>\n'


def _dags() -> Iterator[str]:
    yield "# DAGs\n"
    for path in sorted(DAGS.glob("*.py")):
        yield from _dag(ast.parse(path.read_text(encoding="utf-8")))


def _dag(module: ast.Module) -> Iterator[str]:
    """A DAG by its source alone: Airflow is not needed for its docs."""
    (function,) = (one for one in module.body if isinstance(one, ast.FunctionDef))
    said = _keywords(function.decorator_list[0])
    yield f"## {function.name}\n\n{ast.get_docstring(module)}\n"
    constants = {
        ast.unparse(one.targets[0]): ast.unparse(one.value)
        for one in module.body if isinstance(one, ast.Assign)
    }  # fmt: skip
    schedule = ast.unparse(said["schedule"])
    schedule = re.sub("[A-Z]+", lambda name: constants.get(name[0], name[0]), schedule)
    yield f"- schedule: `{schedule}`"
    if "params" in said:
        for key, param in zip(said["params"].keys, said["params"].values, strict=True):
            text = ast.literal_eval(_keywords(param)["description"])
            yield f"- parameter `{key.value}`: {text}"
    yield ""


def _keywords(call: Any) -> dict[str, Any]:
    return {keyword.arg: keyword.value for keyword in call.keywords}


PAGES = {
    "commands": _commands, "settings": _settings, "tables": _tables, "layouts": _layouts,
    "dags": _dags,
}  # fmt: skip
