"""When guests came in and when they were done."""

from dataclasses import dataclass, field

from idleq.ids import EntryId, JobId, Millis, entry_of
from idleq.scheduler.core.facts import EntryAdded, Fact, JobDone
from idleq.scheduler.core.submission import JobSpec
from idleq.simulator.costs import GuestCosts
from idleq.simulator.events import MainStarted
from idleq.simulator.jobs import MainJob


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestTime:
    """A guest that is done; *run_ms* is how long it would have run with a machine of its own."""

    submitted: Millis
    done: Millis
    run_ms: Millis

    @property
    def turnaround_ms(self) -> Millis:
        """From submit to the end."""
        return Millis(self.done - self.submitted)

    @property
    def stretch(self) -> float:
        """The turnaround over the run time."""
        return self.turnaround_ms / max(1, self.run_ms)


@dataclass(slots=True)
class GuestTimes:
    """Listens to an experiment.

    Attributes:
        costs: for how long guests run.
        came: when guests came in, and how many of them together.
        done: those that are done.
    """

    costs: GuestCosts
    came: list[tuple[Millis, int]] = field(default_factory=list)
    done: list[GuestTime] = field(default_factory=list)
    _entries: dict[EntryId, tuple[Millis, JobSpec]] = field(default_factory=dict)

    def saw_start(self, _at: Millis, _started: MainStarted, /) -> None:
        """Nothing: it is no guest."""

    def saw_kill(self, _at: Millis, _job: MainJob, /) -> None:
        """Nothing: it is no guest."""

    def saw_facts(self, at: Millis, facts: tuple[Fact, ...], /) -> None:
        """Note a guest that comes in or is done."""
        for fact in facts:
            self._saw(at, fact)

    def _saw(self, at: Millis, fact: Fact) -> None:
        match fact:
            case EntryAdded(submission=submission):
                self._entries[fact.entry] = at, submission.spec
                self.came.append((at, 1 if submission.array is None else len(submission.array)))
            case JobDone():
                self._note_done(fact.job, fact.ended_at)
            case _:
                pass

    def _note_done(self, job: JobId, at: Millis) -> None:
        submitted, spec = self._entries[entry_of(job)]
        self.done.append(GuestTime(submitted=submitted, done=at, run_ms=self.costs.run_of(spec)))

    def between(self, since: Millis, until: Millis) -> tuple[int, list[GuestTime]]:
        """Return how many guests came in from *since* until *until*, and those of them that were done by then."""
        count = sum(many for at, many in self.came if since <= at < until)
        done = [one for one in self.done if since <= one.submitted and one.done <= until]
        return count, done
