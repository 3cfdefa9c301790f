"""The harvest table: idleq's own strategy against Young and planned ends, for each cost and grace, on KTH."""

import multiprocessing
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache
from typing import NamedTuple

from bench.guests import KTH, ONE
from bench.logs import log_path
from bench.row import Row
from idleq.ids import Millis
from idleq.simulator.costs import equal_costs
from idleq.simulator.guestload import always_enough
from idleq.simulator.harvest import IdleGap, harvestable_ms
from idleq.simulator.jobs import MainJob
from idleq.simulator.strategies import Site, Strategy, run

SECOND = 1000
WEEK_MS = 7 * 86_400 * SECOND
COSTS, GRACES = (1, 10, 60, 300, 1800), (0, 30, 300)
STRATEGIES = (Strategy.PLANNED_END, Strategy.YOUNG, Strategy.IDLEQ)
WINDOWS = ((4, 2), (20, 2), (36, 2))
"""First week and length: apart from each other, so that no season of the log decides."""


class Task(NamedTuple):
    """One strategy in one cell of the table, on one part of the log."""

    window: tuple[int, int]
    cost: int
    grace: int
    strategy: Strategy


def rows() -> list[Row]:
    """How much more idleq's own strategy harvests than the better of the two that it must not fall behind, cell by cell."""
    if not log_path(KTH.file).exists():
        missing = f"{KTH.file} is not here; say where the data is with IDLEQ_SHARED"
        return [Row(name="the harvest table (KTH)", value=None, unit="", target=0.0, better="more", note=missing)]
    tasks = [Task(*one) for one in _cells()]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as processes:
        found = dict(zip(tasks, processes.map(measured, tasks, chunksize=9), strict=True))
    return [_row(cost, grace, found) for cost in COSTS for grace in GRACES]


def _cells() -> Iterable[tuple[tuple[int, int], int, int, Strategy]]:
    return (
        (window, cost, grace, strategy)
        for window in WINDOWS
        for cost in COSTS
        for grace in GRACES
        for strategy in STRATEGIES
    )


def measured(task: Task) -> tuple[int, int]:
    """Return what guests harvested, and what they could have; both in core-milliseconds."""
    site, gaps = _site(task.window)
    costs = equal_costs(Millis(task.cost * SECOND))
    there = replace(site, grace_ms=Millis(task.grace * SECOND))
    outcome = run(there, task.strategy, always_enough(ONE, 3 * KTH.nodes), costs, gaps)
    return outcome.useful_core_ms, harvestable_ms(gaps, costs.thaw_ms + costs.freeze_ms)


@cache
def _site(window: tuple[int, int]) -> tuple[Site, list[IdleGap]]:
    first, weeks = window
    jobs = KTH.jobs()
    begin = jobs[0].submit + first * WEEK_MS
    inside = [job for job in jobs if begin <= job.submit < begin + weeks * WEEK_MS]
    moved: tuple[MainJob, ...] = tuple(replace(job, submit=job.submit - begin) for job in inside)
    site = Site(nodes=KTH.nodes, node=ONE, jobs=moved, until=Millis(moved[-1].submit))
    return site, site.gaps()


def _row(cost: int, grace: int, found: dict[Task, tuple[int, int]]) -> Row:
    sums: dict[Strategy, list[int]] = defaultdict(lambda: [0, 0])
    for task, (useful, could) in found.items():
        if (task.cost, task.grace) == (cost, grace):
            sums[task.strategy][0] += useful
            sums[task.strategy][1] += could
    harvest = {strategy: useful / could for strategy, (useful, could) in sums.items()}
    better = max(harvest[Strategy.PLANNED_END], harvest[Strategy.YOUNG])
    shown = ", ".join(f"{strategy} {100 * value:.2f} %" for strategy, value in harvest.items())
    weeks = ", ".join(f"{first} to {first + length}" for first, length in WINDOWS)
    return Row(
        name=f"harvest, cost {cost} s, grace {grace} s: idleq over the better of Young and planned ends (KTH)",
        value=100 * (harvest[Strategy.IDLEQ] - better),
        unit="points",
        target=0.0,
        better="more",
        note=f"{shown}; weeks {weeks} together",
    )
