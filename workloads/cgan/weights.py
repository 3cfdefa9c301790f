"""The generator as a file."""

from pathlib import Path

import torch

from idleq.workloads.cgan.config import ModelSize
from idleq.workloads.cgan.models import Generator
from idleq.workloads.cgan.variants import generator_of
from idleq.workloads.iact.camera import Camera
from idleq.workloads.iact.sizing import SIZE_QUANTILES
from idleq.workloads.training.weights import read_weights, save_weights, unusable

WEIGHTS_FILE = "generator.safetensors"
MODEL = "cgan-generator"


def save_generator(generator: Generator, size: ModelSize, path: Path) -> None:
    """Write *generator* and what is needed to build it again."""
    save_weights(generator, MODEL, size.to_dict(), path)


def load_generator(path: Path, camera: Camera) -> Generator:
    """The generator in *path*, ready to make images."""
    header, tensors = read_weights(path, MODEL, "train-cgan")
    try:
        generator = generator_of(ModelSize.from_dict(header), camera, torch.zeros(SIZE_QUANTILES))
        generator.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise unusable(path, MODEL, error) from error
    return generator.requires_grad_(requires_grad=False).eval()
