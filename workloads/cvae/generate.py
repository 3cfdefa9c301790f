"""`generate-cvae`: images from trained weights, in shards."""

import argparse
from functools import partial
from pathlib import Path

from idleq.workloads.iact.generating import Sampler, add_generating_options, generate


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `generate-cvae`."""
    add_generating_options(parser, "train-cvae")


def run(options: argparse.Namespace) -> int:
    """Generate to the end, or save and leave when asked to."""
    return generate(options, "generate-cvae", _load)


def _load(path: Path) -> Sampler:
    from idleq.workloads.cvae.sampling import sample
    from idleq.workloads.cvae.weights import load_model
    from idleq.workloads.iact.camera import Camera

    camera = Camera.load()
    return partial(sample, load_model(path), camera)
