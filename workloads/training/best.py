"""The best weights so far by a figure on data that is not trained on, and when to stop waiting for better ones."""

import copy
import math
from collections.abc import Mapping
from typing import Any, TypeVar

from torch import Tensor, nn

AnyModule = TypeVar("AnyModule", bound=nn.Module)


class Best:
    """The weights with the lowest figure, and every look that was taken; itself a part of the state."""

    def __init__(self, model: nn.Module, *, patience: int) -> None:
        self.patience = patience
        self.figure = math.inf
        self.step = 0
        self.curve: list[tuple[int, float]] = []
        self.weights = _copied(model.state_dict())

    def look(self, model: nn.Module, figure: float, step: int) -> None:
        """Take *model* if *figure* is lower than any before; a figure that is no number never is.

        The first is taken in any case: whatever it is, what has learned nothing is no better.
        """
        if figure < self.figure or not self.curve:
            self.figure, self.step = min(self.figure, figure), step
            self.weights = _copied(model.state_dict())
        self.curve.append((step, figure))

    @property
    def is_over(self) -> bool:
        """Whether nothing better has come for so long that nothing will."""
        return math.isfinite(self.figure) and sum(step > self.step for step, _ in self.curve) >= self.patience

    def model(self, like: AnyModule) -> AnyModule:
        """A copy of *like* with these weights."""
        chosen = copy.deepcopy(like)
        chosen.load_state_dict(self.weights)
        return chosen

    def state_dict(self) -> dict[str, Any]:
        """Plain values and tensors, for a checkpoint."""
        return {
            "figure": self.figure,
            "step": self.step,
            "curve": self.curve,
            "weights": self.weights,
        }

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Become what `state_dict` gave."""
        if state["weights"].keys() != self.weights.keys():
            raise ValueError("the best weights are of another model")
        self.weights = dict(state["weights"])
        self.figure, self.step, self.curve = state["figure"], state["step"], list(state["curve"])


def _copied(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in weights.items()}
