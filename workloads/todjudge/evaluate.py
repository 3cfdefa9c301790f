"""`evaluate-tods`: generated TODs, two baselines and a second truth beside held-out truth.

OUTPUT/figures.json    the figures of each set and class, the targets, whether they are reached
      /report.md       the same for people, with spectra.png, heights.png, examples.png
      /speed.json      seconds of one core per TOD, with --weights: a measurement, and so the only file (with its rows
                       of the page) that differs from run to run
All of it or nothing.
"""

import argparse
import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from idleq.workloads import durable
from idleq.workloads.contract import EXIT_DONE, EXIT_SAVED, Places
from idleq.workloads.errors import BadOption
from idleq.workloads.guest import Guest, require_parts
from idleq.workloads.training.options import add_output, between

if TYPE_CHECKING:
    from idleq.workloads.tods.dataset import TodSet

# A part of every checkpoint: the sets that have been measured.
MEASURED = "measured"

TODS_PER_FILE = 600
TRUTH, SECOND, WHITE, COLOURED = "truth", "truth again", "white noise", "coloured noise"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `evaluate-tods`."""
    parser.add_argument(
        "--generated", metavar="NAME=DIR", action="append", default=[], help="what generate-todgan wrote; repeatable"
    )
    parser.add_argument(
        "--weights", metavar="NAME=FILE", action="append", default=[], help="a generator to time; repeatable"
    )
    parser.add_argument(
        "--only-generated", action="store_true", help="leave out the second truth and the two baselines"
    )
    parser.add_argument(
        "--per-class", type=int, default=4_000, help="TODs of the truth with 0, 1 and 2+ hits each (default 4000)"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of the truth and the baselines (default 1)")
    parser.add_argument(
        "--data", metavar="DIR", help="where simulated TODs lie (default IDLEQ_DATA_DIR, else the user's cache)"
    )
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Measure set after set, or save and leave when asked to."""
    between("--per-class", options.per_class, 100, 1_000_000)
    between("--seed", options.seed, 0, 2**32 - 1)
    folders, weights = _named(options.generated, "--generated"), _named(options.weights, "--weights")
    places = Places.from_environment(os.environ, options.output)
    identity = _identity(options, folders)
    with Guest(places=places, kind="evaluate-tods", identity=identity) as guest:
        measured = _restored(guest)
        truths = _truths(guest, options, places, measured)
        if truths is None:
            return EXIT_SAVED
        makers = _makers(truths, folders, options)
        if not _measure_all(guest, measured, makers, truths[TRUTH]):
            return EXIT_SAVED
        _write(guest, measured, _speeds(weights))
        guest.finish()
    return EXIT_DONE


def _identity(options: argparse.Namespace, folders: Mapping[str, Path]) -> dict[str, Any]:
    from idleq.workloads.todjudge.generated import checksum_of

    return {
        "per_class": options.per_class,
        "only_generated": options.only_generated,
        "seed": options.seed,
        "generated": {name: checksum_of(folder) for name, folder in folders.items()},
    }


