"""`generate-cvae`: images from trained weights, in shards."""

import argparse
from functools import partial
from pathlib import Path

from idleq.workloads.iact.generating import Sampler, add_generating_options, generate
from idleq.workloads.training.options import Device, add_device


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `generate-cvae`."""
    add_generating_options(parser, "train-cvae")
    add_device(parser)


def run(options: argparse.Namespace) -> int:
    """Generate to the end, or save and leave when asked to."""
    return generate(options, "generate-cvae", partial(_load, options.device))


def _load(device: Device, path: Path) -> Sampler:
    from idleq.workloads.cvae.sampling import sample
    from idleq.workloads.cvae.weights import load_model
    from idleq.workloads.iact.camera import Camera
    from idleq.workloads.training.device import find_device

    camera = Camera.load()
    return partial(sample, load_model(path).to(find_device(device)), camera)
