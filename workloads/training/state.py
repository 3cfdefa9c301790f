"""The whole state of a training, as named parts: what is not here is lost by a move.

Parts hold tensors of the CPU, wherever the training is: one that began on a GPU goes on on a node without, and the other way
round; exactly where the device is of the same kind and every operation has a form there that repeats.
"""

import copy
import io
import json
import pickle
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor

from idleq.workloads.checkpoint import Checkpoint
from idleq.workloads.durable import canonical_json
from idleq.workloads.errors import CheckpointRefused
from idleq.workloads.guest import require_parts
from idleq.workloads.training.batches import BatchOrder
from idleq.workloads.training.best import Best
from idleq.workloads.training.device import CPU, name_of
from idleq.workloads.training.history import History

COMMON_PARTS = ("torch_random", "numpy_random", "data_position", "history")


class Stateful(Protocol):
    """A model, an optimiser, or whatever else a step changes."""

    def state_dict(self) -> Any: ...  # noqa: ANN401 - torch's own classes give different mappings
    def load_state_dict(self, state_dict: Any, /) -> Any: ...  # noqa: ANN401 - as above


class Choices(random.Random):
    """Python's generator, whose place can be saved."""

    def state_dict(self) -> dict[str, Any]:
        """Its place."""
        return {"state": self.getstate()}

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Go to that place."""
        self.setstate(state["state"])


@dataclass(slots=True, kw_only=True)
class TrainingState:
    """Everything that the next step depends on. A training adds fields of its own and names them in *OWN_PARTS*."""

    OWN_PARTS: ClassVar[tuple[str, ...]] = ()

    step: int = 0
    best: Best
    order: BatchOrder
    history: History
    data_digest: str
    device: torch.device = CPU

    @classmethod
    def part_names(cls) -> tuple[str, ...]:
        """Every part, in a fixed order."""
        return (*cls.OWN_PARTS, *COMMON_PARTS)

    def parts(self) -> dict[str, bytes]:
        """The state as named parts of a checkpoint."""
        order = self.order
        position = {
            "epoch": order.epoch,
            "cursor": order.cursor,
            "order": torch.from_numpy(order.order),
            "digest": self.data_digest,
        }
        return {
            **{name: _to_bytes(self._own(name).state_dict()) for name in self.OWN_PARTS},
            "torch_random": _to_bytes(torch.get_rng_state()),
            "numpy_random": canonical_json(order.random.bit_generator.state),
            "data_position": _to_bytes(position),
            "history": canonical_json(self.history.to_dict()),
        }

    def say_where(self) -> None:
        """Put the device into the history, before the first step on it."""
        self.history.computed_on(name_of(self.device))

    def restore(self, checkpoint: Checkpoint) -> None:
        """Become the state in *checkpoint*: every part of it, or CheckpointRefused."""
        require_parts(checkpoint, self.part_names())
        try:
            self._restore(checkpoint.parts)
        except (RuntimeError, ValueError, LookupError, TypeError, AttributeError, pickle.UnpicklingError) as error:
            raise CheckpointRefused(
                f"the checkpoint at step {checkpoint.step} does not fit this program: {error}"
            ) from error
        self.step = checkpoint.step

    def _restore(self, parts: Mapping[str, bytes]) -> None:
        for name in self.OWN_PARTS:
            self._own(name).load_state_dict(_from_bytes(parts[name]))
        torch.set_rng_state(_from_bytes(parts["torch_random"]))
        self.order.random.bit_generator.state = json.loads(parts["numpy_random"])
        self._restore_position(_from_bytes(parts["data_position"]))
        self.history = History(**json.loads(parts["history"]))

    def _restore_position(self, position: Mapping[str, Any]) -> None:
        if position["digest"] != self.data_digest:
            raise CheckpointRefused(
                "the data set is not the one that this training began with; give the same --data or --images, or start again"
            )
        self.order.epoch, self.order.cursor = position["epoch"], position["cursor"]
        self.order.order = position["order"].numpy()

    def _own(self, name: str) -> Stateful:
        part: Stateful = getattr(self, name)
        return part


def _to_bytes(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(_on_cpu(value), buffer)
    return buffer.getvalue()


def _on_cpu(value: object) -> object:
    """*value* with every tensor in it on the CPU; what is there already is not copied."""
    if isinstance(value, Tensor):
        return value.cpu()
    if isinstance(value, dict):
        moved = copy.copy(value)  # of its own kind, with what a model's has beside its keys
        moved.update({key: _on_cpu(one) for key, one in value.items()})
        return moved
    if isinstance(value, list | tuple):
        return type(value)(_on_cpu(one) for one in value)
    return value


def _from_bytes(content: bytes) -> Any:  # noqa: ANN401 - torch.load has no better type
    # weights_only: a checkpoint is data and must not be able to run code.
    return torch.load(io.BytesIO(content), weights_only=True)
