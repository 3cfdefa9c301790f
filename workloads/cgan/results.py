"""What a finished training leaves besides its weights: samples, a summary, the loss curve, a page of images."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from idleq.workloads import durable
from idleq.workloads.cgan.config import TrainConfig
from idleq.workloads.cgan.data import TrainingData
from idleq.workloads.cgan.pictures import draw_images, draw_losses
from idleq.workloads.cgan.sampling import equal_classes, sample
from idleq.workloads.cgan.scaling import to_light
from idleq.workloads.cgan.state import TrainingState
from idleq.workloads.iact.camera import Camera
from idleq.workloads.iact.dataset import CLASSES

Array = npt.NDArray[Any]

SAMPLES_PER_CLASS = 100
IMAGES_PER_ROW = 5


def write_samples_and_pictures(output: Path, config: TrainConfig, data: TrainingData, state: TrainingState) -> None:
    """Write `samples.npz`, `summary.json`, `loss.png` and `images.png`; all are the same on every run."""
    camera = Camera.load()
    classes = np.sort(equal_classes(CLASSES * SAMPLES_PER_CLASS))
    images = sample(state.average, camera, classes, torch.Generator().manual_seed(config.seed))
    real = _real_images(data, camera)
    summary = {
        "steps": state.step,
        "epochs": state.order.epoch,
        "parameters": {
            "generator": sum(values.numel() for values in state.generator.parameters()),
            "discriminator": sum(values.numel() for values in state.discriminator.parameters()),
        },
        "last_report": state.history.reports[-1],
        "classes": [_compare(images[classes == index], real[index]) for index in range(CLASSES)],
    }
    content = {
        "samples.npz": _npz(images=images, classes=classes),
        "summary.json": durable.canonical_json(summary),
        "loss.png": draw_losses(state.history.reports),
        "images.png": draw_images(
            camera, [_pick(group) for group in real], [_pick(images[classes == k]) for k in range(CLASSES)]
        ),
    }
    for name, written in content.items():
        with durable.explained("the results", output / name):
            durable.replace_file(output / name, written)


def _real_images(data: TrainingData, camera: Camera) -> list[Array]:
    return [camera.from_map(to_light(data.maps[data.classes == index])[:, 0].numpy()) for index in range(CLASSES)]


def _compare(made: Array, real: Array) -> dict[str, dict[str, float]]:
    """Per class: the mean size, the mean number of lit pixels and the brightest pixel's mean share."""
    return {"generated": _figures(made), "real": _figures(real)}


def _figures(images: Array) -> dict[str, float]:
    sizes = images.sum(axis=1, dtype=np.float64)
    lit = sizes > 0
    share = images.max(axis=1)[lit] / sizes[lit]
    return {
        "mean_size": round(float(sizes.mean()), 2),
        "lit_pixels": round(float((images > 1).sum(axis=1).mean()), 2),
        "brightest_share": round(float(share.mean()) if lit.any() else 0.0, 4),
    }


def _pick(images: Array) -> Array:
    return images[:IMAGES_PER_ROW]


def _npz(**arrays: Array) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type] # its own keyword is among the names
    return buffer.getvalue()
