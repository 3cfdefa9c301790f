"""`train-todgan`: train a generator of TODs, leaving and going on whenever idleq asks for it.

Read from top to bottom: config, device, data, models and optimisers, loop, results.
"""

import argparse
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from idleq.workloads.contract import EXIT_SAVED, Places
from idleq.workloads.errors import BadOption, DamagedData
from idleq.workloads.guest import Guest
from idleq.workloads.todgan.config import MAX_COUNT, USUAL, TodTrainConfig, Variant
from idleq.workloads.training.choices import add_choice
from idleq.workloads.training.loop import go_on_from, stopping, train_to_end
from idleq.workloads.training.options import add_device, add_output, add_threads
from idleq.workloads.training.precision import add_precision

if TYPE_CHECKING:
    from idleq.workloads.checkpoint import Checkpoint
    from idleq.workloads.tods.dataset import TodSet
    from idleq.workloads.tods.hits import HitMix

PER_FILE = 500


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `train-todgan`."""
    quick, full = USUAL[Variant.SLIDES].quick, USUAL[Variant.SLIDES].full
    add_choice(parser, "--variant", Variant.SLIDES, "which networks and scheme (default slides)")
    parser.add_argument("--quick", action="store_true", help="about a minute of one core, the data set included")
    parser.add_argument("--steps", type=int, help=f"training steps (default {full['steps']}, quick {quick['steps']})")
    parser.add_argument(
        "--count",
        type=int,
        help=f"TODs to learn from (default {full['count']}, quick {quick['count']}; with --tods all that are there)",
    )
    parser.add_argument("--batch", type=int, default=64, help="TODs in a batch (default 64)")
    parser.add_argument(
        "--extra-steps", type=int, default=0, help="more steps of the slides' discriminator for each step (default 0)"
    )
    parser.add_argument(
        "--hits", choices=("natural", "balanced"), default="balanced", help="how often the TODs have hits"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of weights, noise and order (default 1)")
    parser.add_argument("--tods", metavar="DIR", nargs="+", help="TODs that simulate-tods made, instead of making them")
    parser.add_argument(
        "--data", metavar="DIR", help="where simulated TODs lie (default IDLEQ_DATA_DIR, else the user's cache)"
    )
    add_precision(parser)
    add_device(parser)
    add_threads(parser)
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Train to the end, or save and leave when asked to."""
    # --- config
    config = config_of(options)
    places = Places.from_environment(os.environ, options.output)
    # The guest listens before anything slow is imported: a freeze may be asked for at any time.
    with Guest(places=places, kind="train-todgan", identity=identity_of(config, options)) as guest:
        checkpoint = guest.restore()
        # --- device
        from idleq.workloads.training.device import find_device, use_one_thread_pool

        use_one_thread_pool(config.threads)
        device = find_device(options.device)
        # --- data: made where it is not there yet
        sets = load_sets(guest, config, places, options, checkpoint)
        if sets is None:
            return EXIT_SAVED
        config = replace(config, count=len(sets[0].tods))
        from idleq.workloads.todgan.data import TrainingTods
        from idleq.workloads.todgan.looking import look_at
        from idleq.workloads.todgan.state import begin
        from idleq.workloads.todgan.step import train_step

        data, apart = TrainingTods.prepare(sets[0].tods, sets[0].digest, device), sets[1].tods
        # --- models and optimisers: new ones, or exactly those of the checkpoint
        state = begin(config, data, device)
        go_on_from(state, checkpoint)

        # --- loop, then results: the best average's weights, the losses, TODs that it makes
        def step() -> dict[str, float]:
            metrics = train_step(state, config, *data.batch(state.order.next()))
            look_at(state, config, data.scale, apart)
            return metrics

        def results() -> Iterator[None]:
            from idleq.workloads.todgan.results import write_results

            return write_results(guest.output, config, data, state, sets[0].made_for)

        return train_to_end(guest, state, config, step, results)


def config_of(options: argparse.Namespace) -> TodTrainConfig:
    """What was asked for, else what `--quick` or its absence means."""
    usual = USUAL[options.variant]
    chosen = usual.quick if options.quick else usual.full
    count = MAX_COUNT if takes_all(options) else chosen["count"]  # how many are there is known once they are read
    return TodTrainConfig(
        variant=options.variant,
        steps=chosen["steps"] if options.steps is None else options.steps,
        count=count if options.count is None else options.count,
        seed=options.seed,
        threads=options.threads,
        precision=options.precision,
        batch=options.batch,
        extra_steps=options.extra_steps,
        looked_at=chosen["looked_at"],
    )


def takes_all(options: argparse.Namespace) -> bool:
    """Whether all TODs that are given are learned from, however many they are."""
    return bool(options.tods) and options.count is None


def identity_of(config: TodTrainConfig, options: argparse.Namespace) -> dict[str, Any]:
    """What a checkpoint must agree with before anything is read; which TODs are given, the state itself holds."""
    count = "as given" if takes_all(options) else config.count
    return {**config.identity(), "count": count, "hits": options.hits}


def load_sets(
    guest: Guest,
    config: TodTrainConfig,
    places: Places,
    options: argparse.Namespace,
    checkpoint: "Checkpoint | None",
) -> "tuple[TodSet, TodSet] | None":
    """The TODs to learn from and those set apart; None = asked to leave while they were made, and saved.

    What *checkpoint* holds is kept as it is then: TODs may have to be made again in any segment.
    """
    from idleq.workloads.tods.dataset import TodSet, TodSpec, ensure_tods
    from idleq.workloads.tods.places import tod_root

    root = tod_root(os.environ, options.data, places)
    should_stop = stopping(guest, checkpoint)
    given: TodSet | None
    if options.tods:
        given = TodSet.load([Path(folder) for folder in options.tods])
    else:
        spec = TodSpec(mix=options.hits, tods_per_file=PER_FILE)
        given = ensure_tods(spec, -(-config.count // PER_FILE), root, should_stop)
    if given is None:
        return None
    count = len(given.tods) if takes_all(options) else config.count
    _refuse_too_few(len(given.tods), count, config.batch)
    if given.made_for.get("split") != "train":
        raise DamagedData(f"the TODs are of the split {given.made_for.get('split')!r}, which no training may see")
    spec = TodSpec(split="selection", mix=_mix_apart(config, given), tods_per_file=min(PER_FILE, config.looked_at))
    apart = ensure_tods(spec, -(-config.looked_at // spec.tods_per_file), root, should_stop)
    return None if apart is None else (given.first(count), apart.first(config.looked_at))


def _refuse_too_few(there: int, count: int, batch: int) -> None:
    if there < batch:
        raise BadOption(
            f"there are {there} TODs, fewer than a batch ({batch}); make more, or ask for a smaller --batch"
        )
    if there < count:
        raise BadOption(f"there are {there} TODs, fewer than --count {count}; make more, or ask for fewer")


def _mix_apart(config: TodTrainConfig, given: "TodSet") -> "HitMix":
    """How often the TODs set apart have hits.

    A generator that is told the hits is measured for each number of them; one that is not can only be near what it learned from.
    """
    from idleq.workloads.todgan.models import GENERATORS

    if GENERATORS[config.variant].is_conditional or given.made_for.get("mix") == "balanced":
        return "balanced"
    return "natural"
