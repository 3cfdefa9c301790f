"""What a finished training leaves besides its weights: samples, a summary, the loss curve, a page of images, a card."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from idleq.workloads.cgan.config import TrainConfig, Variant
from idleq.workloads.cgan.data import TrainingData
from idleq.workloads.cgan.sampling import sample
from idleq.workloads.cgan.state import GanState
from idleq.workloads.cgan.weights import WEIGHTS_FILE, save_generator
from idleq.workloads.iact.camera import Camera
from idleq.workloads.iact.dataset import CLASSES
from idleq.workloads.iact.samples import sample_classes, write_samples
from idleq.workloads.training.card import ModelCard, write_card
from idleq.workloads.training.curves import draw_curves


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the card and the loss curve say of a variant."""

    makes: str
    source: str  # how it differs from the paper
    limits: Sequence[str] = ()
    loss: str  # the discriminator's
    level: float  # at which made and true images cannot be told apart


TOLD = {
    Variant.BELL: Told(
        makes="the light of gamma showers",
        source="with showers as bells, and an adversary that is told what tells showers apart",
        limits=(
            "It draws smooth shapes: nothing here says anything of islands in real images.",
            "Night sky, trigger and cleaning are known rules and are applied, not learnt: another camera needs its own.",
            "Images whose measured size is not of their class are drawn again.",
        ),
        loss="logistic",
        level=2 * math.log(2),
    ),
    Variant.CONVOLUTIONAL: Told(
        makes="cleaned camera images of gamma showers", source="sized for one CPU core", loss="hinge", level=2.0
    ),
}


def write_results(output: Path, config: TrainConfig, data: TrainingData, state: GanState) -> Iterator[None]:
    """Write everything, piece by piece; all of it is the same on every run."""
    generator = state.best.model(state.average)
    save_generator(generator, config.model, output / WEIGHTS_FILE)
    yield
    camera = Camera.load()
    classes = sample_classes()
    drawn = sample(generator, classes, torch.Generator().manual_seed(config.seed))
    yield
    parameters = {
        name: sum(values.numel() for values in getattr(state, name).parameters())
        for name in ("generator", "discriminator")
    }
    figures = {
        "steps": state.step,
        "epochs": state.order.epoch,
        "best_step": state.best.step,
        "best_distance": round(state.best.figure, 4),
        "last_report": state.history.reports[-1],
        "of_their_class_at_first": round(drawn.first, 4),
    }
    told = TOLD[config.variant]
    write_samples(
        output,
        camera,
        real=[data.images[data.classes.cpu() == index].numpy() for index in range(CLASSES)],
        images=drawn.images,
        classes=classes,
        summary={**figures, "parameters": parameters},
        losses=draw_curves(
            state.history.reports,
            {"discriminator_loss": "discriminator", "generator_loss": "generator"},
            title=f"Training: at {told.level:.3g} (dotted) the discriminator cannot tell",
            ylabel=f"{told.loss} loss",
            level=told.level,
        ),
    )
    write_card(output, _card(config, data, state, parameters, figures))


def _card(
    config: TrainConfig, data: TrainingData, state: GanState, parameters: dict[str, int], figures: dict[str, Any]
) -> ModelCard:
    told = TOLD[config.variant]
    return ModelCard(
        name="Conditional GAN for TAIGA-IACT images",
        what=f"A generator of {told.makes}, asked for one of ten classes of size.",
        source=f"arXiv:2211.15807, {told.source}",
        weights=WEIGHTS_FILE,
        parameters=parameters,
        settings=config.identity(),
        devices=state.history.devices,
        data={"digest": data.digest, "events": config.events, **data.origin.told()},
        figures=figures,
        limits=(
            data.origin.limit,
            *told.limits,
            "Its figures are those of evaluate-images; nothing here says how good the images are.",
        ),
    )
