"""`evaluate-images`: generated images beside held-out truth: figures as JSON, plots, and a page.

OUTPUT/evaluation.json     every figure with its target and what the truth itself gives
      /evaluation.md       the same as a page, with the plots
      /*.png
All of it or nothing.
"""

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from idleq.workloads import durable
from idleq.workloads.contract import EXIT_DONE, EXIT_SAVED, Places
from idleq.workloads.errors import CheckpointRefused
from idleq.workloads.guest import Guest, require_parts
from idleq.workloads.judging.figures import ENOUGH, table
from idleq.workloads.shards import checksum
from idleq.workloads.training.lineage import learnt_from
from idleq.workloads.training.loop import MAKING_DATA, PHASE
from idleq.workloads.training.options import add_device, add_output, add_threads, between

if TYPE_CHECKING:
    from idleq.workloads.checkpoint import Checkpoint
    from idleq.workloads.judging.sets import Truth
    from idleq.workloads.judging.stages import Compared

# A part of the checkpoint: the figures of the stages that are done.
STAGES_DONE = "stages"
JUDGING = b"judging"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `evaluate-images`."""
    parser.add_argument("--images", metavar="DIR", required=True, help="where generate-cgan or generate-cvae wrote")
    parser.add_argument("--judge", metavar="FILE", required=True, help="the classifier that train-classifier wrote")
    parser.add_argument("--name", default="generated images", help="what the page calls them")
    parser.add_argument("--events", type=int, default=20_000, help="true events on each side (default 20000)")
    parser.add_argument(
        "--trained-on", type=int, default=60_000, help="events in the data set that was trained on (default 60000)"
    )
    parser.add_argument("--seed", type=int, default=1, help="the seed of the trees that tell apart (default 1)")
    parser.add_argument(
        "--data", metavar="DIR", help="where data sets lie (default IDLEQ_DATA_DIR, else the user's cache)"
    )
    add_device(parser)
    add_threads(parser)
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Evaluate to the end, or save and leave when asked to."""
    between("--events", options.events, 100, 10_000_000)
    between("--trained-on", options.trained_on, 100, 10_000_000)
    between("--seed", options.seed, 0, 2**32 - 1)
    between("--threads", options.threads, 1, 256)
    places = Places.from_environment(os.environ, options.output)
    identity = {
        "judge": checksum(Path(options.judge), "the judge"),
        "images": checksum(Path(options.images) / "manifest.json", "the images' manifest"),
        **{key: getattr(options, key) for key in ("name", "events", "trained_on", "seed", "threads")},
    }
    with Guest(places=places, kind="evaluate-images", identity=identity) as guest:
        checkpoint = guest.restore()
        done = _done(checkpoint)
        compared = _load(guest, options, places, checkpoint)
        if compared is None:
            return EXIT_SAVED
        from idleq.workloads.judging.stages import STAGES, measured

        for name in STAGES:
            if not guest.may_go_on(len(done), lambda: _parts(done)):
                return EXIT_SAVED
            if name not in done:
                done[name] = [figure.to_dict() for figure in measured(name, compared)]
                guest.report(len(done), len(STAGES), {"figures": float(sum(map(len, done.values())))})
        _write(guest.output, options.name, compared, [figure for stage in STAGES for figure in done[stage]])
        guest.finish()
    return EXIT_DONE


def _parts(done: Mapping[str, Any]) -> dict[str, bytes]:
    return {PHASE: JUDGING, STAGES_DONE: durable.canonical_json(done)}


def _done(checkpoint: "Checkpoint | None") -> dict[str, list[dict[str, Any]]]:
    """The figures of each stage that was done."""
    if checkpoint is None:
        return {}
    require_parts(checkpoint, (PHASE,))
    if checkpoint.parts[PHASE] == MAKING_DATA:
        return {}
    if checkpoint.parts[PHASE] != JUDGING:
        raise CheckpointRefused(f"the checkpoint at step {checkpoint.step} is of an unknown phase")
    require_parts(checkpoint, (STAGES_DONE,))
    return dict(json.loads(checkpoint.parts[STAGES_DONE]))


def _load(
    guest: Guest, options: argparse.Namespace, places: Places, checkpoint: "Checkpoint | None"
) -> "Compared | None":
    """Everything that is compared; None = asked to leave while data was made, and saved."""
    from idleq.workloads.classifier.weights import load_judge
    from idleq.workloads.iact.camera import Camera
    from idleq.workloads.judging.sets import Generated
    from idleq.workloads.judging.stages import Compared
    from idleq.workloads.training.device import find_device, use_one_thread_pool

    use_one_thread_pool(options.threads)
    camera = Camera.load()
    device = find_device(options.device)
    judge = load_judge(Path(options.judge), camera)
    judge.model.to(device)
    generated = Generated.load(Path(options.images), camera)
    truth = _truth(guest, options, places, checkpoint)
    if truth is None:
        return None
    truth.check_unseen(generated.learnt_from, learnt_from(Path(options.judge)), options.trained_on)
    return Compared(generated=generated, truth=truth, judge=judge, camera=camera, seed=options.seed)


def _truth(
    guest: Guest, options: argparse.Namespace, places: Places, checkpoint: "Checkpoint | None"
) -> "Truth | None":
    from idleq.workloads.iact.dataset import DatasetSpec
    from idleq.workloads.iact.fetching import dataset_for
    from idleq.workloads.judging.sets import Truth

    specs = (
        DatasetSpec(events=options.events, split="held-out"),
        DatasetSpec(events=options.events, split="held-out", seed=2),
        DatasetSpec(events=options.events, seed=2),
        DatasetSpec(events=options.trained_on),
    )
    found = []
    for spec in specs:
        dataset = dataset_for(guest, spec, places, options.data, checkpoint)
        if dataset is None:
            return None
        found.append(dataset)
    held_out, again, resampled, trained_on = found
    return Truth(held_out=held_out, again=again, resampled=resampled, trained_on=trained_on)


def _write(output: Path, name: str, compared: "Compared", figures: Sequence[Mapping[str, Any]]) -> None:
    from idleq.workloads.judging.plots import draw_all

    pictures = draw_all(compared)
    values = {
        "format": 1,
        "name": name,
        "figures": list(figures),
        "events": {"generated": len(compared.generated.images), "true": len(compared.truth.held_out.images)},
        "weights": compared.generated.manifest.get("weights"),
        "judge_cut": compared.judge.threshold,
        "learnt_from": compared.generated.learnt_from,
    }
    content = {
        **pictures,
        "evaluation.md": page(values, list(pictures)).encode(),
        "evaluation.json": durable.canonical_json(values),
    }
    with durable.explained("the evaluation", output):
        durable.replace_files(output, content)


def page(values: Mapping[str, Any], pictures: Sequence[str]) -> str:
    """The evaluation for people."""
    missed = [figure["name"] for figure in values["figures"] if figure["reached"] is False]
    events = values["events"]
    if min(events["generated"], events["true"]) < ENOUGH:
        verdict = f"No verdict: there are fewer than {ENOUGH} images on a side."
    else:
        verdict = f"Not reached: {'; '.join(missed)}." if missed else "Every target is reached."
    unknown = (
        "What they were learnt from is not known: that no copies are among them holds only if --trained-on is right."
    )
    lines = [
        f"# {values['name']}",
        "",
        f"{events['generated']} generated images beside {events['true']} held-out true gammas. {verdict}",
        "",
        *([] if values.get("learnt_from") else [unknown, ""]),
        *table(values["figures"]),
        "",
        *[f"![{Path(name).stem}]({name})" for name in pictures],
        "",
    ]
    return "\n".join(lines)
