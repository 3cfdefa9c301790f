"""When the next main job is planned on each node, kept as long as nothing happens but that jobs come in behind the others."""

from collections.abc import Callable, Iterable, Sequence

from idleq.simulator.jobs import MainJob
from idleq.simulator.queueing.plan import Plan
from idleq.simulator.queueing.policy import Slot

LaidOut = Callable[[Iterable[tuple[int, MainJob]]], dict[int, int]]
"""Gives jobs, by their planned starts, nodes, and says when the first of them starts on each node that has one."""


class PlanAhead:
    """What a site shows of its plan. It is the same as if it were made anew each time, which on a busy site takes long."""

    def __init__(self) -> None:
        self._plan: Plan | None = None
        self._free_units: list[int] = []
        self._running: list[Slot] = []
        self._starts: dict[int, int] = {}

    def starts(
        self,
        waiting: Sequence[MainJob],
        free_units: list[int],
        running: Sequence[Slot],
        now: int,
        lay_out: LaidOut,
    ) -> dict[int, int]:
        """Return when the next main job is planned to start on each node that has one; *free_units* are those of each node."""
        plan = self._plan
        if plan is not None and self._is_as_before(plan, waiting, free_units, running) and plan.still_holds(now):
            if len(waiting) == len(plan.jobs):
                return self._starts
            start = plan.add(waiting[len(plan.jobs) :])
            if start is None or self._is_complete_by(start, len(free_units)):
                return self._starts
        else:
            plan = self._plan = Plan(sum(free_units), running, now)
            self._free_units, self._running = free_units, list(running)
            plan.add(waiting)
        self._starts = lay_out((start, job) for start, _, job in plan.planned)
        return self._starts

    def _is_as_before(
        self, plan: Plan, waiting: Sequence[MainJob], free_units: list[int], running: Sequence[Slot]
    ) -> bool:
        """Whether nobody has begun or ended, and nothing come or gone; slots that are equal hold the same nodes."""
        jobs = plan.jobs
        return waiting[: len(jobs)] == jobs and running == self._running and free_units == self._free_units

    def _is_complete_by(self, start: int, nodes: int) -> bool:
        """Whether each node has a job that comes before one that is last in the queue and starts at *start*."""
        starts = self._starts
        return len(starts) == nodes and max(starts.values()) <= start
