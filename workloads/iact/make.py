"""`make-data`: make a data set ahead of a training, for instance in a folder that all nodes share."""

import argparse
import os

from idleq.workloads.contract import EXIT_DONE
from idleq.workloads.messages import say


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `make-data`."""
    parser.add_argument("--events", type=int, default=100_000, help="how many events (default 100000)")
    parser.add_argument("--seed", type=int, default=1, help="the seed (default 1)")
    parser.add_argument(
        "--particle", choices=("gamma", "hadron"), default="gamma", help="what made the showers (default gamma)"
    )
    parser.add_argument(
        "--split",
        choices=("train", "held-out", "judge", "validation"),
        default="train",
        help="which table rows (default train)",
    )
    parser.add_argument(
        "--data", metavar="DIR", help="where data sets lie (default IDLEQ_DATA_DIR, else the user's cache)"
    )


def run(options: argparse.Namespace) -> int:
    """Make the data set, or verify the one that is there."""
    from idleq.workloads.iact.dataset import DatasetSpec
    from idleq.workloads.iact.making import ensure_dataset
    from idleq.workloads.iact.places import DataPlaces

    spec = DatasetSpec(events=options.events, seed=options.seed, particle=options.particle, split=options.split)
    places = DataPlaces.choose(os.environ, options.data, None)
    made = ensure_dataset(spec, places.work)
    if made is not None:
        say(f"{len(made.images)} events in {places.work / spec.name}, {made.digest}")
    return EXIT_DONE