def _truths(
    guest: Guest, options: argparse.Namespace, places: Places, measured: dict[str, Any]
) -> "dict[str, TodSet] | None":
    """The held-out truth, and a second one where that is wanted; None = asked to leave while they were made, and saved."""
    from idleq.workloads.tods.dataset import Split, TodSpec, ensure_tods
    from idleq.workloads.tods.places import tod_root

    root = tod_root(os.environ, options.data, places)
    files = -(-3 * options.per_class // TODS_PER_FILE)
    per_file = min(TODS_PER_FILE, 3 * options.per_class)
    splits: dict[str, Split] = {TRUTH: "held-out", SECOND: "second"}
    if options.only_generated:
        del splits[SECOND]
    made = {}
    for name, split in splits.items():
        spec = TodSpec(seed=options.seed, split=split, mix="balanced", tods_per_file=per_file)
        one = ensure_tods(spec, files, root, lambda: not guest.may_go_on(len(measured), _saver(measured)))
        if one is None:
            return None
        made[name] = one
    return made


def _makers(
    truths: "Mapping[str, TodSet]", folders: Mapping[str, Path], options: argparse.Namespace
) -> dict[str, Callable[[], tuple[Any, Any]]]:
    """Set -> a function that gives its TODs and their numbers of hits."""
    import numpy as np

    from idleq.workloads.todjudge.baselines import coloured_noise, white_noise
    from idleq.workloads.todjudge.generated import Generated

    held_out = truths[TRUTH].tods

    def baseline(noise: Callable[..., Any], number: int) -> tuple[Any, Any]:
        made = np.empty_like(held_out.tods)
        for hits in np.unique(held_out.hits):
            chosen = held_out.hits == hits
            made[chosen] = noise(held_out.tods[chosen], np.random.default_rng([options.seed, number, int(hits)]))
        return made, held_out.hits

    def generated(folder: Path) -> tuple[Any, Any]:
        tods = Generated.load(folder).tods
        return tods.tods, tods.hits

    baselines: dict[str, Callable[[], tuple[Any, Any]]] = {
        WHITE: lambda: baseline(white_noise, 1),
        COLOURED: lambda: baseline(coloured_noise, 2),
    }
    return {
        **{name: partial(lambda one: (one.tods.tods, one.tods.hits), one) for name, one in truths.items()},
        **({} if options.only_generated else baselines),
        **{name: partial(generated, folder) for name, folder in folders.items()},
    }


def _measure_all(
    guest: Guest, measured: dict[str, Any], makers: Mapping[str, Callable[[], tuple[Any, Any]]], truth: "TodSet"
) -> bool:
    """Every set into *measured*; False = asked to leave, and saved."""
    waiting = [name for name in makers if name not in measured]
    while guest.may_go_on(len(measured), _saver(measured)):
        if not waiting:
            return True
        name = waiting.pop(0)
        tods, hits = makers[name]()
        measured[name] = _measure(tods, hits, truth, is_truth=name == TRUTH)
        guest.report(len(measured), len(makers), {})
    return False


def _measure(tods: Any, hits: Any, truth: "TodSet", *, is_truth: bool) -> dict[str, Any]:  # noqa: ANN401 - arrays
    """The figures of a set and what the pictures show of it; of the truth itself there are no figures."""
    from idleq.workloads.todjudge.figures import Classes, curves, measure, truth_width

    if is_truth:
        made = Classes.asked(tods, hits)
        return {"by": made.by, "classes": {}, "curves": curves(made)}
    if (hits >= 0).all():
        made, true = Classes.asked(tods, hits), Classes.asked(truth.tods.tods, truth.tods.hits)
        return {"by": made.by, "classes": measure(made, true), "curves": curves(made)}
    width = truth_width(truth.tods.tods, truth.tods.hits)
    made, true = Classes.found(tods, width), Classes.found(truth.tods.tods, width)
    return {"by": made.by, "classes": measure(made, true), "curves": curves(made), "true_curves": curves(true)}


def _speeds(weights: Mapping[str, Path]) -> dict[str, float]:
    """Seconds of one core per TOD of each generator, in batches."""
    if not weights:
        return {}
    from idleq.workloads.todgan.speed import seconds_per_tod
    from idleq.workloads.todgan.weights import load_generator
    from idleq.workloads.training.device import use_one_thread_pool

    use_one_thread_pool(1)
    loaded = {name: load_generator(path) for name, path in weights.items()}
    return {name: seconds_per_tod(generator, scale) for name, (generator, _, scale) in loaded.items()}


def _write(guest: Guest, measured: Mapping[str, Any], seconds: Mapping[str, float]) -> None:
    from idleq.workloads.todjudge import pictures
    from idleq.workloads.todjudge.figures import TARGETS, reached
    from idleq.workloads.todjudge.page import as_page

    sets = {name: {"by": one["by"], "classes": one["classes"]} for name, one in measured.items() if name != TRUTH}
    verdicts = {
        name: {kind: {figure: reached(values, figure) for figure in TARGETS} for kind, values in one["classes"].items()}
        for name, one in sets.items()
    }
    curves = {TRUTH: measured[TRUTH]["curves"]}
    found = {name: one["true_curves"] for name, one in measured.items() if "true_curves" in one}
    if found:
        curves[pictures.TRUTH_FOUND] = next(iter(found.values()))
    curves.update((name, one["curves"]) for name, one in measured.items() if name != TRUTH)
    figures = {
        "format": 1,
        "targets": {name: limit for name, (_, limit) in TARGETS.items()},
        "sets": sets,
        "reached": verdicts,
    }
    content = {
        "spectra.png": pictures.draw_spectra(curves, set(found)),
        "heights.png": pictures.draw_heights(curves),
        "examples.png": pictures.draw_examples(curves),
        "report.md": as_page(sets, seconds).encode(),
    }
    if seconds:
        content["speed.json"] = durable.canonical_json(dict(seconds))
    content["figures.json"] = durable.canonical_json(figures)
    with durable.explained("the figures", guest.output):
        durable.replace_files(guest.output, content)


def _restored(guest: Guest) -> dict[str, Any]:
    checkpoint = guest.restore()
    if checkpoint is None:
        return {}
    require_parts(checkpoint, (MEASURED,))
    return dict(json.loads(checkpoint.parts[MEASURED]))


def _saver(measured: Mapping[str, Any]) -> Callable[[], dict[str, bytes]]:
    # Not sorted: the sets' order is that of the page.
    return lambda: {MEASURED: json.dumps(measured).encode()}


def _named(given: list[str], option: str) -> dict[str, Path]:
    """NAME=PATH -> path by name, in the order given."""
    named: dict[str, Path] = {}
    for text in given:
        name, separator, path = text.partition("=")
        if not (name and separator and path) or name in named or name in {TRUTH, SECOND, WHITE, COLOURED}:
            raise BadOption(f"{option} must be NAME=PATH with a name of its own, not {text!r}")
        named[name] = Path(path)
    return named
