"""docs/science.md, from the results of the jobs: no number in it is typed in by hand."""

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.science.plan import Budget
from bench.science.running import Place, Ran

MODELS = {"cgan": "cGAN", "cvae": "cVAE"}
PICTURES = ("images", "sizes", "hillas", "scores")
AGAIN, RESAMPLED = "truth again", "resample and render"

HEAD = """\
# The science: what the images score

Made by `make science`, which runs every training, generation and judging as a job of idleq on the embedded cluster. The truth is **a stand-in for
TAIGA's Monte Carlo**, which is not public: rendered from MAGIC's Hillas parameters ([data](reference/data.md)). So the papers' absolute figures stand
beside ours and are no targets: they belong to other data and another judge. Everything is compared with held-out truth whose table rows no training
and no judge has seen, under the same judge; *truth again* is another recording of the held-out showers, *resample and render* one of the training's
showers: what a perfect generator could score. The stand-in's showers have no fine structure, and the cVAE draws smooth shapes: its figures here say
nothing of islands in real images.
"""


def write_page(place: Place, budget: Budget, ran: Mapping[str, Ran], target: Path, pictures: Path) -> None:
    """Write the page of what is done to *target* and copy the plots to *pictures*."""
    models = judged(place)
    evaluations = {model: _read(place.result(f"evaluate-{model}") / "evaluation.json") for model in models}
    summaries = {model: _read(place.result(f"train-{model}") / "summary.json") for model in ("classifier", *models)}
    pictures.mkdir(parents=True, exist_ok=True)
    for model in models:
        for name in PICTURES:
            shutil.copyfile(place.result(f"evaluate-{model}") / f"{name}.png", pictures / f"{model}-{name}.png")
    shutil.copyfile(place.result("train-classifier") / "scores.png", pictures / "classifier-scores.png")
    folder = pictures.relative_to(target.parent)
    lines = [
        HEAD,
        *_verdict(evaluations),
        *_quality(summaries["classifier"], folder),
        *_compared(evaluations),
        *_pictures(models, folder),
        *_work(budget, ran, summaries),
    ]
    target.write_text("\n".join(lines))


def judged(place: Place) -> list[str]:
    """The models whose images have been judged."""
    return [model for model in MODELS if place.result(f"evaluate-{model}").is_dir()]


def _verdict(evaluations: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = ["## In short", ""]
    for model, evaluation in evaluations.items():
        with_target = [figure for figure in evaluation["figures"] if figure["target"] is not None]
        missed = [f"{figure['name']} ({figure['value']:.3f})" for figure in with_target if not figure["reached"]]
        said = f"Not reached: {'; '.join(missed)}." if missed else "All are reached."
        lines.append(f"- {MODELS[model]}: {len(with_target) - len(missed)} of {len(with_target)} targets. {said}")
    lines += [
        f"- {label}: **not run in the time that there was**; the same command goes on with it."
        for model, label in MODELS.items()
        if model not in evaluations
    ]
    return [*lines, ""]


def _quality(summary: Mapping[str, Any], folder: Path) -> list[str]:
    names = {"cnn": "CNN", "boosted_hillas": "boosted Hillas parameters", "hillas_cut": "Hillas cut"}
    lines = [
        "## The judge",
        "",
        "Quality factor Q = (share of gammas kept) / sqrt(share of hadrons kept) on held-out events, the cut fixed on validation data; intervals of 95 % by",
        "drawing table rows anew. The seeds have 2.55 to 2.99 for a CNN on cleaned images and 1.70 for the classical cut, on their own data.",
        "",
        "| | Q | 95 % | gammas kept | hadrons kept |",
        "|---|---|---|---|---|",
    ]
    for key, label in names.items():
        one = summary["quality"][key]
        lines.append(
            f"| {label} | {one['q']:.2f} | {one['low']:.2f} to {one['high']:.2f} | {one['gamma_efficiency']:.3f} | {one['hadron_efficiency']:.4f} |"
        )
    best = summary["quality"]["cnn"]["q"] >= summary["quality"]["boosted_hillas"]["q"]
    verdict = "The CNN is at least as good as boosted Hillas parameters." if best else (
        "**Not reached**: the CNN is not as good as boosted Hillas parameters."
    )  # fmt: skip
    return [*lines, "", verdict, "", f"![scores]({folder}/classifier-scores.png)", ""]


def _compared(evaluations: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = [
        "## Generated images beside held-out truth",
        "",
        f"| figure | {' | '.join(MODELS[model] for model in evaluations)} | target | {AGAIN} | {RESAMPLED} | paper |",
        f"|{'---|' * (len(evaluations) + 5)}",
    ]
    rows: dict[str, dict[str, Mapping[str, Any]]] = {}
    for model, evaluation in evaluations.items():
        for figure in evaluation["figures"]:
            rows.setdefault(figure["name"], {})[model] = figure
    for name, by_model in rows.items():
        lines.append(_row(name, by_model, evaluations))
    return [*lines, ""]


def _row(name: str, by_model: Mapping[str, Mapping[str, Any]], models: Iterable[str]) -> str:
    any_one = next(iter(by_model.values()))
    cells = []
    for model in models:
        figure = by_model.get(model)
        text = "" if figure is None else f"{figure['value']:.3f}"
        cells.append(f"**{text}, not reached**" if figure is not None and figure["reached"] is False else text)
    sign = "<=" if any_one["better"] == "less" else ">="
    target = "" if any_one["target"] is None else f"{sign} {any_one['target']:g}"
    baselines = any_one["baselines"]
    again = baselines.get(AGAIN, baselines.get("held-out truth"))
    given = ["" if value is None else f"{value:.3f}" for value in (again, baselines.get(RESAMPLED))]
    return f"| {name} | {' | '.join([*cells, target, *given, any_one['paper']])} |"


def _pictures(models: Iterable[str], folder: Path) -> list[str]:
    lines = ["## Pictures", ""]
    for model in models:
        label = MODELS[model]
        lines += [f"### {label}", "", *[f"![{label}: {name}]({folder}/{model}-{name}.png)" for name in PICTURES], ""]
    return lines


def _work(budget: Budget, ran: Mapping[str, Ran], summaries: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = [
        "## What was run",
        "",
        f"Budget: {budget.about}. {budget.trained_on} training images for each generator; {budget.generated} generated and {budget.judged} true ones judged.",
        "One thread each, on CPU cores that were shared with other work: the seconds are of wall time within segments and say little.",
        "",
        "| job | steps | segments | moves | seconds |",
        "|---|---|---|---|---|",
    ]
    for name, one in ran.items():
        steps = summaries.get(name.removeprefix("train-"), {}).get("steps", "") if name.startswith("train-") else ""
        lines.append(f"| {name} | {steps} | {one.segments} | {one.moves} | {one.seconds:.0f} |")
    return [*lines, ""]


def _read(path: Path) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(path.read_text())
    return found


def table_for_people(page: Path) -> Sequence[str]:
    """The lines of the page's tables, to be printed."""
    return [line for line in page.read_text().splitlines() if line.startswith("|")]
