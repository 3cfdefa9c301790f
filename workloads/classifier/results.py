"""What a finished training leaves: the judge, its quality beside the classical cuts', scores drawn, a card."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from idleq.workloads import durable
from idleq.workloads.classifier.config import TrainConfig
from idleq.workloads.classifier.cuts import BOX, HillasCut, boosted_scores
from idleq.workloads.classifier.data import TrainingData
from idleq.workloads.classifier.model import ModelSize
from idleq.workloads.classifier.quality import best_threshold, measure
from idleq.workloads.classifier.state import ClassifierState
from idleq.workloads.classifier.step import scores_of
from idleq.workloads.classifier.weights import WEIGHTS_FILE, Judge, save_judge
from idleq.workloads.png import as_png
from idleq.workloads.training.card import ModelCard, write_card
from idleq.workloads.training.curves import draw_curves

Array = npt.NDArray[Any]

GAMMA_COLOUR = "#3d6fb4"
HADRON_COLOUR = "#c1602a"

RENDERED_BOTH = (
    "Both particles are rendered from MAGIC's Hillas parameters: what no Hillas parameter tells is not there to learn."
)

# Events scored between two chances to leave.
AT_ONCE = 5_000


def write_results(output: Path, config: TrainConfig, data: TrainingData, state: ClassifierState) -> Iterator[None]:
    """Write everything, piece by piece; all of it is the same on every run."""
    model = state.best.model(state.average).eval()
    validated, measured = np.empty(len(data.validate.images)), np.empty(len(data.measure.images))
    for scores, events in ((validated, data.validate), (measured, data.measure)):
        for start in range(0, len(scores), AT_ONCE):
            scores[start : start + AT_ONCE] = scores_of(model, events.images[start : start + AT_ONCE])
            yield
    judge = Judge(model=model, threshold=best_threshold(validated, data.validate.is_gamma))
    save_judge(judge, ModelSize(width=config.width), output / WEIGHTS_FILE)
    quality = {"cnn": _quality(measured >= judge.threshold, data, config)}
    yield
    quality["boosted_hillas"] = _boosted(data, config)
    yield
    quality["hillas_cut"] = _box(data, config)
    yield
    figures = {
        "steps": state.step,
        "best_step": state.best.step,
        "threshold": round(judge.threshold, 6),
        "quality": quality,
    }
    parameters = sum(values.numel() for values in model.parameters())
    _write(
        output,
        state,
        {**figures, "parameters": parameters},
        draw_scores(measured, data.measure.is_gamma, judge.threshold),
    )
    write_card(output, _card(config, data, state, parameters, figures))


def _write(output: Path, state: ClassifierState, summary: dict[str, Any], scores: bytes) -> None:
    looks = [{"step": step, "validation": figure} for step, figure in state.best.curve]
    content = {
        "summary.json": durable.canonical_json(summary),
        "scores.png": scores,
        "loss.png": draw_curves(
            [*state.history.reports, *looks],
            {"loss": "trained on", "validation": "validation"},
            title="Training",
            ylabel="cross-entropy",
            level=None,
        ),
    }
    with durable.explained("the results", output):
        durable.replace_files(output, content)


def _boosted(data: TrainingData, config: TrainConfig) -> dict[str, float]:
    """Boosted trees on the same events, their cut from the same validation data."""
    validated, measured = boosted_scores(data.learn, (data.validate, data.measure), config.seed)
    return _quality(measured >= best_threshold(validated, data.validate.is_gamma), data, config)


def _box(data: TrainingData, config: TrainConfig) -> dict[str, float]:
    """The box cut from the same validation data, on the same events."""
    cut = HillasCut.choose(data.validate)
    limits = {name: round(limit, 3) for name, limit in zip(BOX, cut.limits, strict=True)}
    return {**_quality(cut.keeps(data.measure.parameters), data, config), **limits}


def _quality(is_kept: Array, data: TrainingData, config: TrainConfig) -> dict[str, float]:
    return measure(is_kept, data.measure.is_gamma, data.measure.rows, config.seed).to_dict()


def draw_scores(scores: Array, is_gamma: Array, threshold: float) -> bytes:
    """How both particles score on events that neither training nor cut has seen."""
    figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    bins = np.linspace(0, 1, 51).tolist()
    for chosen, colour, label in ((is_gamma, GAMMA_COLOUR, "gammas"), (~is_gamma, HADRON_COLOUR, "hadrons")):
        axes.hist(scores[chosen], bins, color=colour, alpha=0.55, label=label, density=True)
    axes.axvline(threshold, color="0.3", linewidth=0.9, linestyle=":", label="the cut")
    axes.set(xlabel="gamma score", ylabel="density", title="Held-out events")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return as_png(figure)


def _card(
    config: TrainConfig, data: TrainingData, state: ClassifierState, parameters: int, figures: dict[str, Any]
) -> ModelCard:
    return ModelCard(
        name="Gamma/hadron classifier for TAIGA-IACT images",
        what="A convolutional network on the image along its own axes, with a cut from validation data.",
        source="the quality factor of the field's papers on this telescope",
        weights=WEIGHTS_FILE,
        parameters={"classifier": parameters},
        settings=config.identity(),
        data={"digests": data.digest, "events": config.events, **data.origin.told()},
        figures=figures,
        limits=(
            RENDERED_BOTH if data.origin.is_rendered else data.origin.limit,
            "Hadrons outnumber gammas by far in the sky; the score is no probability.",
        ),
        devices=state.history.devices,
    )
