"""What the jobs that generate images have in common: their options, and their shards.

A shard holds images (n, 609) in photo-electrons, their classes, and the share that was of its class at the first draw.
"""

import argparse
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from idleq.workloads.contract import EXIT_DONE, EXIT_SAVED, Places
from idleq.workloads.guest import Guest
from idleq.workloads.shards import Plan, array_task, checksum, shard_seed, shards_done, write_shards
from idleq.workloads.training.lineage import LEARNT_FROM, learnt_from
from idleq.workloads.training.options import add_output, add_threads, between

if TYPE_CHECKING:
    import numpy.typing as npt
    import torch

    from idleq.workloads.iact.sizing import Drawn

MAX_COUNT = 1_000_000_000

# Images in one shard: about a second of work, so that a wish to freeze is met soon.
PER_SHARD = 1_000


class Sampler(Protocol):
    """Makes images of classes (n,), drawn from one generator only."""

    def __call__(self, classes: "npt.NDArray[Any]", random: "torch.Generator", /) -> "Drawn": ...


def add_generating_options(parser: argparse.ArgumentParser, trained_by: str) -> None:
    """Add them."""
    parser.add_argument("--weights", metavar="FILE", required=True, help=f"the weights that {trained_by} wrote")
    parser.add_argument(
        "--count", type=int, default=10_000, help="how many images, equally many per class (default 10000)"
    )
    parser.add_argument("--seed", type=int, default=1, help="the seed (default 1)")
    add_threads(parser)
    add_output(parser)


def check_generating(options: argparse.Namespace) -> None:
    """Raise BadOption for what cannot work."""
    between("--count", options.count, 1, MAX_COUNT)
    between("--seed", options.seed, 0, 2**63 - 1)
    between("--threads", options.threads, 1, 256)


def identity_of(options: argparse.Namespace, environ: Mapping[str, str]) -> dict[str, Any]:
    """What decides the images: the weights too, and the task where this is one of an array."""
    task = array_task(environ)
    weights = checksum(Path(options.weights), "the weights")
    identity = {"count": options.count, "seed": options.seed, "threads": options.threads, "weights": weights}
    return identity if task is None else {**identity, "task": task}


def generate(options: argparse.Namespace, kind: str, load: Callable[[Path], Sampler]) -> int:
    """Generate to the end with what *load* makes of the weights, or save and leave when asked to."""
    check_generating(options)
    places = Places.from_environment(os.environ, options.output)
    identity = identity_of(options, os.environ)
    # The guest listens before anything slow is imported: a freeze may be asked for at any time.
    with Guest(places=places, kind=kind, identity=identity) as guest:
        done = shards_done(guest)
        import numpy as np
        import torch

        from idleq.workloads.iact.dataset import equal_classes
        from idleq.workloads.iact.npz import as_npz
        from idleq.workloads.training.device import use_one_thread_pool

        use_one_thread_pool(options.threads)
        sample = load(Path(options.weights))

        def make(index: int, count: int) -> bytes:
            random = torch.Generator().manual_seed(shard_seed(options.seed, index, identity.get("task")))
            classes = equal_classes(count)
            drawn = sample(classes, random)
            return as_npz(images=drawn.images, classes=classes, first=np.array(drawn.first))

        plan = Plan(count=options.count, per_shard=PER_SHARD, what="images")
        if not write_shards(guest, plan, done, make, {**identity, LEARNT_FROM: learnt_from(Path(options.weights))}):
            return EXIT_SAVED
        guest.finish()
    return EXIT_DONE
