"""Which weights of a training are kept: those that were nearest to TODs which were set apart for that."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from idleq.workloads.todgan.data import Scale
from idleq.workloads.todgan.models import Generator
from idleq.workloads.todgan.sampling import sample
from idleq.workloads.todjudge.figures import TARGETS, Classes, measure, measure_class
from idleq.workloads.tods.simulation import Tods

# Random numbers of its own: how often a training looks must not change what it learns.
SEED = 20_261_126

LOOKED_AT = ("spectrum", "amplitude_ks")


class Selection:
    """The weights with the lowest figure so far, and all figures; itself a part of the state."""

    def __init__(self, model: nn.Module, *, patience: int) -> None:
        self.patience = patience
        self.looks: list[list[float]] = []  # step and figure
        self.weights = _copied(model.state_dict())

    @property
    def best(self) -> list[float] | None:
        """Step and figure of the best look."""
        return min(self.looks, key=lambda look: look[1], default=None)

    @property
    def is_over(self) -> bool:
        """Whether nothing better has come for so long that nothing will; never before there is a figure at all."""
        best = self.best
        if best is None or not np.isfinite(best[1]):
            return False
        return sum(step > best[0] for step, _ in self.looks) >= self.patience

    def look(self, model: nn.Module, figure: float, step: int) -> None:
        """Take *model* if *figure* is lower than any before."""
        best = self.best
        if best is None or figure < best[1]:
            self.weights = _copied(model.state_dict())
        self.looks.append([float(step), round(figure, 6)])

    def state_dict(self) -> dict[str, Any]:
        """Plain values and tensors, for a checkpoint."""
        return {"looks": self.looks, "weights": self.weights}

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Become what `state_dict` gave."""
        if state["weights"].keys() != self.weights.keys():
            raise ValueError("the selected weights are of another model")
        self.looks, self.weights = [list(look) for look in state["looks"]], dict(state["weights"])

    def model(self, like: nn.Module) -> nn.Module:
        """A copy of *like* with the selected weights."""
        chosen = copy.deepcopy(like)
        chosen.load_state_dict(self.weights)
        return chosen


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


def _copied(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in weights.items()}
