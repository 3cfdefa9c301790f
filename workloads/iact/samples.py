"""What a finished training of images leaves besides its weights: samples, a summary, a page of images."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from idleq.workloads import durable
from idleq.workloads.iact.camera import Camera
from idleq.workloads.iact.dataset import CLASSES
from idleq.workloads.iact.npz import as_npz
from idleq.workloads.iact.pictures import draw_images

Array = npt.NDArray[Any]

SAMPLES_PER_CLASS = 100
IMAGES_PER_ROW = 5


def sample_classes() -> Array:
    """The classes of the samples, the faintest first."""
    return np.repeat(np.arange(CLASSES, dtype=np.uint8), SAMPLES_PER_CLASS)


def write_samples(
    output: Path,
    camera: Camera,
    *,
    real: Sequence[Array],
    images: Array,
    classes: Array,
    summary: Mapping[str, Any],
    losses: bytes,
) -> None:
    """Write `samples.npz`, `summary.json`, `loss.png` and `images.png`; *real* holds the true images of each class."""
    made = [images[classes == index] for index in range(CLASSES)]
    compared = [{"generated": figures(made[index]), "real": figures(real[index])} for index in range(CLASSES)]
    rows = [[group[:IMAGES_PER_ROW] for group in groups] for groups in (real, made)]
    content = {
        "samples.npz": as_npz(images=images, classes=classes),
        "summary.json": durable.canonical_json({**summary, "classes": compared}),
        "loss.png": losses,
        "images.png": draw_images(camera, *rows),
    }
    with durable.explained("the results", output):
        durable.replace_files(output, content)


def figures(images: Array) -> dict[str, float]:
    """The mean size, the mean number of lit pixels and the brightest pixel's mean share."""
    sizes = images.sum(axis=1, dtype=np.float64)
    lit = sizes > 0
    share = images.max(axis=1)[lit] / sizes[lit]
    return {
        "mean_size": round(float(sizes.mean()), 2),
        "lit_pixels": round(float((images > 1).sum(axis=1).mean()), 2),
        "brightest_share": round(float(share.mean()) if lit.any() else 0.0, 4),
    }
