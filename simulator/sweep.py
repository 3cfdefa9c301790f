"""Runs many points over processes; what is finished is kept, and the same rows come in the same order whatever happens."""

import json
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait as wait_for
from threading import Thread
from typing import Any

from idleq.errors import IdleqError
from idleq.simulator.errors import SimulationLeft, SweepBroken
from idleq.simulator.rows import Row, RowsFile

Work = Callable[[Mapping[str, Any]], Row]
"""Runs one point; a function that another process can import."""

GLANCE_S = 0.2
"""So often somebody looks whether it is time to leave."""

UNHEARD = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
"""What is sent to a whole group of processes; the first of them decides for all."""


def run_points(
    points: Sequence[Mapping[str, Any]],
    keys: Sequence[str],
    work: Work,
    kept: RowsFile,
    processes: int,
    *,
    show: Callable[[int], None] = lambda _: None,
    is_leaving: Callable[[], bool] = lambda: False,
) -> list[Row]:
    """Return the row of each of *points*, in their order; what *kept* has under its key of *keys* is not run again.

    Raises:
        SimulationLeft: it was time to leave; all rows that were finished are kept.
        SweepBroken: one of the processes ended.
        IdleqError: what *work* raised, with the point that it was at.
    """
    missing = {key: point for key, point in zip(keys, points, strict=True) if key not in kept.rows}
    show(len(points) - len(missing))
    if missing:
        with _pool(min(processes, len(missing))) as pool:
            try:
                for done, (key, row) in enumerate(
                    _finished(pool, missing, work, is_leaving), len(points) - len(missing)
                ):
                    kept.add(key, row)
                    show(done + 1)
            except BrokenProcessPool as error:
                if not is_leaving():
                    raise SweepBroken("one of the processes was killed: was there enough memory?") from error
        if len(missing.keys() - kept.rows.keys()):
            left = len(missing.keys() - kept.rows.keys())
            raise SimulationLeft(f"left with {left} of {len(points)} runs to go: the same command goes on from there")
    return [kept.rows[key] for key in keys]


def _finished(
    pool: ProcessPoolExecutor, missing: Mapping[str, Mapping[str, Any]], work: Work, is_leaving: Callable[[], bool]
) -> Iterator[tuple[str, Row]]:
    """Yield each row when it is finished, until it is time to leave."""
    waited: dict[Future[Row], str] = {pool.submit(work, point): key for key, point in missing.items()}
    while waited and not is_leaving():
        done, _ = wait(waited, GLANCE_S, FIRST_COMPLETED)
        for future in [one for one in waited if one in done]:
            key = waited.pop(future)
            try:
                yield key, future.result()
            except IdleqError as error:
                raise type(error)(f"{error} (at {json.dumps(missing[key])})") from error


@contextmanager
def _pool(processes: int) -> Iterator[ProcessPoolExecutor]:
    """Yield processes that are gone at the end, whatever they are at; and when this process is gone."""
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _begin_worker)
    try:
        yield pool
    finally:
        for process in multiprocessing.active_children():
            process.kill()
        pool.shutdown(wait=True, cancel_futures=True)  # the pool's own thread reaps them: nobody else may meanwhile


def _begin_worker() -> None:
    for each in UNHEARD:
        signal.signal(each, signal.SIG_IGN)
    Thread(target=_end_with_the_first, daemon=True).start()


def _end_with_the_first() -> None:
    """A killed process cannot tell its workers, and they would wait for ever."""
    first = multiprocessing.parent_process()
    assert first is not None  # workers only
    wait_for([first.sentinel])
    os._exit(1)
