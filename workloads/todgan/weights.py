"""A generator of TODs as a file, with the scale that brings its numbers to watts."""

from dataclasses import asdict
from pathlib import Path

from idleq.workloads.todgan.config import Variant
from idleq.workloads.todgan.data import Scale
from idleq.workloads.todgan.models import GENERATORS, Generator
from idleq.workloads.training.choices import variant_in
from idleq.workloads.training.weights import read_weights, save_weights, unusable

WEIGHTS_FILE = "tod-generator.safetensors"
MODEL = "tod-generator"


def save_generator(generator: Generator, variant: Variant, scale: Scale, path: Path) -> None:
    """Write *generator* and what is needed to use it."""
    save_weights(generator, MODEL, {"variant": str(variant), **asdict(scale)}, path)


def load_generator(path: Path) -> tuple[Generator, Variant, Scale]:
    """The generator in *path*, ready to make TODs."""
    header, tensors = read_weights(path, MODEL, "train-todgan")
    try:
        variant = variant_in(header, Variant)
        scale = Scale(offset_w=header["offset_w"], width_w=header["width_w"])
        generator = GENERATORS[variant]()
        generator.load_state_dict(tensors)
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise unusable(path, MODEL, error) from error
    return generator.requires_grad_(requires_grad=False).eval(), variant, scale
