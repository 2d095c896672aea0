"""The report: one self-contained HTML page about a lake's largest surge, with its caveats."""

from pipeline.cli.report import add_to
from pipeline.report.page import write_report

__all__ = ["add_to", "write_report"]
