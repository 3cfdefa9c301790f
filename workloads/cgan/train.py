"""`train-cgan`: train the conditional GAN, leaving and going on whenever idleq asks for it.

Read from top to bottom: config, device, data, model and optimisers, loop, results.
"""

import argparse
import os
from collections.abc import Iterator
from dataclasses import replace

from idleq.workloads.cgan.config import USUAL, TrainConfig, Variant, usual_batch
from idleq.workloads.contract import EXIT_SAVED, Places
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
from idleq.workloads.training.precision import add_precision


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `train-cgan`."""
    usual = USUAL[Variant.BELL]
    add_training_options(
        parser,
        quick=usual.quick,
        full=usual.full,
        batch=None,
        batch_default="256; convolutional 64; or as many as there are",
    )
    add_choice(
        parser,
        "--variant",
        Variant.BELL,
        "showers as bells that the camera records (default), or the recorded image by convolutions, as in the paper",
    )
    add_precision(parser)
    add_device(parser)


def run(options: argparse.Namespace) -> int:
    """Train to the end, or save and leave when asked to."""
    # --- config
    usual = USUAL[options.variant]
    size = steps_and_events(options, quick=usual.quick, full=usual.full)
    config = TrainConfig(
        **size,
        batch=usual_batch(options.variant, size["events"]) if options.batch is None else options.batch,
        model=usual.model,
        seed=options.seed,
        threads=options.threads,
        precision=options.precision,
    )
    given = Given.of(options)
    places = Places.from_environment(os.environ, options.output)
    # The guest listens before anything slow is imported: a freeze may be asked for at any time.
    with Guest(places=places, kind="train-cgan", identity=identity_with(config.identity(), given)) as guest:
        checkpoint = guest.restore()
        # --- device
        from idleq.workloads.training.device import find_device, use_one_thread_pool

        use_one_thread_pool(config.threads)
        device = find_device(options.device)
        # --- data: that of the files given, else made where it is not there yet
        from idleq.workloads.cgan.data import TrainingData
        from idleq.workloads.iact.camera import Camera
        from idleq.workloads.iact.dataset import DatasetSpec
        from idleq.workloads.iact.fetching import dataset_for

        camera = Camera.load()
        dataset = dataset_for(guest, DatasetSpec(events=config.events), places, options.data, checkpoint, given)
        if dataset is None:
            return EXIT_SAVED
        events = len(dataset.images)
        batch = usual_batch(config.variant, events) if options.batch is None else options.batch
        with too_few_explained(given):
            config = replace(config, events=events, batch=batch)
        data = TrainingData.prepare(dataset, camera, config.variant, device)
        # --- model and optimisers: new ones, or exactly those of the checkpoint
        from idleq.workloads.cgan.state import GanState
        from idleq.workloads.cgan.step import train_step

        state = GanState.begin(config, data, camera, device)
        go_on_from(state, checkpoint)

        # --- loop, then results: the best average's weights, what it makes, and pictures of both
        def results() -> Iterator[None]:
            from idleq.workloads.cgan.results import write_results

            return write_results(guest.output, config, data, state)

        return train_to_end(guest, state, config, lambda: train_step(state, config, data, camera), results)
