"""The main queue of a machine with outages: what fails takes its jobs along, and they come back to the queue."""

from collections.abc import Sequence
from functools import partial
from typing import Self

from simpy import Environment
from simpy.events import Event

from idleq.simulator.jobs import MainJob
from idleq.simulator.kernel import AWAY, Between, Moment, run_out
from idleq.simulator.outages import Kind, Outage
from idleq.simulator.queueing.around import Evading
from idleq.simulator.queueing.main_queue import MainQueue


class OutageRun:
    """Runs *jobs* to their ends; can be left between two events.

    Attributes:
        starts: when each job began the run that it finished.
        restarts: how often jobs were killed and began anew.
        lost: the processor-seconds that they had run for nothing.
        killed: since when until when, on how many processors.
    """

    def __init__(
        self,
        jobs: Sequence[MainJob],
        processors: int,
        outages: Sequence[Outage],
        policy: Evading,
    ) -> None:
        self.starts: dict[int, int] = {}
        self.restarts = 0
        self.lost = 0
        self.killed: list[tuple[int, int, int]] = []
        self._env = Environment()
        self._policy = policy
        self._running: dict[int, MainJob] = {}
        self._queue = MainQueue(self._env, jobs, processors, self._policy, gate=self._begin, on_end=self._end)
        for outage in outages:
            Moment(self._env, outage.begin, AWAY, partial(self._away, outage))
            Moment(self._env, outage.until, AWAY, lambda _: self._queue.want_pass())

    @property
    def started(self) -> int:
        """How many jobs run, or have run to their ends."""
        return len(self.starts)

    @property
    def passes(self) -> int:
        """How often the policy was asked."""
        return self._queue.passes

    def finish(self, between: Between | None = None) -> Self:
        """Go on to the end; return itself, with all that has come of it."""
        run_out(self._env, between)
        return self

    def _begin(self, job: MainJob) -> bool:
        self.starts[job.id] = int(self._env.now)
        self._running[job.id] = job
        return True

    def _end(self, job: MainJob) -> None:
        del self._running[job.id]

    def _away(self, outage: Outage, _: Event) -> None:
        if outage.kind is Kind.OUTAGE:
            for number in self._policy.hit(outage):
                job = self._running[number]
                self.restarts += 1
                since, now = self.starts.pop(number), int(self._env.now)
                self.lost += job.size * (now - since)
                self.killed.append((since, now, job.size))
                self._queue.interrupt(job)
        self._queue.want_pass()
