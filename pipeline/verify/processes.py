"""Spreads the proof of many days over processes; a small lake's stays in this one."""

import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from pipeline.days import ONE_DAY
from pipeline.verify.day_proof import DayProof, ProofTask, ProvenDay, prove_days
from pipeline.verify.findings import Finding
from pipeline.verify.parquet import Shelf
from pipeline.verify.recount import CountingRules

ROWS_WORTH_A_PROCESS = 1_000_000
"""A process takes a second to start."""


def split_days(  # noqa: PLR0913 what the days are read and counted by
    shelf: Shelf,
    zone: str,
    rules: CountingRules,
    days: Sequence[ProvenDay],
    wanted: frozenset[date],
    parts: int,
) -> list[ProofTask]:
    """Make at most ``parts`` tasks of the wanted days: runs of about as many hits each.

    Args:
        shelf: the files of the lake.
        zone: the site's.
        rules: of sessions.
        days: all days of the ledger.
        wanted: those to prove.
        parts: how many processes there may be.
    """
    own = [day for day in sorted(days, key=lambda day: day.day) if day.day in wanted]
    total = sum(day.rows for day in own)
    parts = max(1, min(parts, total // ROWS_WORTH_A_PROCESS))
    runs: list[set[date]] = [set() for _ in range(parts)]
    rows = 0
    for day in own:  # by where the middle of the day's hits lies
        runs[min(parts - 1, (rows + day.rows // 2) * parts // max(total, 1))].add(day.day)
        rows += day.rows
    return [_make_task(shelf, zone, rules, days, run) for run in runs if run]


def _make_task(
    shelf: Shelf, zone: str, rules: CountingRules, days: Sequence[ProvenDay], own: set[date]
) -> ProofTask:
    near = {day + n * ONE_DAY for day in own for n in (-1, 0, 1)}
    its_days = tuple(day for day in days if day.day in near)
    names = {f"day={day}" for day in near}
    digests = {p: d for p, d in shelf.digests.items() if not names.isdisjoint(p.split("/"))}
    return ProofTask(Shelf(shelf.root, digests), zone, rules, its_days, frozenset(own))


def prove_all(tasks: Sequence[ProofTask]) -> Iterator[DayProof]:
    """Prove every task's days, each task in a process of its own when there are several."""
    if len(tasks) <= 1:
        for task in tasks:
            yield from prove_days(task)
        return
    context = multiprocessing.get_context("spawn")
    running: dict[Connection, tuple[SpawnProcess, ProofTask]] = {}
    try:
        for task in tasks:
            receiving, sending = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(task, sending), daemon=True)
            process.start()
            sending.close()
            running[receiving] = process, task
        yield from _receive(running)
    finally:
        for process, _ in running.values():
            process.terminate()
            process.join()


def _receive(running: dict[Connection, tuple[SpawnProcess, ProofTask]]) -> Iterator[DayProof]:
    while running:
        for ready in wait(list(running)):
            assert isinstance(ready, Connection)
            try:
                yield ready.recv()
            except EOFError:
                process, task = running.pop(ready)
                process.join()
                if process.exitcode:
                    first, last = min(task.own), max(task.own)
                    why = f"not proved: the process ended with code {process.exitcode}"
                    yield DayProof(first, [Finding("unproven", f"{first} to {last}", why)])


def _work(task: ProofTask, sending: Connection) -> None:
    with suppress(KeyboardInterrupt, BrokenPipeError):  # the other end has said so
        for proof in prove_days(task):
            sending.send(proof)
        sending.close()
