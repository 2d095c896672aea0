"""The deadline of a night, "figures by 07:00": when it is, and what happens when it has passed.

Airflow keeps it with each scheduled run (a deadline alert): it asks ``FiguresDue`` when it makes
one, and the triggerer calls ``say_late``. Of Airflow's own references none will do: a fixed time
after the logical date is another hour on the wall when clocks change, and every run of a backfill
would be late at once. The callback runs in the triggerer, as in a process of the executor it may
read no connection of Airflow's, which may have the alert URLs. Light, as the plugin imports it.
"""
# ruff: noqa: PLC0415

import asyncio
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import BaseDeadlineReference, DeadlineAlert

from pipeline.days import morning_after


class FiguresDue(BaseDeadlineReference):
    """The time of day on the morning after a scheduled run's day; other runs have no deadline."""

    required_kwargs = frozenset({"dag_id", "run_id"})

    def __init__(self, by: str, zone: str) -> None:
        """``by`` as in settings, ``zone`` an IANA name."""
        self.by, self.zone = by, zone

    def serialize_reference(self) -> dict[str, Any]:
        """As Airflow keeps it."""
        return super().serialize_reference() | {"by": self.by, "zone": self.zone}

    @classmethod
    def deserialize_reference(cls, reference_data: dict[str, Any]) -> "FiguresDue":
        """Read it back."""
        return cls(reference_data["by"], reference_data["zone"])

    def _evaluate_with(self, *, session: Any, dag_id: str, run_id: str) -> datetime | None:
        from airflow.models import DagRun
        from sqlalchemy import select

        ours = DagRun.dag_id == dag_id, DagRun.run_id == run_id
        kind, start = session.execute(
            select(DagRun.run_type, DagRun.data_interval_start).where(*ours)
        ).one()
        if str(getattr(kind, "value", kind)) != "scheduled":
            return None
        zone = ZoneInfo(self.zone)
        return morning_after(start.astimezone(zone).date(), time.fromisoformat(self.by), zone)


def figures_due(by: time | None, zone: str) -> DeadlineAlert | None:
    """The deadline of a DAG's runs; None where none is set."""
    if by is None:
        return None
    said = {"by": f"{by:%H:%M}"}
    reference = FiguresDue(**said, zone=zone)
    return DeadlineAlert(reference, timedelta(0), AsyncCallback(say_late, said), "figures_due_by")


async def say_late(context: Any, by: str) -> None:
    """Alert that the day of a run has no figures yet, where it has none, in a thread."""
    await asyncio.to_thread(_say_late, context["dag_run"], by)


def _say_late(run: dict[str, Any], by: str) -> None:
    from pipeline.alerts.failures import announce_late
    from pipeline.alerts.services import alert_settings
    from pipeline.orchestration.dag_run import ZONE, load_site, today

    settings = load_site()
    day = datetime.fromisoformat(run["data_interval_start"]).astimezone(ZoneInfo(ZONE)).date()
    if settings.last_day is None or day <= settings.last_day:
        announce_late(alert_settings(settings), day, by, today())
