"""`train-cvae`: train the conditional VAE, leaving and going on whenever idleq asks for it.

Read from top to bottom: config, device, data, model and optimiser, loop, results.
"""

import argparse
import os
from dataclasses import replace

from idleq.workloads.contract import EXIT_DONE, EXIT_SAVED, Places
from idleq.workloads.cvae.config import FULL, QUICK, VARIANTS, TrainConfig
from idleq.workloads.guest import Guest
from idleq.workloads.training.loop import finish, go_on_from, train
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
    add_training_options(parser, quick=QUICK["bell"], full=FULL["bell"], batch=128)
    add_device(parser)
    parser.add_argument(
        "--variant",
        choices=VARIANTS,
        default="bell",
        help="bell: stretched bells, as the camera records them; plain: convolutions that give the image itself, as in"
        " the paper, half as many steps unless told otherwise (default bell)",
    )


def run(options: argparse.Namespace) -> int:
    """Train to the end, or save and leave when asked to."""
    # --- config
    config = TrainConfig.of(
        options.variant,
        **steps_and_events(options, quick=QUICK[options.variant], full=FULL[options.variant]),
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

        # --- loop
        def step() -> dict[str, float]:
            return train_step(state, config, data)

        if not train(
            guest,
            state,
            step,
            steps=config.steps,
            report_every=config.report_every,
            is_over=lambda: state.best.is_over,
        ):
            return EXIT_SAVED
        # --- results: the best average's weights, what it makes, and pictures of both
        from idleq.workloads.cvae.results import write_results

        is_done = finish(guest, state, write_results(guest.output, config, data, state))
    return EXIT_DONE if is_done else EXIT_SAVED
