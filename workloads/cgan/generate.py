"""`generate-cgan`: images from trained weights, in shards."""

import argparse
from functools import partial
from pathlib import Path

from idleq.workloads.iact.generating import Sampler, add_generating_options, generate
from idleq.workloads.training.options import Device, add_device


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `generate-cgan`."""
    add_generating_options(parser, "train-cgan")
    add_device(parser)


def run(options: argparse.Namespace) -> int:
    """Generate to the end, or save and leave when asked to."""
    return generate(options, "generate-cgan", partial(_load, options.device))


def _load(device: Device, path: Path) -> Sampler:
    from idleq.workloads.cgan.sampling import sample
    from idleq.workloads.cgan.weights import load_generator
    from idleq.workloads.iact.camera import Camera
    from idleq.workloads.training.device import find_device

    return partial(sample, load_generator(path, Camera.load()).to(find_device(device)))
