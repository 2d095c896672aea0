"""The command ``tidegauge``: what to call for each subcommand. All work is in other modules."""

import ctypes
import gc
import logging
import os
import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import pipeline
from pipeline.cli.options import spread
from pipeline.errors import StorageError, TidegaugeError
from pipeline.text import printable, say

_INTERRUPTED = 130
"""The exit code of a process that Ctrl-C ends."""
_OBJECTS_OF_MODULES = 600_000
"""More than a command's modules and caches have that Python looks at to find garbage."""
_KEPT_BYTES = {-3: 32 * 1024**2, -1: 256 * 1024**2}
"""``M_MMAP_THRESHOLD``, at most so much, and ``M_TRIM_THRESHOLD`` of glibc's ``mallopt``."""
_COMMANDS = {
    "demo": "demo.commands.demo",
    "simulate": "demo.commands.simulate_command",
    "ingest": "cli.ingest.ingest",
    "build": "cli.build.build_command",
    "status": "cli.status.status",
    "run": "cli.run.run",
    "watch": "cli.watch.watch_command",
    "now": "cli.watch.now_command",
    "surges": "cli.query.surges",
    "why": "cli.why.why",
    "figure": "cli.report.figure_command",
    "report": "cli.report.report_command",
    "history": "cli.history.history",
    "daily": "cli.query.daily",
    "hourly": "cli.query.hourly",
    "expected": "cli.query.expected",
    "sql": "cli.sql.sql",
    "compare": "cli.compare.compare",
    "verify": "cli.verify.verify",
    "replay": "cli.replay.replay",
    "forget": "cli.forget.forget",
    "erase": "cli.erase.erase_person",
    "retention": "cli.retention.retention",
    "parse": "cli.parse.parse",
    "doctor": "cli.doctor.doctor",
    "formats": "cli.parse.formats",
    "geo": "cli.geo.geo_app",
    "dags": "cli.dags.dags",
    "airflow": "cli.airflow.airflow_app",
}
"""Each command's function, or its group's Typer, in the order of the help."""


class _Commands(TyperGroup):
    """The commands; a module is imported when a command of it is asked for."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands: dict[str, Any] = dict.fromkeys(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import the command's module and make the command."""
        if cmd_name in _COMMANDS and self.commands[cmd_name] is None:
            self.commands[cmd_name] = _make_command(cmd_name)
        return super().get_command(ctx, cmd_name)


def _make_command(name: str) -> Any:
    module, _, function = _COMMANDS[name].rpartition(".")
    found, its = getattr(import_module(f"pipeline.{module}"), function), typer.Typer()
    if isinstance(found, typer.Typer):
        its.add_typer(found, name=name)
    else:
        its.command(name)(spread(found))
    return typer.main.get_group(its).commands[name]


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Session counts per country and local day from raw web server logs, and their surges.",
)


@app.callback(invoke_without_command=True)
def start(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log each step.")] = False,
) -> None:
    """Run before every command."""
    is_read = sys.stderr.isatty() and not verbose
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(message)s" if is_read else "%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    if version:
        print(f"tidegauge {pipeline.__version__}")
        raise typer.Exit


def _place_of(error: Exception) -> str:
    name = getattr(error, "filename", None)
    return f" ({printable(str(name))})" if name else ""


def main() -> None:
    """Entry point: a TidegaugeError becomes its sentence and its exit code."""
    # Here are no matrices: its threads would only take time to start, and to wait.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Arrow's own allocator gives pages back that the next block asks for again: a tenth of ingest.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    # Here are none: its search through all packages takes 10 ms, and longer beside Airflow.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
    _keep_memory()
    try:
        app()
    except TidegaugeError as error:
        say(f"tidegauge: {error}")
        raise SystemExit(error.exit_code) from None
    except (KeyboardInterrupt, Exception) as error:
        from pipeline.lake.storage import STORAGE_ERRORS, cause_of, is_interrupt

        if isinstance(error, KeyboardInterrupt) or is_interrupt(error):
            say("interrupted; what was committed stays, run again to go on")
            raise SystemExit(_INTERRUPTED) from None
        if isinstance(error, STORAGE_ERRORS):
            why = f"{cause_of(error)}{_place_of(error)}"
            say(f"tidegauge: {why}; when it is well again, run it again")
            raise SystemExit(StorageError.exit_code) from None
        raise


def _keep_memory() -> None:
    """Have the allocator keep what a block had for the next one, where it is glibc's."""
    if set_option := getattr(ctypes.CDLL(None), "mallopt", None):
        for option, size in _KEPT_BYTES.items():
            set_option(option, size)


def run() -> None:
    """``main`` as a process of its own."""
    gc.set_threshold(_OBJECTS_OF_MODULES)  # nothing that is loaded is garbage
    try:
        main()
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            # DuckDB's threads may not have noticed yet: one that needs Python while that ends would
            # abort the process.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(_INTERRUPTED)
        raise
    finally:
        gc.freeze()  # all there is ends with the process: nobody has to go through it


if __name__ == "__main__":
    run()
