"""What the jobs have left, as far as the pages show it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.science.figures import Figure, of_images, of_tods
from bench.science.models import Kind, Model, Size, in_order
from bench.science.plan import CLASSIFIER, JUDGE_WEIGHTS, Budget, Step
from bench.science.running import Place, Ran

CARD = "model-card.json"

PICTURES: Mapping[Kind, Sequence[str]] = {
    "images": ("images", "sizes", "hillas", "scores"),
    "tods": ("spectra", "heights", "examples"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A model whose figures are there.

    Attributes:
        figures: what was measured.
        kept_from: the step whose weights were kept, if a choice was made.
        pictures: by name.
        weights: the digest of those that it was generated with.
    """

    model: Model
    figures: Sequence[Figure]
    kept_from: int | None = None
    pictures: Mapping[str, Path]
    weights: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Everything that the pages are made from.

    Attributes:
        models: those that there are to be.
        judged: those of them that have been, by key.
        classifier: its summary, and where its scores are drawn; None if it is not trained yet.
        steps: the jobs of this run.
        ran: how those went that were begun.
        trained: how much each of the trainings took, as its card says, by the step's name.
        judge: the digest of the classifier's weights.
    """

    budget: Budget
    models: Sequence[Model]
    judged: Mapping[str, Judged]
    classifier: tuple[Mapping[str, Any], Path] | None
    steps: Sequence[Step]
    ran: Mapping[str, Ran]
    trained: Mapping[str, Size] = field(default_factory=dict)
    judge: str = ""

    def of(self, kind: Kind) -> list[Judged]:
        """What has been judged of *kind*, in the order of the pages."""
        return [self.judged[model.key] for model in in_order(self.models, kind) if model.key in self.judged]

    def seeds(self, kind: Kind) -> list[Judged]:
        """The main models of *kind* that were trained from other seeds too, each before those."""
        again = [self.judged[model.key] for model in self.models if model.part == "seeds" and model.key in self.judged]
        return [
            one
            for main in self.of(kind)
            for one in (main, *(other for other in again if other.model.beside == main.model.key))
            if any(other.model.beside == main.model.key for other in again)
        ]


def collect(
    place: Place, budget: Budget, models: Sequence[Model], steps: Sequence[Step], ran: Mapping[str, Ran]
) -> Found:
    """Read what is there."""
    summary = place.result(CLASSIFIER) / "summary.json"
    judge = place.result(CLASSIFIER) / JUDGE_WEIGHTS
    trainings = {step.name: step.trained for step in steps if step.trained is not None}
    cards = {name: place.result(name) / CARD for name in trainings}
    return Found(
        budget=budget,
        models=models,
        judged={model.key: _judged(place, model) for model in models if place.result(f"evaluate-{model.key}").is_dir()},
        classifier=(_read(summary), summary.with_name("scores.png")) if summary.exists() else None,
        steps=steps,
        ran=ran,
        trained={name: _taken(_read(card), trainings[name]) for name, card in cards.items() if card.exists()},
        judge=hashlib.sha256(judge.read_bytes()).hexdigest() if judge.exists() else "",
    )


def _taken(card: Mapping[str, Any], planned: Size) -> Size:
    """What a training took; what its card does not tell is as it was planned."""
    data = card["data"]
    return Size(
        steps=int(card["figures"].get("steps", planned.steps)),
        examples=int(data.get("events", data.get("tods", planned.examples))),
    )


def _judged(place: Place, model: Model) -> Judged:
    folder, trained = place.result(f"evaluate-{model.key}"), place.result(f"train-{model.key}")
    pictures = {name: folder / f"{name}.png" for name in PICTURES[model.kind]}
    weights = str(_read(place.result(f"generate-{model.key}") / "manifest.json").get("weights", ""))
    if model.kind == "images":
        figures = of_images(_read(folder / "evaluation.json"))
        return Judged(model=model, figures=figures, pictures=pictures, weights=weights)
    figures = of_tods(model.label, _read(folder / "figures.json"), _read(folder / "speed.json"))
    kept_from = int(_read(trained / CARD)["figures"]["selected_step"])
    return Judged(model=model, figures=figures, kept_from=kept_from, pictures=pictures, weights=weights)


def _read(path: Path) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(path.read_text())
    return found
