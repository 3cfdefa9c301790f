"""`train-cgan`: train the conditional GAN, leaving and going on whenever idleq asks for it.

Read from top to bottom: config, device, data, model and optimisers, loop, results.
"""

import argparse
import os
from typing import TYPE_CHECKING

from idleq.workloads.cgan.config import FULL, QUICK, TrainConfig
from idleq.workloads.contract import EXIT_DONE, EXIT_SAVED, Places
from idleq.workloads.errors import CheckpointRefused
from idleq.workloads.guest import Guest, require_parts

if TYPE_CHECKING:
    from idleq.workloads.cgan.data import TrainingData
    from idleq.workloads.cgan.state import TrainingState
    from idleq.workloads.checkpoint import Checkpoint

# A part of every checkpoint: whether the data set was still being made (then there is no other state yet).
PHASE = "phase"
MAKING_DATA = b"data"
TRAINING = b"training"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `train-cgan`."""
    parser.add_argument("--quick", action="store_true", help="about two minutes of one core, the data set included")
    parser.add_argument("--steps", type=int, help=f"training steps (default {FULL['steps']}, quick {QUICK['steps']})")
    parser.add_argument(
        "--events", type=int, help=f"events in the data set (default {FULL['events']}, quick {QUICK['events']})"
    )
    parser.add_argument("--batch", type=int, default=64, help="events in a batch (default 64)")
    parser.add_argument("--seed", type=int, default=1, help="seed of weights, noise and order (default 1)")
    parser.add_argument(
        "--threads", type=int, default=1, help="threads; results repeat bit for bit with one (default 1)"
    )
    parser.add_argument(
        "--data", metavar="DIR", help="where data sets lie (default IDLEQ_DATA_DIR, else the user's cache)"
    )
    parser.add_argument("--output", metavar="DIR", help="where the results go in a plain run")


def run(options: argparse.Namespace) -> int:
    """Train to the end, or save and leave when asked to."""
    # --- config
    chosen = QUICK if options.quick else FULL
    config = TrainConfig(
        steps=chosen["steps"] if options.steps is None else options.steps,
        events=chosen["events"] if options.events is None else options.events,
        batch=options.batch,
        seed=options.seed,
        threads=options.threads,
    )
    places = Places.from_environment(os.environ, options.output)
    # The guest listens before anything slow is imported: a freeze may be asked for at any time.
    with Guest(places=places, kind="train-cgan", identity=config.identity()) as guest:
        checkpoint = guest.restore()
        use_one_thread_pool(config.threads)
        data = load_data(guest, config, places, options.data)
        if data is None:
            return EXIT_SAVED
        state = begin_or_restore(config, data, checkpoint)
        if not train(guest, config, data, state):
            return EXIT_SAVED
        write_results(guest, config, data, state)
        guest.finish()
    return EXIT_DONE


def use_one_thread_pool(threads: int) -> None:
    """--- device: the CPU, with algorithms that give the same bits on every run."""
    import torch

    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(mode=True)
    # Nothing here reads memory before writing it, and filling all of it costs 7 % of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined] # set through the module's class


def load_data(guest: Guest, config: TrainConfig, places: Places, option: str | None) -> "TrainingData | None":
    """--- data: made where it is not there yet; None = asked to leave meanwhile, and saved."""
    from idleq.workloads.cgan.data import TrainingData
    from idleq.workloads.iact.camera import Camera
    from idleq.workloads.iact.dataset import DatasetSpec
    from idleq.workloads.iact.making import ensure_dataset
    from idleq.workloads.iact.places import DataPlaces

    spec = DatasetSpec(events=config.events)
    data_places = DataPlaces.choose(os.environ, option, places)
    data_places.fetch(spec)
    dataset = ensure_dataset(spec, data_places.work, lambda: not guest.may_go_on(0, lambda: {PHASE: MAKING_DATA}))
    if dataset is None:
        return None
    data_places.keep(spec)
    return TrainingData.prepare(dataset, Camera.load())


def begin_or_restore(config: TrainConfig, data: "TrainingData", checkpoint: "Checkpoint | None") -> "TrainingState":
    """--- model and optimisers: new ones, or exactly those of the checkpoint."""
    from idleq.workloads.cgan.state import TrainingState

    state = TrainingState.begin(config, data)
    if checkpoint is not None:
        require_parts(checkpoint, (PHASE,))
        if checkpoint.parts[PHASE] == TRAINING:
            state.restore(checkpoint)
        elif checkpoint.parts[PHASE] != MAKING_DATA:
            raise CheckpointRefused(f"the checkpoint at step {checkpoint.step} is of an unknown phase")
    return state


def train(guest: Guest, config: TrainConfig, data: "TrainingData", state: "TrainingState") -> bool:
    """--- loop: False = asked to leave, and saved."""
    from idleq.workloads.cgan.step import train_step
    from idleq.workloads.iact.progress import progress_bar

    with progress_bar("training", config.steps) as advance:
        advance(state.step)
        while guest.may_go_on(state.step, lambda: {PHASE: TRAINING, **state.parts()}):
            if state.step == config.steps:
                return True
            maps, classes = data.batch(state.order.next())
            state.history.add(train_step(state, config, maps, classes))
            advance(1)
            if state.step % config.report_every == 0 or state.step == config.steps:
                guest.report(state.step, config.steps, state.history.report(state.step))
    return False


def write_results(guest: Guest, config: TrainConfig, data: "TrainingData", state: "TrainingState") -> None:
    """--- results: the averaged generator's weights, what it makes, and pictures of both."""
    from idleq.workloads.cgan.model import ModelSize
    from idleq.workloads.cgan.results import write_samples_and_pictures
    from idleq.workloads.cgan.weights import WEIGHTS_FILE, save_generator

    size = ModelSize(latent=config.latent, width=config.width)
    save_generator(state.average, size, guest.output / WEIGHTS_FILE)
    write_samples_and_pictures(guest.output, config, data, state)
