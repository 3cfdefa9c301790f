"""The state of a training: torch's generator drops features out, numpy's draws the order of the events."""

import copy
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import torch

from idleq.workloads.classifier.config import TrainConfig
from idleq.workloads.classifier.data import TrainingData
from idleq.workloads.classifier.model import Classifier, ModelSize
from idleq.workloads.iact.camera import Camera
from idleq.workloads.training.batches import BatchOrder
from idleq.workloads.training.best import Best
from idleq.workloads.training.device import CPU
from idleq.workloads.training.history import History
from idleq.workloads.training.state import TrainingState


@dataclass(slots=True, kw_only=True)
class ClassifierState(TrainingState):
    """The model, its average, the best average so far, the optimiser."""

    OWN_PARTS: ClassVar[tuple[str, ...]] = ("model", "average", "best", "optimiser")

    model: Classifier
    average: Classifier
    optimiser: torch.optim.Optimizer

    @classmethod
    def begin(cls, config: TrainConfig, data: TrainingData, camera: Camera, device: torch.device = CPU) -> Self:
        """The state on *device* before the first step; torch's generator is seeded here."""
        torch.manual_seed(config.seed)
        model = Classifier(ModelSize(width=config.width), camera).to(device)
        average = copy.deepcopy(model).requires_grad_(requires_grad=False).eval()
        random = np.random.default_rng(config.seed)
        return cls(
            model=model,
            average=average,
            best=Best(average, patience=config.patience),
            optimiser=torch.optim.AdamW(model.parameters(), config.rate, weight_decay=config.decay, fused=True),
            order=BatchOrder.begin(events=2 * config.events, batch=config.batch, random=random),
            history=History(),
            data_digest=data.digest,
            device=device,
        )
