"""The site's queue in simulated time: one source of arrivals, bare moments for ends, one pass an instant; no process per job."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from operator import attrgetter

from simpy import Environment
from simpy.events import Event

from idleq.simulator.errors import JobTooLarge
from idleq.simulator.jobs import MainJob
from idleq.simulator.kernel import ARRIVE, END, LATE_END, PASS, SETTLED, Between, Moment, run_out
from idleq.simulator.queueing.policy import Attentive, Policy, Semantics, Slot

Gate = Callable[[MainJob], bool]
"""Told of a job that shall start: whether it may begin at once; if not, MainQueue.begin follows."""


def _open_gate(_: MainJob) -> bool:
    return True


_submit = attrgetter("submit")

_IN_ORDER = 2**-30
"""Of the ranks of two jobs' ends, one started after the other: so small that no number of jobs makes another rank of it."""


def _ignore(_: MainJob) -> None:
    """Nobody wants to know."""


class MainQueue:
    """Runs a stream of jobs, sorted by submit time, on a number of processors under a policy.

    *has_nodes*: the gate looks for the nodes of a job, which therefore have to be free when it is asked.

    Attributes:
        free: processors that no job holds.
        waiting: the jobs that have come in and hold nothing, first come first.
        running: the jobs that hold processors, by the end of their limits.
        passes: how often the policy was asked.
    """

    def __init__(
        self,
        env: Environment,
        jobs: Iterable[MainJob],
        processors: int,
        policy: Policy,
        *,
        semantics: Semantics = Semantics.PER_TIMESTAMP,
        has_nodes: bool = False,
        gate: Gate = _open_gate,
        on_end: Callable[[MainJob], None] = _ignore,
        on_change: Callable[[], None] | None = None,
    ) -> None:
        self.free = processors
        self.waiting: list[MainJob] = []
        self.running: list[Slot] = []
        self.passes = 0
        self._env = env
        self._source: Iterator[MainJob] = iter(jobs)
        self._processors = processors
        self._policy = policy
        self._per_event = semantics is Semantics.PER_EVENT
        self._asks_late = self._per_event and has_nodes
        self._gate = gate
        self._on_end = on_end
        self._on_change = on_change
        self._attentive = policy if isinstance(policy, Attentive) else None
        self._wake: int | None = None
        self._slots: dict[int, Slot] = {}
        self._interrupted: set[Slot] = set()
        self._held: dict[int, Slot] = {}
        self._starts = 0
        self._pass_at: int | None = None
        self._next = next(self._source, None)
        self._await_arrival()

    def begin(self, job: MainJob) -> None:
        """Let *job*, which the gate had kept back, run from now on."""
        held = self._held.pop(job.id)
        self._remove(held)
        slot = (int(self._env.now) + job.limit, held[1], held[2])
        insort(self.running, slot)
        if self._attentive:
            self._slots[job.id] = slot
            self._attentive.begun(job, int(self._env.now))
        Moment(self._env, job.run, self._end_rank(slot), partial(self._end, job, slot))

    def interrupt(self, job: MainJob) -> None:
        """Let *job*, which runs under a policy with a memory, begin anew: back in the queue where it came in."""
        assert self._attentive is not None
        slot = self._slots[job.id]
        if self._held.pop(job.id, None) is None:
            # One that was kept back has no end that is to be left out.
            self._interrupted.add(slot)
        self._remove(slot)
        self.free += job.size
        self._on_end(job)
        self._attentive.ended(job, int(self._env.now))
        insort(self.waiting, job, key=_submit)
        self.want_pass()

    def _await_arrival(self) -> None:
        if self._next is not None:
            Moment(self._env, self._next.submit - int(self._env.now), ARRIVE, self._arrive)

    def _arrive(self, _: Event) -> None:
        now = self._env.now
        while (job := self._next) is not None and job.submit <= now:
            self._next = next(self._source, None)
            if job.size > self._processors:
                raise JobTooLarge(f"main job {job.id} asks for {job.size} of {self._processors} processors")
            self.waiting.append(job)
            if self._per_event:
                self._pass_per_event(0 if self._attentive else job.size)
            elif job.size <= self.free or self._attentive:
                self.want_pass()
        if self._on_change is not None:
            self._on_change()
        self._await_arrival()

    def _end_rank(self, slot: Slot) -> float:
        """Return when in its instant a job ends: per event they do so in the order of their starts, whoever was kept back."""
        return LATE_END + slot[1] * _IN_ORDER if self._per_event else LATE_END

    def _end(self, job: MainJob, slot: Slot, _: Event) -> None:
        if self._interrupted and slot in self._interrupted:
            self._interrupted.discard(slot)
            return
        self._remove(slot)
        self.free += job.size
        self._on_end(job)
        if self._attentive:
            del self._slots[job.id]
            self._attentive.ended(job, int(self._env.now))
        if self._per_event:
            self._pass_per_event(0)
        elif self.waiting:
            self.want_pass()

    def _remove(self, slot: Slot) -> None:
        del self.running[bisect_left(self.running, slot)]

    def want_pass(self) -> None:
        """Ask the policy once everything of this instant is in."""
        now = int(self._env.now)
        if self._pass_at != now:
            self._pass_at = now
            Moment(self._env, 0, PASS, self._pass)

    def _pass(self, _: Event) -> None:
        self._pass_at = None
        now = int(self._env.now)
        self._start(self._policy(self.waiting, self.free, self.running, now), now)

    def _pass_per_event(self, needed: int) -> None:
        """Make a pass in which jobs whose limit ends now are gone already, unless *needed* is more than is free then."""
        now = int(self._env.now)
        running = self.running
        due = bisect_left(running, (now + 1, 0, 0))
        free = self.free
        if due:
            held = set(self._held.values())
            kept_back = [slot for slot in running[:due] if slot in held] if held else []
            free += sum(slot[2] for slot in running[:due]) - sum(slot[2] for slot in kept_back)
            running = kept_back + running[due:]
        if self.waiting and needed <= free:
            self._start(self._policy(self.waiting, free, running, now), now)

    def _await_wake(self, at: int | None, now: int) -> None:
        if at is not None and at > now and at != self._wake:
            self._wake = at
            Moment(self._env, at - now, END, self._woken)

    def _woken(self, _: Event) -> None:
        if self._wake != self._env.now:
            return  # an earlier one was asked for meanwhile, or a later one
        self._wake = None
        if self.waiting:
            self.want_pass()

    def _start(self, places: list[int], now: int) -> None:
        self.passes += 1
        waiting = self.waiting
        chosen = [waiting[place] for place in places]
        if len(places) == 1:
            del waiting[places[0]]
        else:
            for place in sorted(places, reverse=True):
                del waiting[place]
        for job in chosen:
            self._starts += 1
            slot = (now + job.limit, self._starts, job.size)
            insort(self.running, slot)
            self.free -= job.size
            if self._asks_late:
                # Main jobs and guests that end in this instant have yet to give back what it may begin on.
                self._held[job.id] = slot
                Moment(self._env, 0, SETTLED, partial(self._settle, job))
            elif self._gate(job):
                Moment(self._env, job.run, self._end_rank(slot), partial(self._end, job, slot))
            else:
                self._held[job.id] = slot
            if self._attentive:
                self._slots[job.id] = slot
                self._attentive.started(job, now)
                if job.id in self._held:
                    self._attentive.kept_back(job)
        if self._attentive:
            self._await_wake(self._attentive.wake_at(), now)
        if self._on_change is not None:
            self._on_change()

    def _settle(self, job: MainJob, _: Event) -> None:
        if self._gate(job):
            self.begin(job)


class QueueRun:
    """Runs *jobs* on *processors* when nothing but the queue decides; can be left between two events.

    Attributes:
        starts: when each job has started.
    """

    def __init__(
        self,
        jobs: Iterable[MainJob],
        processors: int,
        policy: Policy,
        semantics: Semantics = Semantics.PER_TIMESTAMP,
    ) -> None:
        env = self._env = Environment()
        starts = self.starts = dict[int, int]()

        def note(job: MainJob) -> bool:
            starts[job.id] = int(env.now)
            return True

        self._queue = MainQueue(env, jobs, processors, policy, semantics=semantics, gate=note)

    @property
    def started(self) -> int:
        """How many jobs have started."""
        return len(self.starts)

    def finish(self, between: Between | None = None) -> tuple[dict[int, int], int]:
        """Go on to the end; return when each job started, and how many passes that took."""
        run_out(self._env, between)
        return self.starts, self._queue.passes


def replay(
    jobs: Iterable[MainJob], processors: int, policy: Policy, semantics: Semantics = Semantics.PER_TIMESTAMP
) -> dict[int, int]:
    """Return when each of *jobs* starts when nothing but the queue decides."""
    return QueueRun(jobs, processors, policy, semantics).finish()[0]
