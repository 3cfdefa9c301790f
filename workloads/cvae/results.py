"""What a finished training leaves: weights, samples, a summary, the loss curve, a page of images, a card."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from idleq.workloads.cvae.config import TrainConfig, Variant
from idleq.workloads.cvae.data import TrainingData
from idleq.workloads.cvae.model import ModelSize
from idleq.workloads.cvae.sampling import sample
from idleq.workloads.cvae.state import VaeState
from idleq.workloads.cvae.weights import WEIGHTS_FILE, save_model
from idleq.workloads.iact.camera import Camera
from idleq.workloads.iact.dataset import CLASSES
from idleq.workloads.iact.samples import sample_classes, write_samples
from idleq.workloads.training.card import ModelCard, write_card
from idleq.workloads.training.curves import draw_curves


@dataclass(frozen=True)
class Told:
    """What the card says of a variant."""

    what: str
    source: str
    limit: str


TOLD = {
    Variant.BELL: Told(
        what="A decoder of expected light, shape times size, and a prior of its codes given the size.",
        source="arXiv:2211.12553, with a learnt prior and the likelihood of the recorded counts",
        limit="Night sky, trigger and cleaning are known rules and are applied, not learnt: another camera needs its own.",
    ),
    Variant.PLAIN: Told(
        what="A decoder of the recorded image, shape times size, by convolutions; its codes are normal.",
        source="arXiv:2211.12553 as far as it is known",
        limit="It is a baseline for the variant bell, and no good source of images.",
    ),
}


def write_results(output: Path, config: TrainConfig, data: TrainingData, state: VaeState) -> Iterator[None]:
    """Write everything, piece by piece; all of it is the same on every run."""
    camera, classes, model = Camera.load(), sample_classes(), state.best.model(state.average)
    parameters = {
        name: sum(values.numel() for values in getattr(model, name).parameters())
        for name in ("encoder", "decoder", "prior")
    }
    save_model(model, ModelSize.of(config), output / WEIGHTS_FILE)
    yield
    drawn = sample(model, camera, classes, torch.Generator().manual_seed(config.seed))
    yield
    figures = {
        "steps": state.step,
        "epochs": state.order.epoch,
        "best_step": state.best.step,
        "best_bound": round(state.best.figure, 4),
        "of_their_class_at_first": round(drawn.first, 4),
    }
    looks = [{"step": step, "validation": figure} for step, figure in state.best.curve]
    write_samples(
        output,
        camera,
        real=[data.images[data.classes == index].cpu().numpy() for index in range(CLASSES)],
        images=drawn.images,
        classes=classes,
        summary={**figures, "parameters": parameters, "last_report": state.history.reports[-1]},
        losses=draw_curves(
            [*state.history.reports, *looks],
            {"loss": "trained on", "validation": "kept back"},
            title="Training: the bound on the evidence, without its constants",
            ylabel="nats per image",
            level=None,
        ),
    )
    write_card(output, _card(config, data, state, parameters, figures))


def _card(
    config: TrainConfig,
    data: TrainingData,
    state: VaeState,
    parameters: dict[str, int],
    figures: dict[str, float | int],
) -> ModelCard:
    told = TOLD[config.variant]
    return ModelCard(
        name="Conditional VAE for TAIGA-IACT images",
        what=told.what,
        source=told.source,
        weights=WEIGHTS_FILE,
        parameters=parameters,
        settings=config.identity(),
        data={"digest": data.digest, "events": config.events, **data.origin.told()},
        figures=figures,
        limits=(
            data.origin.limit,
            told.limit,
            "Images whose measured size is not of their class are drawn again.",
        ),
        devices=state.history.devices,
    )
