"""Which fact may meet a job in which state, and what state it is in then: the only such table.

`scripts/lifecycle-diagram` draws docs/explanation/lifecycle.md from it.
"""

from idleq.errors import IdleqError
from idleq.scheduler.core.facts import (
    FreezeAsked,
    FreezeGivenUp,
    JobDone,
    JobFailed,
    JobHeldBack,
    JobLetGo,
    JobWithdrawn,
    KillAsked,
    MoveEased,
    PlanMoved,
    SegmentFailed,
    SegmentFrozen,
    SegmentLost,
    SegmentProgressed,
    SegmentRunning,
    SegmentStarted,
    SnapshotDropped,
)
from idleq.scheduler.core.job import (
    Cancelled,
    Delayed,
    Done,
    Failed,
    Freezing,
    Held,
    Job,
    JobState,
    Killing,
    Queued,
    Running,
    Starting,
    Waiting,
)

WithinFact = SegmentRunning | SegmentProgressed | PlanMoved | FreezeAsked | FreezeGivenUp | KillAsked
"""What happens within a segment that goes on."""

PassageFact = (
    SegmentStarted
    | SegmentFrozen
    | SegmentLost
    | SegmentFailed
    | SnapshotDropped
    | JobDone
    | JobFailed
    | JobHeldBack
    | JobLetGo
    | JobWithdrawn
    | MoveEased
)
"""What begins or ends a segment, or changes who may start."""

JobFact = WithinFact | PassageFact

# State, what happens -> the states that may follow (the fact's own fields say which one).
TRANSITIONS: dict[tuple[type[JobState], type[JobFact]], tuple[type[JobState], ...]] = {
    (Waiting, JobHeldBack): (Held,),
    (Waiting, JobLetGo): (Queued,),
    (Waiting, JobWithdrawn): (Cancelled,),
    (Queued, SegmentStarted): (Starting,),
    (Queued, JobHeldBack): (Held,),
    (Queued, JobWithdrawn): (Cancelled,),
    (Queued, MoveEased): (Queued,),
    (Delayed, JobLetGo): (Queued,),
    (Delayed, JobHeldBack): (Held,),
    (Delayed, JobWithdrawn): (Cancelled,),
    (Held, JobLetGo): (Queued, Waiting),
    (Held, JobWithdrawn): (Cancelled,),
    (Starting, SegmentRunning): (Running,),
    (Starting, PlanMoved): (Starting,),
    (Running, SegmentProgressed): (Running,),
    (Running, PlanMoved): (Running,),
    (Freezing, SegmentProgressed): (Freezing,),
    (Freezing, SegmentRunning): (Freezing,),
    (Freezing, FreezeGivenUp): (Running,),
    (Killing, SegmentRunning): (Killing,),
    (Killing, SegmentProgressed): (Killing,),
    # Freezing and killing can be asked for as soon as there is a segment.
    **{(state, FreezeAsked): (Freezing,) for state in (Starting, Running, Freezing)},
    **{(state, KillAsked): (Killing,) for state in (Starting, Running, Freezing)},
    # A segment ends; the news of its start may have been lost.
    **{(state, SegmentFrozen): (Queued, Delayed, Held) for state in (Starting, Running, Freezing)},
    **{(state, SegmentLost): (Queued, Delayed, Held) for state in (Starting, Running, Freezing)},
    **{(state, SegmentFailed): (Delayed, Held) for state in (Starting, Running, Freezing)},
    **{(state, JobDone): (Done,) for state in (Starting, Running, Freezing)},
    **{(state, JobFailed): (Failed,) for state in (Starting, Running, Freezing, Killing)},
    (Killing, JobWithdrawn): (Cancelled,),
    # A snapshot did not verify, or somebody wants it to be gone.
    **{(state, SnapshotDropped): (state,) for state in (Queued, Held, Delayed, Starting, Running, Freezing, Killing)},
    **{(state, SnapshotDropped): (state,) for state in (Done, Failed, Cancelled)},
    # Late news of a segment that was given up, as long as no newer one has started.
    **{(state, SegmentFrozen): (state,) for state in (Queued, Delayed, Held)},
    **{(state, JobDone): (Done,) for state in (Queued, Delayed, Held)},
}


class IllegalTransition(IdleqError):
    """A fact met a job in a state in which it cannot happen: the journal is damaged, or idleq has a fault."""


def may_follow(state: JobState, fact: type[JobFact]) -> bool:
    """Whether *fact* can happen to a job in *state*."""
    return (type(state), fact) in TRANSITIONS


def check(job: Job, fact: JobFact, following: JobState) -> None:
    """Refuse a step that the table does not have.

    Raises:
        IllegalTransition: naming the job, its state, the fact and the state that was to follow.
    """
    allowed = TRANSITIONS.get((type(job.state), type(fact)), ())
    if type(following) not in allowed:
        step = f"{type(job.state).__name__} -> {type(following).__name__}: {type(fact).__name__}"
        msg = f"job {job.id} cannot go {step}"
        raise IllegalTransition(msg)
