"""The commands ``demo`` and ``simulate``."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import SiteOptions

ScaleOption = Annotated[
    float, typer.Option("--scale", help="1 is the real size, 36 million lines; 0.02 takes seconds.")
]


def simulate_command(
    out: Annotated[Path, typer.Option("--out", help="Folder for the raw logs.")],
    scale: ScaleOption = 1.0,
    *,
    site: SiteOptions,  # noqa: ARG001 accepted by every command
) -> None:
    """Write the simulated raw logs of 1-20 November 2016, calibrated to the published totals.

    For example:

    tidegauge simulate --out ./raw --scale 0.02
    """
    from pipeline.demo.demo import write_logs

    files = write_logs(out, scale)
    print(f"simulated {len(files)} raw logs in {out}")


def demo(
    scale: ScaleOption = 1.0,
    out: Annotated[Path, typer.Option("--out", help="Folder for everything made.")] = Path("demo"),
    *,
    site: SiteOptions,  # its lake lies in its folder, and it brings its own database
) -> None:
    """Simulate the storm of November 2016, count it from raw logs, compare with what was published.

    For example:

    tidegauge demo --scale 0.02 --out /tmp/storm
    """
    from pipeline.demo.demo import count_storm

    count_storm(scale, out, site.config)
