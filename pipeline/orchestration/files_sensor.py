"""The night's first task: a deferrable sensor, which holds no place while it waits for files.

The task looks for files where it can read the lake; in between, the trigger only looks whether
something has come. What it must know is kept by Airflow with it, so it goes on after a restart.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException
from airflow.triggers.base import BaseTrigger, TriggerEvent

from pipeline.orchestration.dag_run import current_day, is_backfill, is_over, load_site, now

_LOOK_S = 30
_SETTLED_S = 60
"""A file that was changed since may still be on its way."""
_PATIENCE = timedelta(minutes=10)
"""Nobody runs triggers when one is so late; then the task is tried again, and waits no more."""


class FilesSensor(BaseOperator):
    """Find the raw files of the run's day as jobs, once all are there or ``files_due_by`` is over.

    A backfill does not wait, nor does any run of a day whose files were due.
    """

    def execute(self, context: Any, event: None = None) -> list[list[dict[str, str | bool]]]:  # noqa: ARG002 as Airflow calls it
        """Find them, or defer; called again when the trigger fires."""
        from pipeline.orchestration.finding import Awaited, find_all_files, find_files  # noqa: PLC0415
        from pipeline.orchestration.jobs import write_jobs  # noqa: PLC0415 light for parsing
        from pipeline.settings import engine_of  # noqa: PLC0415

        if is_over(context):
            raise AirflowSkipException("the site's last day is over")
        settings, day, began = load_site(), current_day(), now()
        together = engine_of(settings).is_apart
        if is_backfill():
            of_day = find_files(settings, day, began, with_late=False)
            return write_jobs(of_day, together=together)
        found = find_all_files(settings, day, began)
        if isinstance(found, Awaited):
            since = began.timestamp() - _SETTLED_S
            self.defer(
                trigger=FilesTrigger(found.places, since, found.until.timestamp()),
                method_name="execute",
                timeout=found.until - began + _PATIENCE,
            )
        return write_jobs(found, together=together)


class FilesTrigger(BaseTrigger):
    """Fires when a raw file has come to one of some places and is whole, or at an instant."""

    def __init__(self, places: list[str], since: float, until: float) -> None:
        """``since``, ``until``: seconds since 1970; see ``is_settled_since``."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.places, self.since, self.until = places, since, until

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """As Airflow keeps it."""
        kept = {"places": self.places, "since": self.since, "until": self.until}
        return f"{__name__}.{type(self).__name__}", kept

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look now and then, in a thread: a folder may hang, and other triggers share the loop."""
        from pipeline.ingest.sources import is_settled_since  # noqa: PLC0415

        with suppress(TimeoutError):
            async with asyncio.timeout(self.until - time.time()):
                while not await asyncio.to_thread(  # noqa: ASYNC110 a folder tells nobody
                    is_settled_since, self.places, self.since, time.time() - _SETTLED_S
                ):
                    await asyncio.sleep(_LOOK_S)
        yield TriggerEvent(None)  # type: ignore[no-untyped-call]
