"""What a finished training leaves besides its weights: samples, a summary, the loss curve, a page of images, a card."""

from collections.abc import Iterator
from pathlib import Path

import torch

from idleq.workloads.cgan.config import TrainConfig
from idleq.workloads.cgan.data import TrainingData
from idleq.workloads.cgan.model import ModelSize
from idleq.workloads.cgan.sampling import sample
from idleq.workloads.cgan.state import GanState
from idleq.workloads.cgan.weights import WEIGHTS_FILE, save_generator
from idleq.workloads.iact.camera import Camera
from idleq.workloads.iact.dataset import CLASSES
from idleq.workloads.iact.samples import sample_classes, write_samples
from idleq.workloads.iact.scaling import to_light
from idleq.workloads.training.card import ModelCard, write_card
from idleq.workloads.training.curves import draw_curves


def write_results(output: Path, config: TrainConfig, data: TrainingData, state: GanState) -> Iterator[None]:
    """Write everything, piece by piece; all of it is the same on every run."""
    save_generator(state.average, ModelSize(latent=config.latent, width=config.width), output / WEIGHTS_FILE)
    yield
    camera = Camera.load()
    classes = sample_classes()
    drawn = sample(state.average, camera, classes, torch.Generator().manual_seed(config.seed))
    yield
    parameters = {
        name: sum(values.numel() for values in getattr(state, name).parameters())
        for name in ("generator", "discriminator")
    }
    figures = {
        "steps": state.step,
        "epochs": state.order.epoch,
        "last_report": state.history.reports[-1],
        "of_their_class_at_first": round(drawn.first, 4),
    }
    write_samples(
        output,
        camera,
        real=[camera.from_map(to_light(data.maps[data.classes == index])[:, 0].numpy()) for index in range(CLASSES)],
        images=drawn.images,
        classes=classes,
        summary={**figures, "parameters": parameters},
        losses=draw_curves(
            state.history.reports,
            {"discriminator_loss": "discriminator", "generator_loss": "generator"},
            title="Training: at 2 (dotted) the discriminator cannot tell",
            ylabel="hinge loss",
            level=2.0,
        ),
    )
    card = ModelCard(
        name="Conditional GAN for TAIGA-IACT images",
        what="A generator of cleaned camera images of gamma showers, asked for one of ten classes of size.",
        source="arXiv:2211.15807, sized for one CPU core",
        weights=WEIGHTS_FILE,
        parameters=parameters,
        settings=config.identity(),
        data={"digest": data.digest, "events": config.events, "truth": "a stand-in for TAIGA's Monte Carlo"},
        figures=figures,
        limits=(
            "The truth it learnt from is rendered from MAGIC's Hillas parameters, not TAIGA's own Monte Carlo.",
            "Its figures are those of evaluate-images; nothing here says how good the images are.",
        ),
    )
    write_card(output, card)
