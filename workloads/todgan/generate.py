"""`generate-todgan`: TODs from trained weights, in shards of the same form as simulated ones."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from idleq.workloads.contract import EXIT_DONE, EXIT_SAVED, Places
from idleq.workloads.guest import Guest
from idleq.workloads.shards import Plan, array_task, checksum, shard_seed, shards_done, write_shards
from idleq.workloads.training.options import MAX_THREADS, add_device, add_output, add_threads, between

if TYPE_CHECKING:
    from idleq.workloads.todgan.data import Scale
    from idleq.workloads.todgan.models import Generator
    from idleq.workloads.tods.hits import HitMix

MAX_COUNT = 1_000_000_000

# TODs in one shard: a second or two of work, so that a wish to freeze is met soon.
PER_SHARD = 500


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `generate-todgan`."""
    parser.add_argument("--weights", metavar="FILE", required=True, help="the weights that train-todgan wrote")
    parser.add_argument("--count", type=int, default=12_000, help="how many TODs (default 12000)")
    parser.add_argument(
        "--hits", choices=("natural", "balanced"), default="balanced", help="what a conditional generator is asked for"
    )
    parser.add_argument("--seed", type=int, default=1, help="the seed (default 1)")
    add_device(parser)
    add_threads(parser)
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Generate to the end, or save and leave when asked to."""
    between("--count", options.count, 1, MAX_COUNT)
    between("--seed", options.seed, 0, 2**63 - 1)
    between("--threads", options.threads, 1, MAX_THREADS)
    places = Places.from_environment(os.environ, options.output)
    task = array_task(os.environ)
    identity = _identity(options, task)
    with Guest(places=places, kind="generate-todgan", identity=identity) as guest:
        done = shards_done(guest)
        from idleq.workloads.todgan.weights import load_generator
        from idleq.workloads.training.device import find_device, use_one_thread_pool

        use_one_thread_pool(options.threads)
        device = find_device(options.device)
        generator, variant, scale = load_generator(Path(options.weights))
        generator.to(device)
        about = {**identity, "variant": str(variant)}

        def make(index: int, count: int) -> bytes:
            seed = shard_seed(options.seed, index, task)
            return make_shard(
                generator, scale, mix=options.hits, seed=seed, count=count, made_for={**about, "index": index}
            )

        plan = Plan(count=options.count, per_shard=PER_SHARD, what="tods", suffix=".h5")
        if not write_shards(guest, plan, done, make, about):
            return EXIT_SAVED
        guest.finish()
    return EXIT_DONE


def make_shard(
    generator: "Generator", scale: "Scale", *, mix: "HitMix", seed: int, count: int, made_for: dict[str, Any]
) -> bytes:
    """The bytes of a shard: the same whichever shards were made before it."""
    import numpy as np
    import torch

    from idleq.workloads.todgan.sampling import as_tods, sample
    from idleq.workloads.tods.files import to_bytes
    from idleq.workloads.tods.hits import draw_counts

    hits = draw_counts(np.random.default_rng(seed), mix, 0, count)
    tods = sample(generator, scale, hits, torch.Generator().manual_seed(seed))
    return to_bytes(as_tods(generator, tods, hits), made_for, {"made_by": "generate-todgan"})


def _identity(options: argparse.Namespace, task: int | None) -> dict[str, Any]:
    identity = {
        "count": options.count,
        "hits": options.hits,
        "seed": options.seed,
        "threads": options.threads,
        "weights": checksum(Path(options.weights), "the weights"),
    }
    return identity if task is None else {**identity, "task": task}
