"""What the jobs that generate images have in common: their options, and what their shards hold."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from idleq.workloads.shards import array_task, checksum
from idleq.workloads.training.options import add_output, add_threads, between

MAX_COUNT = 1_000_000_000

# Images in one shard: about a second of work, so that a wish to freeze is met soon.
PER_SHARD = 1_000


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
