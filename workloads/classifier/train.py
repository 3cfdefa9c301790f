"""`train-classifier`: gamma or hadron, leaving and going on whenever idleq asks for it.

Read from top to bottom: config, device, data, model and optimiser, loop, results.
"""

import argparse
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from idleq.workloads.classifier.config import FULL, QUICK, TrainConfig
from idleq.workloads.contract import EXIT_SAVED, Places
from idleq.workloads.guest import Guest
from idleq.workloads.training.loop import go_on_from, train_to_end
from idleq.workloads.training.options import (
    Given,
    add_device,
    add_training_options,
    identity_with,
    steps_and_events,
    too_few_explained,
)
from idleq.workloads.training.precision import add_precision

if TYPE_CHECKING:
    from idleq.workloads.checkpoint import Checkpoint
    from idleq.workloads.classifier.data import TrainingData
    from idleq.workloads.iact.camera import Camera
    from idleq.workloads.iact.showers import Particle, Split

PARTICLES: "tuple[Particle, ...]" = ("gamma", "hadron")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `train-classifier`."""
    add_training_options(parser, quick=QUICK, full=FULL, batch=128)
    add_precision(parser)
    add_device(parser)
    parser.add_argument(
        "--validated",
        type=int,
        help=f"events of each particle to set the cut by (default {FULL['validated']}, quick {QUICK['validated']})",
    )
    parser.add_argument(
        "--judged",
        type=int,
        help=f"events of each particle to measure by (default {FULL['judged']}, quick {QUICK['judged']})",
    )


def run(options: argparse.Namespace) -> int:
    """Train to the end, or save and leave when asked to."""
    # --- config
    config = TrainConfig(
        **steps_and_events(options, quick=QUICK, full=FULL),
        batch=options.batch,
        seed=options.seed,
        threads=options.threads,
        precision=options.precision,
    )
    given = Given.of(options)
    places = Places.from_environment(os.environ, options.output)
    # The guest listens before anything slow is imported: a freeze may be asked for at any time.
    with Guest(places=places, kind="train-classifier", identity=identity_with(config.identity(), given)) as guest:
        checkpoint = guest.restore()
        # --- device
        from idleq.workloads.iact.camera import Camera
        from idleq.workloads.training.device import find_device, use_one_thread_pool

        use_one_thread_pool(config.threads)
        device = find_device(options.device)
        # --- data: that of the files given, else made where it is not there yet
        camera = Camera.load()
        data = (
            load_data(guest, config, camera, places, options.data, checkpoint)
            if given is None
            else load_given(guest, options, given, camera, checkpoint)
        )
        if data is None:
            return EXIT_SAVED
        with too_few_explained(given):
            counts = data.counts()
            config = replace(config, events=counts["events"], validated=counts["validated"], judged=counts["judged"])
        # --- model and optimiser: new ones, or exactly those of the checkpoint
        from idleq.workloads.classifier.state import ClassifierState
        from idleq.workloads.classifier.step import train_step

        state = ClassifierState.begin(config, data, camera, device)
        go_on_from(state, checkpoint)

        # --- loop, then results: the best average's weights, the cut, and both measured beside the classical cuts
        def results() -> Iterator[None]:
            from idleq.workloads.classifier.results import write_results

            return write_results(guest.output, config, data, state)

        return train_to_end(guest, state, config, lambda: train_step(state, config, data), results)


def load_given(
    guest: Guest, options: argparse.Namespace, given: Given, camera: "Camera", checkpoint: "Checkpoint | None"
) -> "TrainingData | None":
    """The gammas and hadrons of the files given; None = asked to leave meanwhile, and saved."""
    from idleq.workloads.classifier.dividing import divided
    from idleq.workloads.iact.fetching import files_for

    files = files_for(guest, given, checkpoint)
    wanted = {"judge": options.events, "validation": options.validated, "held-out": options.judged}
    return None if files is None else divided(files, wanted, camera)


def load_data(
    guest: Guest,
    config: TrainConfig,
    camera: "Camera",
    places: Places,
    option: str | None,
    checkpoint: "Checkpoint | None",
) -> "TrainingData | None":
    """Gammas and hadrons of three splits; None = asked to leave while they were made, and saved."""
    from idleq.workloads.classifier.data import Events, TrainingData
    from idleq.workloads.iact.dataset import DatasetSpec
    from idleq.workloads.iact.fetching import dataset_for

    digests: list[str] = []
    splits: dict[Split, int] = {"judge": config.events, "validation": config.validated, "held-out": config.judged}
    found = {}
    for split, events in splits.items():
        sets = []
        for particle in PARTICLES:
            spec = DatasetSpec(events=events, particle=particle, split=split)
            dataset = dataset_for(guest, spec, places, option, checkpoint)
            if dataset is None:
                return None
            sets.append(dataset)
        gammas, hadrons = sets
        found[split] = Events.of(gammas, hadrons, camera)
        digests += [gammas.digest, hadrons.digest]
    return TrainingData(
        learn=found["judge"], validate=found["validation"], measure=found["held-out"], digest=" ".join(digests)
    )
