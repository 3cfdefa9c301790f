"""What a finished training leaves: the selected weights, the losses, a few TODs, the model card."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from idleq.workloads import durable
from idleq.workloads.todgan.config import TodTrainConfig, Variant
from idleq.workloads.todgan.data import TrainingTods
from idleq.workloads.todgan.models import Generator, parameters
from idleq.workloads.todgan.pictures import draw_losses, draw_tods
from idleq.workloads.todgan.sampling import sample
from idleq.workloads.todgan.state import TodState, VaeState
from idleq.workloads.todgan.weights import WEIGHTS_FILE, save_generator
from idleq.workloads.training.card import ModelCard, write_card

SHOWN_HITS = (0, 1, 2)

_WHAT = {
    Variant.SLIDES: "A generator of time-ordered data, with the layers of CRAB's slides.",
    Variant.CONDITIONAL: "A generator of time-ordered data that is told the number of hits.",
    Variant.VAE: "The decoder of a variational autoencoder of time-ordered data, told the number of hits.",
}
_LIMITS = {
    Variant.SLIDES: ["It is not told how many hits a TOD has."],
    Variant.CONDITIONAL: [
        "The number of hits and their uniform times hold by construction and say nothing about the training.",
        "Its noise is stationary and normal by construction; only the spectrum is learned.",
    ],
    Variant.VAE: ["What its code does not hold is drawn as white noise."],
}
_COMMON_LIMITS = [
    "Learned from simulated TODs of one detector; the numbers that are stand-ins are named in docs/reference/tods.md.",
    "One detector at a time: nothing is shared between two of them.",
]


def write_results(
    output: Path, config: TodTrainConfig, data: TrainingTods, state: TodState, made_for: dict[str, Any]
) -> Iterator[None]:
    """Write them, piece by piece; all are the same on every run."""
    chosen: Generator = state.best.model(state.average)
    save_generator(chosen, config.variant, data.scale, output / WEIGHTS_FILE)
    yield
    shown = np.repeat(np.array(SHOWN_HITS, dtype=np.int8), 2)
    made = sample(chosen, data.scale, shown, torch.Generator().manual_seed(config.seed))
    real = [data.scale.to_watts(data.tods[data.hits == hits][:2]) for hits in SHOWN_HITS]
    content = {
        "loss.png": draw_losses(state.history.reports, state.best.curve),
        "tods.png": draw_tods(real, [made[shown == hits] for hits in SHOWN_HITS]),
    }
    with durable.explained("the results", output):
        durable.replace_files(output, content)
    yield
    write_card(output, _card(config, data, state, made_for))


def _card(config: TodTrainConfig, data: TrainingTods, state: TodState, made_for: dict[str, Any]) -> ModelCard:
    models = (
        {"encoder": state.model.encoder, "decoder": state.model.decoder}
        if isinstance(state, VaeState)
        else {"generator": state.generator, "discriminator": state.discriminator}
    )
    return ModelCard(
        name=f"todgan-{config.variant}",
        what=_WHAT[config.variant],
        source="the slides of CRAB's TOD GAN",
        weights=WEIGHTS_FILE,
        parameters={name: parameters(model) for name, model in models.items()},
        settings=config.identity(),
        data={**made_for, "digest": data.digest, "tods": len(data.tods)},
        figures={
            "last_report": dict(sorted(state.history.reports[-1].items())),
            "selected_step": state.best.step,
            "steps": state.step,
            "distance_to_tods_set_apart": state.best.figure if np.isfinite(state.best.figure) else None,
        },
        limits=[*_LIMITS[config.variant], *_COMMON_LIMITS],
        devices=state.history.devices,
    )
