"""The state of a training: torch's generator draws the codes, numpy's the order of the data."""

import copy
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import torch

from idleq.workloads.cvae.config import TrainConfig
from idleq.workloads.cvae.data import TrainingData
from idleq.workloads.cvae.model import Model, ModelSize
from idleq.workloads.cvae.variants import build
from idleq.workloads.training.batches import BatchOrder
from idleq.workloads.training.best import Best
from idleq.workloads.training.device import CPU
from idleq.workloads.training.history import History
from idleq.workloads.training.state import TrainingState


@dataclass(slots=True, kw_only=True)
class VaeState(TrainingState):
    """The model, its average, the best average so far, the optimiser."""

    OWN_PARTS: ClassVar[tuple[str, ...]] = ("model", "average", "best", "optimiser")

    model: Model
    average: Model
    optimiser: torch.optim.Optimizer

    @classmethod
    def begin(cls, config: TrainConfig, data: TrainingData, device: torch.device = CPU) -> Self:
        """The state on *device* before the first step; torch's generator is seeded here."""
        torch.manual_seed(config.seed)
        model = build(ModelSize.of(config), data.log_quantiles).to(device)
        average = copy.deepcopy(model).requires_grad_(requires_grad=False).eval()
        random = np.random.default_rng(config.seed)
        return cls(
            model=model,
            average=average,
            best=Best(average, patience=config.patience),
            optimiser=torch.optim.Adam(model.parameters(), config.rate, fused=True),
            order=BatchOrder.begin(events=config.trained_on, batch=config.batch, random=random),
            history=History(),
            data_digest=data.digest,
            device=device,
        )
