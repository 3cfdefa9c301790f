"""The main queue of a machine with outages: what fails takes its jobs along, and they come back to the queue."""

from collections.abc import Callable, Sequence
from functools import partial

from simpy import Environment
from simpy.events import Event

from idleq.simulator.jobs import MainJob
from idleq.simulator.kernel import AWAY, Moment
from idleq.simulator.outages import Kind, Outage
from idleq.simulator.queueing.around import Around
from idleq.simulator.queueing.main_queue import MainQueue


class OutageRun:
    """Runs *jobs* to their ends; read *starts*, *restarts* and *lost* afterwards.

    Attributes:
        starts: when each job began the run that it finished.
        restarts: how often jobs were killed and began anew.
        lost: the processor-seconds that they had run for nothing.
        passes: how often the policy was asked.
    """

    def __init__(
        self,
        jobs: Sequence[MainJob],
        processors: int,
        outages: Sequence[Outage],
        depth: int | None,
        on_start: Callable[[MainJob], None] | None = None,
    ) -> None:
        self.starts: dict[int, int] = {}
        self.restarts = 0
        self.lost = 0
        self._env = Environment()
        self._policy = Around(processors, outages, depth)
        self._on_start = on_start
        self._running: dict[int, MainJob] = {}
        self._queue = MainQueue(self._env, jobs, processors, self._policy, gate=self._begin, on_end=self._end)
        for outage in outages:
            Moment(self._env, outage.begin, AWAY, partial(self._away, outage))
            Moment(self._env, outage.until, AWAY, lambda _: self._queue.want_pass())
        self._env.run()
        self.passes = self._queue.passes

    def _begin(self, job: MainJob) -> bool:
        self.starts[job.id] = int(self._env.now)
        self._running[job.id] = job
        if self._on_start is not None:
            self._on_start(job)
        return True

    def _end(self, job: MainJob) -> None:
        del self._running[job.id]

    def _away(self, outage: Outage, _: Event) -> None:
        if outage.kind is Kind.OUTAGE:
            for number in self._policy.hit(outage):
                job = self._running[number]
                self.restarts += 1
                self.lost += job.size * (int(self._env.now) - self.starts.pop(number))
                self._queue.interrupt(job)
        self._queue.want_pass()
