"""A look at how far a training has come, every so many steps: how near it is to TODs that were set apart for that."""

import numpy as np
import torch

from idleq.workloads.todgan.config import TodTrainConfig
from idleq.workloads.todgan.data import Scale
from idleq.workloads.todgan.models import Generator
from idleq.workloads.todgan.sampling import sample
from idleq.workloads.todgan.state import TodState
from idleq.workloads.todjudge.figures import TARGETS, Classes, measure, measure_class
from idleq.workloads.tods.simulation import Tods

# Random numbers of its own: how often a training looks must not change what it learns.
SEED = 20_261_126

LOOKED_AT = ("spectrum", "amplitude_ks")


def look_at(state: TodState, config: TodTrainConfig, scale: Scale, apart: Tods) -> None:
    """Measure the averaged generator where it is time to, and keep it if it is the best so far."""
    if state.step % config.look_every == 0 or state.step == config.steps:
        state.best.look(state.average, round(distance(state.average, scale, apart), 6), state.step)


def distance(generator: Generator, scale: Scale, truth: Tods) -> float:
    """How far a generator is from *truth*: the mean over its figures, each in units of its target; lower is better."""
    made = sample(generator, scale, truth.hits, torch.Generator().manual_seed(SEED))
    if generator.is_conditional:
        ours, theirs = Classes.asked(made, truth.hits), Classes.asked(truth.tods, truth.hits)
        measured = list(measure(ours, theirs, LOOKED_AT).values())
    else:
        measured = [measure_class(made, truth.tods, "1", LOOKED_AT)]
    shares = [values[name] / TARGETS[name][1] for values in measured for name in LOOKED_AT if values[name] is not None]
    return float(np.mean(shares)) if shares and np.isfinite(shares).all() else float("inf")
