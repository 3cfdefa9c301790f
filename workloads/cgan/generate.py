"""`generate-cgan`: images from trained weights, in shards: images (n, 609) in photo-electrons and their classes."""

import argparse
import os
from pathlib import Path

from idleq.workloads.contract import EXIT_DONE, EXIT_SAVED, Places
from idleq.workloads.guest import Guest
from idleq.workloads.iact.generating import PER_SHARD, add_generating_options, check_generating, identity_of
from idleq.workloads.shards import Plan, shard_seed, shards_done, write_shards


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `generate-cgan`."""
    add_generating_options(parser, "train-cgan")


def run(options: argparse.Namespace) -> int:
    """Generate to the end, or save and leave when asked to."""
    check_generating(options)
    places = Places.from_environment(os.environ, options.output)
    identity = identity_of(options, os.environ)
    with Guest(places=places, kind="generate-cgan", identity=identity) as guest:
        done = shards_done(guest)
        import torch

        from idleq.workloads.cgan.sampling import sample
        from idleq.workloads.cgan.weights import load_generator
        from idleq.workloads.iact.camera import Camera
        from idleq.workloads.iact.dataset import equal_classes
        from idleq.workloads.iact.npz import as_npz
        from idleq.workloads.training.device import use_one_thread_pool

        use_one_thread_pool(options.threads)
        camera = Camera.load()
        generator = load_generator(Path(options.weights), camera)

        def make(index: int, count: int) -> bytes:
            random = torch.Generator().manual_seed(shard_seed(options.seed, index, identity.get("task")))
            classes = equal_classes(count)
            return as_npz(images=sample(generator, camera, classes, random), classes=classes)

        plan = Plan(count=options.count, per_shard=PER_SHARD, what="images")
        if not write_shards(guest, plan, done, make, identity):
            return EXIT_SAVED
        guest.finish()
    return EXIT_DONE
