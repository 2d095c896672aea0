"""The command ``tidegauge``: what to call for each subcommand. All work is in other modules."""

import logging
import os
import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import pipeline
from pipeline.errors import StorageError, TidegaugeError
from pipeline.text import printable, say

_INTERRUPTED = 130
"""The exit code of a process that Ctrl-C ends."""
_MODULES = {
    "demo": "demo.commands",
    "simulate": "demo.commands",
    "ingest": "cli.ingest",
    "build": "cli.build",
    "status": "cli.status",
    "run": "cli.run",
    "watch": "cli.watch",
    "now": "cli.watch",
    "surges": "cli.query",
    "why": "cli.why",
    "figure": "cli.report",
    "report": "cli.report",
    "history": "cli.history",
    "daily": "cli.query",
    "hourly": "cli.query",
    "expected": "cli.query",
    "sql": "cli.sql",
    "compare": "cli.compare",
    "verify": "cli.verify",
    "replay": "cli.replay",
    "forget": "cli.forget",
    "erase": "cli.erase",
    "retention": "cli.retention",
    "parse": "cli.parse",
    "doctor": "cli.doctor",
    "formats": "cli.parse",
    "geo": "cli.geo",
    "dags": "cli.dags",
    "airflow": "cli.airflow",
}
"""Each command's module, in the order of the help."""


class _Commands(TyperGroup):
    """The commands; a module is imported when a command of it is asked for."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands: dict[str, Any] = dict.fromkeys(_MODULES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import the command's module and make the commands that it has."""
        if cmd_name in _MODULES and self.commands[cmd_name] is None:
            its = typer.Typer()
            import_module(f"pipeline.{_MODULES[cmd_name]}").add_to(its)
            self.commands |= typer.main.get_group(its).commands
        return super().get_command(ctx, cmd_name)


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


def run() -> None:
    """``main`` as a process of its own."""
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


if __name__ == "__main__":
    run()
