"""`train-cgan`: train the conditional GAN, leaving and going on whenever idleq asks for it.

Read from top to bottom: config, device, data, model and optimisers, loop, results.
"""

import argparse
import os
from typing import TYPE_CHECKING

from idleq.workloads.cgan.config import BATCH, FULL, MODELS, QUICK, TrainConfig, Variant
from idleq.workloads.contract import EXIT_DONE, EXIT_SAVED, Places
from idleq.workloads.guest import Guest
from idleq.workloads.training.loop import finish, go_on_from, train
from idleq.workloads.training.options import add_training_options, steps_and_events
from idleq.workloads.training.precision import add_precision

if TYPE_CHECKING:
    from idleq.workloads.cgan.data import TrainingData
    from idleq.workloads.checkpoint import Checkpoint


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `train-cgan`."""
    add_training_options(parser, quick=QUICK, full=FULL, batch=None, batch_default="256; convolutional 64")
    parser.add_argument(
        "--variant",
        type=Variant,
        choices=[*Variant],
        default=Variant.BELL,
        help="showers as bells that the camera records (default), or the recorded image by convolutions, as in the paper",
    )
    add_precision(parser)


def run(options: argparse.Namespace) -> int:
    """Train to the end, or save and leave when asked to."""
    # --- config
    config = TrainConfig(
        **steps_and_events(options, quick=QUICK, full=FULL),
        batch=BATCH[options.variant] if options.batch is None else options.batch,
        model=MODELS[options.variant],
        seed=options.seed,
        threads=options.threads,
        precision=options.precision,
    )
    places = Places.from_environment(os.environ, options.output)
    # The guest listens before anything slow is imported: a freeze may be asked for at any time.
    with Guest(places=places, kind="train-cgan", identity=config.identity()) as guest:
        checkpoint = guest.restore()
        # --- device
        from idleq.workloads.training.device import use_one_thread_pool

        use_one_thread_pool(config.threads)
        # --- data: made where it is not there yet
        from idleq.workloads.iact.camera import Camera

        camera = Camera.load()
        data = load_data(guest, config, places, options.data, checkpoint)
        if data is None:
            return EXIT_SAVED
        # --- model and optimisers: new ones, or exactly those of the checkpoint
        from idleq.workloads.cgan.state import GanState
        from idleq.workloads.cgan.step import train_step

        state = GanState.begin(config, data, camera)
        go_on_from(state, checkpoint)

        # --- loop
        def step() -> dict[str, float]:
            return train_step(state, config, data, camera)

        if not train(
            guest, state, step, steps=config.steps, report_every=config.report_every, is_over=lambda: state.best.is_over
        ):
            return EXIT_SAVED
        # --- results: the best average's weights, what it makes, and pictures of both
        from idleq.workloads.cgan.results import write_results

        is_done = finish(guest, state, write_results(guest.output, config, data, state))
    return EXIT_DONE if is_done else EXIT_SAVED


def load_data(
    guest: Guest, config: TrainConfig, places: Places, option: str | None, checkpoint: "Checkpoint | None"
) -> "TrainingData | None":
    """The data set as the networks see it; None = asked to leave while it was made, and saved."""
    from idleq.workloads.cgan.data import TrainingData
    from idleq.workloads.iact.camera import Camera
    from idleq.workloads.iact.dataset import DatasetSpec
    from idleq.workloads.iact.fetching import dataset_for

    dataset = dataset_for(guest, DatasetSpec(events=config.events), places, option, checkpoint)
    return None if dataset is None else TrainingData.prepare(dataset, Camera.load(), config.variant)
