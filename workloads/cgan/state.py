"""The whole state of a training, as named parts: what is not here is lost by a move.

The three random generators serve one purpose each: torch's draws the noise, numpy's the order of the data, Python's
the classes of the synthetic images.
"""

import copy
import io
import json
import pickle
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from idleq.workloads.cgan.batches import BatchOrder
from idleq.workloads.cgan.config import TrainConfig
from idleq.workloads.cgan.data import TrainingData
from idleq.workloads.cgan.history import History
from idleq.workloads.cgan.model import Discriminator, Generator, ModelSize
from idleq.workloads.checkpoint import Checkpoint
from idleq.workloads.durable import canonical_json
from idleq.workloads.errors import CheckpointRefused
from idleq.workloads.guest import require_parts

# Adam without momentum in the mean: with a moving opponent, momentum makes the two circle round each other.
ADAM_BETAS = (0.0, 0.9)

MODULE_PARTS = ("generator", "discriminator", "average", "generator_optimiser", "discriminator_optimiser")
PARTS = (*MODULE_PARTS, "torch_random", "numpy_random", "python_random", "data_position", "history")


@dataclass(slots=True, kw_only=True)
class TrainingState:
    """Everything that the next step depends on."""

    step: int
    generator: Generator
    discriminator: Discriminator
    average: Generator
    generator_optimiser: torch.optim.Optimizer
    discriminator_optimiser: torch.optim.Optimizer
    order: BatchOrder
    classes: random.Random
    history: History
    data_digest: str

    @classmethod
    def begin(cls, config: TrainConfig, data: TrainingData) -> Self:
        """The state before the first step; torch's generator is seeded here."""
        torch.manual_seed(config.seed)
        size = ModelSize(latent=config.latent, width=config.width)
        generator, discriminator = Generator(size, data.mask, data.log_quantiles), Discriminator(size)
        return cls(
            step=0,
            generator=generator,
            discriminator=discriminator,
            average=copy.deepcopy(generator).requires_grad_(requires_grad=False).eval(),
            generator_optimiser=torch.optim.Adam(generator.parameters(), config.generator_rate, ADAM_BETAS),
            discriminator_optimiser=torch.optim.Adam(discriminator.parameters(), config.discriminator_rate, ADAM_BETAS),
            order=BatchOrder.begin(events=config.events, batch=config.batch, random=np.random.default_rng(config.seed)),
            classes=random.Random(config.seed),
            history=History(),
            data_digest=data.digest,
        )

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
            **{name: _to_bytes(getattr(self, name).state_dict()) for name in MODULE_PARTS},
            "torch_random": _to_bytes(torch.get_rng_state()),
            "numpy_random": canonical_json(order.random.bit_generator.state),
            "python_random": canonical_json(self.classes.getstate()),
            "data_position": _to_bytes(position),
            "history": canonical_json(self.history.to_dict()),
        }

    def restore(self, checkpoint: Checkpoint) -> None:
        """Become the state in *checkpoint*: every part of it, or CheckpointRefused."""
        require_parts(checkpoint, PARTS)
        try:
            self._restore(checkpoint.parts)
        except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, pickle.UnpicklingError) as error:
            raise CheckpointRefused(
                f"the checkpoint at step {checkpoint.step} does not fit this program: {error}"
            ) from error
        self.step = checkpoint.step

    def _restore(self, parts: Mapping[str, bytes]) -> None:
        for name in MODULE_PARTS:
            getattr(self, name).load_state_dict(_from_bytes(parts[name]))
        torch.set_rng_state(_from_bytes(parts["torch_random"]))
        self.order.random.bit_generator.state = json.loads(parts["numpy_random"])
        version, internal, gauss = json.loads(parts["python_random"])
        self.classes.setstate((version, tuple(internal), gauss))
        self._restore_position(_from_bytes(parts["data_position"]))
        self.history = History(**json.loads(parts["history"]))

    def _restore_position(self, position: Mapping[str, Any]) -> None:
        if position["digest"] != self.data_digest:
            raise CheckpointRefused(
                "the data set is not the one that this training began with; give the same --data, or start again"
            )
        self.order.epoch, self.order.cursor = position["epoch"], position["cursor"]
        self.order.order = position["order"].numpy()


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Move *average* a little towards *model*; the normalisations' statistics are taken over as they are."""
    for mean, current in zip(average.parameters(), model.parameters(), strict=True):
        mean.lerp_(current, 1 - decay)
    for kept, present in zip(average.buffers(), model.buffers(), strict=True):
        kept.copy_(present)


def _to_bytes(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def _from_bytes(content: bytes) -> Any:  # noqa: ANN401 - torch.load has no better type
    # weights_only: a checkpoint is data and must not be able to run code.
    return torch.load(io.BytesIO(content), weights_only=True)
