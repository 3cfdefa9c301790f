"""The loop of every training: go on from a checkpoint, step, report, and leave when asked to."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from idleq.workloads.contract import EXIT_DONE, EXIT_SAVED
from idleq.workloads.errors import CheckpointRefused
from idleq.workloads.guest import Guest, require_parts
from idleq.workloads.progress import progress_bar
from idleq.workloads.training.events import events_in

if TYPE_CHECKING:
    from idleq.workloads.checkpoint import Checkpoint
    from idleq.workloads.training.state import TrainingState

# A part of every checkpoint: whether the data set was still being made (then there is no other state yet).
PHASE = "phase"
MAKING_DATA = b"data"
TRAINING = b"training"


class Schedule(Protocol):
    """The settings of a training that its loop goes by."""

    @property
    def steps(self) -> int: ...
    @property
    def report_every(self) -> int: ...


def stopping(guest: Guest, checkpoint: "Checkpoint | None") -> Callable[[], bool]:
    """Whether to leave while data is made or read; what *checkpoint* holds is saved again as it was then."""
    step, parts = (0, {PHASE: MAKING_DATA}) if checkpoint is None else (checkpoint.step, checkpoint.parts)
    return lambda: not guest.may_go_on(step, lambda: parts)


def go_on_from(state: "TrainingState", checkpoint: "Checkpoint | None") -> None:
    """*state*, which is at its beginning, becomes exactly that of the checkpoint, if there is one."""
    if checkpoint is None:
        return
    require_parts(checkpoint, (PHASE,))
    if checkpoint.parts[PHASE] == TRAINING:
        state.restore(checkpoint)
    elif checkpoint.parts[PHASE] != MAKING_DATA:
        raise CheckpointRefused(f"the checkpoint at step {checkpoint.step} is of an unknown phase")


def train_to_end(
    guest: Guest,
    state: "TrainingState",
    schedule: Schedule,
    take_step: Callable[[], dict[str, float]],
    results: Callable[[], Iterable[None]],
) -> int:
    """The loop, then the *results*, which are not asked for before; the exit code of either's end."""
    is_done = train(guest, state, schedule, take_step) and finish(guest, state, results())
    return EXIT_DONE if is_done else EXIT_SAVED


def train(guest: Guest, state: "TrainingState", schedule: Schedule, take_step: Callable[[], dict[str, float]]) -> bool:
    """Take steps until there are as many as wanted, or nothing better is waited for; False = asked to leave, and saved.

    *take_step* advances `state.step` by one and gives the step's metrics.
    """
    steps = schedule.steps
    state.say_where()
    events = events_in(guest.output, state.history.reports)
    with progress_bar("training", steps) as advance:
        advance(state.step)
        while guest.may_go_on(state.step, lambda: {PHASE: TRAINING, **state.parts()}):
            if state.step >= steps or state.best.is_over:
                return True
            metrics = take_step()
            state.history.add(state.step, metrics)
            advance(1)
            if state.step % schedule.report_every == 0 or state.step == steps or state.best.is_over:
                means = state.history.report(state.step)
                guest.report(state.step, steps, means)
                events.add(state.step, means)
    return False


def finish(guest: Guest, state: "TrainingState", pieces: Iterable[None]) -> bool:
    """Work through the *pieces* of writing the results; False = asked to leave between two of them, and saved.

    On a busy machine all of them together can take longer than a closing gap leaves; the next segment does them again.
    """
    for _ in pieces:
        if not guest.may_go_on(state.step, lambda: {PHASE: TRAINING, **state.parts()}):
            return False
    guest.finish()
    return True
