"""The command ``compare``: options in, rows on stdout, what they mean on stderr."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.caveats import find_caveats
from pipeline.cli.options import (
    Form,
    FromOption,
    RowOptions,
    SiteOptions,
    ToOption,
    day_of,
    read_country,
    read_span,
)
from pipeline.definitions import MOST_TIMEOUT_MINUTES
from pipeline.text import say, write_number_of

if TYPE_CHECKING:
    from pipeline.compare.basis import Basis, Outcome
    from pipeline.compare.variants import Asked, Variant

_THEN = "nothing was changed; if a build or an ingest was at work, run compare again"


class RobotlikeChoice(StrEnum):
    """What is done with visitors whose day looks like a robot's."""

    keep = "keep"
    drop = "drop"


@dataclass(frozen=True)
class VariantOptions:
    """The options each value of which is a variant."""

    timeout: Annotated[
        list[int] | None,
        typer.Option(
            "--timeout",
            min=1,
            max=MOST_TIMEOUT_MINUTES,
            help="Sessions that end after other minutes.",
            metavar="MINUTES",
        ),
    ] = None
    timezone: Annotated[
        list[str] | None,
        typer.Option("--timezone", help="Days of another zone, such as UTC.", metavar="ZONE"),
    ] = None
    robots: Annotated[
        list[str] | None,
        typer.Option(
            "--robots",
            help="Other robots: none, both, crawlerdetect, crawler-user-agents, or a file with a"
            " regular expression (RE2) a line; (?i) in front of one ignores case.",
            metavar="LIST",
        ),
    ] = None
    robotlike: Annotated[
        list[RobotlikeChoice] | None,
        typer.Option(
            "--robotlike",
            help="Visitors whose day looks like a robot's: counted (keep) or not (drop).",
        ),
    ] = None
    geo_database: Annotated[
        list[Path] | None,
        typer.Option(
            "--geo-database", help="Another address database, for all days.", metavar="FILE"
        ),
    ] = None
    geo_built: Annotated[
        list[datetime] | None,
        typer.Option(
            "--geo-built",
            formats=["%Y-%m-%d"],
            help="The one in --geo that was built that day.",
            metavar="DAY",
        ),
    ] = None

    def asked(self) -> Asked:
        """What they ask for."""
        from pipeline.compare.variants import Asked

        return Asked(
            self.timeout or (), self.timezone or (), self.robots or (),
            [one is RobotlikeChoice.drop for one in self.robotlike or ()],
            self.geo_database or (), [built.date() for built in self.geo_built or ()],
        )  # fmt: skip


def compare(  # noqa: PLR0913 one parameter an option
    variants: VariantOptions,
    country: Annotated[
        list[str] | None,
        typer.Option(
            "--country",
            help="ISO 3166-1 code, such as US; or its name; may be repeated.",
            metavar="COUNTRY",
            show_default="the five largest",
        ),
    ] = None,
    first: FromOption = None,
    last: ToOption = None,
    *,
    output: RowOptions,
    site: SiteOptions,
) -> None:
    """Show what a changed setting would do to the figures; the lake is not touched.

    Every value given is one variant, all else as in the lake; options may be repeated.

    Surges then are known when neither --from nor --to is given.

    Another database: the raw files are read again, into a temporary lake outside the lake.

    For example:

    tidegauge compare --timeout 15 --timeout 60 --country US

    tidegauge compare --timezone UTC --from 2016-11-08 --to 2016-11-09

    tidegauge compare --robots none --robots crawlerdetect --format csv

    tidegauge compare --robotlike drop --country US

    tidegauge compare --geo-built 2016-12-07 --country US --country CA
    """
    from pipeline.build.stale import session_rules
    from pipeline.compare.basis import read_basis
    from pipeline.compare.rows import COLUMNS, largest_countries, make_rows
    from pipeline.compare.sentences import tell_left_out
    from pipeline.compare.variants import make_variants
    from pipeline.compare.workspace import open_workspace
    from pipeline.ingest.maker import ingest_settings
    from pipeline.lake.query import one_state
    from pipeline.lake.storage import storage_named
    from pipeline.lake.zone import open_lake

    settings = site.settings()
    the_lake = open_lake(settings.lake)
    how = ingest_settings(settings)
    wanted = make_variants(variants.asked(), settings.geo, how, settings.proxies)
    countries = [read_country(code) for code in dict.fromkeys(country or ())]
    with open_workspace(the_lake) as workspace, storage_named(the_lake.store.disk, _THEN):
        basis, left_out = read_basis(
            the_lake, session_rules(settings), settings.memory_limit_mb,
            day_of(first), day_of(last), workspace,
        )  # fmt: skip
        told = [*tell_left_out("all variants", left_out)]
        for sentence in told:
            say(sentence)
        outcomes = [_count(basis, variant) for variant in wanted]
    chosen = countries or largest_countries(basis)
    rows = make_rows(basis, outcomes, chosen)
    with one_state(the_lake) as state:
        span = read_span(first, last)
        caveats = find_caveats(state, settings.session_timeout_minutes, datetime.now(UTC), span)
    caveats.of_all += told
    caveats.of_all += (s for one in outcomes for s in tell_left_out(one.label, one.left_out))
    if output.form == Form.json:
        output.print(*caveats.add_to(COLUMNS, rows))
    else:
        output.print(COLUMNS, rows)
    _conclude(basis, outcomes, rows)
    for caveat in caveats.say():
        if caveat not in told:
            say(caveat)


def _count(basis: Basis, variant: Variant) -> Outcome:
    hits = sum(basis.files[day].rows for day in basis.wanted if day in basis.files)
    days = write_number_of(len(basis.wanted), "day")
    say(f"{variant.label}: counting {days}, {write_number_of(hits, 'hit')}")
    started = time.monotonic()
    outcome = variant.count(basis)
    say(f"{variant.label}: counted in {time.monotonic() - started:.1f} s")
    return outcome


def _conclude(basis: Basis, outcomes: Sequence[Outcome], rows: Sequence[tuple[Any, ...]]) -> None:
    from pipeline.compare.sentences import say_totals

    for outcome in outcomes:
        say_totals(outcome.label, [row for row in rows if row[2] == outcome.label])
    if not basis.is_all:
        say("surges then are judged from all days: leave --from and --to out to see them")
