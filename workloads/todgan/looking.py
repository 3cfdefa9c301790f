"""A look at how far a training has come, every so many steps."""

from idleq.workloads.todgan.config import TodTrainConfig
from idleq.workloads.todgan.data import Scale
from idleq.workloads.todgan.selection import distance
from idleq.workloads.todgan.state import TodState
from idleq.workloads.tods.simulation import Tods


def look_at(state: TodState, config: TodTrainConfig, scale: Scale, apart: Tods) -> None:
    """Measure the averaged generator where it is time to, and keep it if it is the best so far."""
    if state.step % config.look_every == 0 or state.step == config.steps:
        state.selection.look(state.average, distance(state.average, scale, apart), state.step)
