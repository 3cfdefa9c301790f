"""`generate-cvae`: images from trained weights, in shards: images (n, 609) in photo-electrons, their classes,
and the share that was of its class at the first draw.
"""

import argparse
import os
from pathlib import Path

from idleq.workloads.contract import EXIT_DONE, EXIT_SAVED, Places
from idleq.workloads.guest import Guest
from idleq.workloads.iact.generating import PER_SHARD, add_generating_options, check_generating, identity_of
from idleq.workloads.shards import Plan, shard_seed, shards_done, write_shards


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `generate-cvae`."""
    add_generating_options(parser, "train-cvae")


def run(options: argparse.Namespace) -> int:
    """Generate to the end, or save and leave when asked to."""
    check_generating(options)
    places = Places.from_environment(os.environ, options.output)
    identity = identity_of(options, os.environ)
    with Guest(places=places, kind="generate-cvae", identity=identity) as guest:
        done = shards_done(guest)
        import numpy as np
        import torch

        from idleq.workloads.cvae.sampling import sample
        from idleq.workloads.cvae.weights import load_model
        from idleq.workloads.iact.camera import Camera
        from idleq.workloads.iact.dataset import equal_classes
        from idleq.workloads.iact.npz import as_npz
        from idleq.workloads.training.device import use_one_thread_pool

        use_one_thread_pool(options.threads)
        camera = Camera.load()
        model = load_model(Path(options.weights))

        def make(index: int, count: int) -> bytes:
            random = torch.Generator().manual_seed(shard_seed(options.seed, index, identity.get("task")))
            classes = equal_classes(count)
            drawn = sample(model, camera, classes, random)
            return as_npz(images=drawn.images, classes=classes, first=np.array(drawn.first))

        plan = Plan(count=options.count, per_shard=PER_SHARD, what="images")
        if not write_shards(guest, plan, done, make, identity):
            return EXIT_SAVED
        guest.finish()
    return EXIT_DONE
