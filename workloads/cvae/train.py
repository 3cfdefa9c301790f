"""`train-cvae`: train the conditional VAE, leaving and going on whenever idleq asks for it.

Read from top to bottom: config, device, data, model and optimiser, loop, results.
"""

import argparse
import os
from collections.abc import Iterator
from dataclasses import replace

from idleq.workloads.contract import EXIT_SAVED, Places
from idleq.workloads.cvae.config import USUAL, TrainConfig, Variant
from idleq.workloads.guest import Guest
from idleq.workloads.training.choices import add_choice
from idleq.workloads.training.loop import go_on_from, train_to_end
from idleq.workloads.training.options import (
    Given,
    add_device,
    add_training_options,
    identity_with,
    steps_and_events,
    too_few_explained,
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `train-cvae`."""
    usual = USUAL[Variant.BELL]
    add_training_options(parser, quick=usual.quick, full=usual.full, batch=128)
    add_device(parser)
    add_choice(
        parser,
        "--variant",
        Variant.BELL,
        "bell: stretched bells, as the camera records them; plain: convolutions that give the image itself, as in"
        " the paper, half as many steps unless told otherwise (default bell)",
    )


def run(options: argparse.Namespace) -> int:
    """Train to the end, or save and leave when asked to."""
    # --- config
    usual = USUAL[options.variant]
    config = TrainConfig.of(
        options.variant,
        **steps_and_events(options, quick=usual.quick, full=usual.full),
        batch=options.batch,
        seed=options.seed,
        threads=options.threads,
    )
    given = Given.of(options)
    places = Places.from_environment(os.environ, options.output)
    # The guest listens before anything slow is imported: a freeze may be asked for at any time.
    with Guest(places=places, kind="train-cvae", identity=identity_with(config.identity(), given)) as guest:
        checkpoint = guest.restore()
        # --- device
        from idleq.workloads.training.device import find_device, use_one_thread_pool

        use_one_thread_pool(config.threads)
        device = find_device(options.device)
        # --- data: that of the files given, else made where it is not there yet
        from idleq.workloads.cvae.data import TrainingData
        from idleq.workloads.iact.camera import Camera
        from idleq.workloads.iact.dataset import DatasetSpec
        from idleq.workloads.iact.fetching import dataset_for

        dataset = dataset_for(guest, DatasetSpec(events=config.events), places, options.data, checkpoint, given)
        if dataset is None:
            return EXIT_SAVED
        with too_few_explained(given):
            config = replace(config, events=len(dataset.images))
        data = TrainingData.prepare(dataset, Camera.load(), device)
        # --- model and optimiser: new ones, or exactly those of the checkpoint
        from idleq.workloads.cvae.state import VaeState
        from idleq.workloads.cvae.step import train_step

        state = VaeState.begin(config, data, device)
        go_on_from(state, checkpoint)

        # --- loop, then results: the best average's weights, what it makes, and pictures of both
        def results() -> Iterator[None]:
            from idleq.workloads.cvae.results import write_results

            return write_results(guest.output, config, data, state)

        return train_to_end(guest, state, config, lambda: train_step(state, config, data), results)
