"""The parts of an evaluation, one after the other; each gives figures and can be the last before a move."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from idleq.workloads.classifier.step import scores_of
from idleq.workloads.classifier.weights import Judge
from idleq.workloads.errors import DamagedData
from idleq.workloads.iact.camera import Camera
from idleq.workloads.iact.dataset import CLASSES, Dataset
from idleq.workloads.iact.hillas import PARAMETERS, column, hillas
from idleq.workloads.judging.figures import Figure
from idleq.workloads.judging.measures import Spread, correlations, ks, nearest, separation, spread
from idleq.workloads.judging.sets import Generated, Truth

Array = npt.NDArray[Any]

AGAIN, RESAMPLED, HELD_OUT = "truth again", "resample and render", "held-out truth"

# What the trees that tell made from true are given.
TOLD_APART_BY = ("log_size", "pixels", "width", "length", "concentration", "brightest")

# Images whose neighbours among all training images are looked for.
LOOKED_AT = 1_000

# Images whose distances from each other are taken: with a thousand on each side their ratio is off by two in a hundred.
SPREAD_OF = 10_000

# Images at less than this from each other, in logarithms of light, are one and the same but for the arithmetic.
SAME = 1e-4

# Which ones these are.
CHOICE_SEED = 1

# A made image nearer to a training image than all but one in a hundred true ones is suspect; twice as many are too many.
SUSPECT = 0.01


@dataclass(frozen=True)
class Compared:
    """Everything that the stages look at."""

    generated: Generated
    truth: Truth
    judge: Judge
    camera: Camera
    seed: int

    def others(self) -> dict[str, Dataset]:
        """The sets that are as true as the held-out one."""
        return {AGAIN: self.truth.again, RESAMPLED: self.truth.resampled}

    @property
    def events(self) -> int:
        """The images on the side that has fewer."""
        return min(len(self.generated.images), len(self.truth.held_out.images))


def judged(compared: Compared) -> list[Figure]:
    """How the classifier scores them."""
    held_out = scores_of(compared.judge.model, compared.truth.held_out.images)
    made = scores_of(compared.judge.model, compared.generated.images)
    others = {name: scores_of(compared.judge.model, data.images) for name, data in compared.others().items()}

    def share(scores: Array) -> float:
        return float((scores >= compared.judge.threshold).mean())

    def off(measure: Callable[[Array], float], scores: Array) -> float:
        return abs(measure(scores) - measure(held_out))

    def mean(scores: Array) -> float:
        return float(scores.mean())

    return [
        Figure(name="gamma score, KS to held-out gammas", value=ks(made, held_out), target=0.05,
               baselines={name: ks(scores, held_out) for name, scores in others.items()}),
        Figure(name="mean gamma score, off by", value=off(mean, made), target=0.01,
               baselines={name: off(mean, scores) for name, scores in others.items()}),
        Figure(name="share judged gamma, off by", value=off(share, made), target=0.01,
               baselines={name: off(share, scores) for name, scores in others.items()}),
        Figure(name="mean gamma score", value=mean(made), paper="cVAE 0.984, its own judge",
               baselines={HELD_OUT: mean(held_out), **{name: mean(scores) for name, scores in others.items()}}),
        Figure(name="share judged gamma", value=share(made), paper="TAIGA GAN > 0.95, its own judge",
               baselines={HELD_OUT: share(held_out), **{name: share(scores) for name, scores in others.items()}}),
    ]  # fmt: skip


def told_apart(compared: Compared) -> list[Figure]:
    """Whether boosted trees can tell them from true ones."""
    chosen = [column(name) for name in TOLD_APART_BY]

    def features(images: Array) -> Array:
        return hillas(images, compared.camera)[:, chosen]

    true, rows = features(compared.truth.held_out.images), compared.truth.held_out.rows
    value = separation(features(compared.generated.images), true, rows, compared.seed)
    others = {
        name: separation(features(data.images), true, rows, compared.seed, data.rows)
        for name, data in compared.others().items()
    }
    return [Figure(name="AUC of trees that tell made from true", value=value, target=0.60, baselines=others)]


def sizes(compared: Compared) -> list[Figure]:
    """Sizes after threshold and cleaning: over all classes, and within each."""
    made = compared.generated.images.sum(axis=1, dtype=np.float64)
    held_out = compared.truth.held_out.sizes
    figures = [
        Figure(name="size over all classes, KS to held-out gammas", value=ks(made, held_out), target=0.03,
               baselines={name: ks(data.sizes, held_out) for name, data in compared.others().items()},
               paper="cGAN: sum over classes close to the training's"),
    ]  # fmt: skip
    known, edges = compared.truth.trained_on, np.array(compared.truth.trained_on.edges)
    for index in range(CLASSES):
        of_class = made[compared.generated.classes == index]
        inside = (of_class >= edges[index]) & (of_class <= edges[index + 1])
        figures += [
            Figure(name=f"class {index + 1}: size, KS to its training sizes",
                   value=ks(of_class, known.sizes[known.classes == index])),
            Figure(name=f"class {index + 1}: share inside its edges", value=float(inside.mean()), better="more"),
        ]  # fmt: skip
    figures.append(
        Figure(name="share of dark images: cleaning left no light", value=float((made == 0).mean()),
               baselines={name: float((data.sizes == 0).mean()) for name, data in compared.others().items()})
    )  # fmt: skip
    if compared.generated.first is not None:
        figures.append(
            Figure(name="share of its class at the first draw", value=compared.generated.first, better="more")
        )
    return figures


def shapes(compared: Compared) -> list[Figure]:
    """Hillas parameters, one by one and together."""
    held_out = hillas(compared.truth.held_out.images, compared.camera)
    made = hillas(compared.generated.images, compared.camera)
    others = {name: hillas(data.images, compared.camera) for name, data in compared.others().items()}
    figures = [
        Figure(name=f"{name}, KS to held-out gammas", value=ks(made[:, index], held_out[:, index]),
               baselines={other: ks(values[:, index], held_out[:, index]) for other, values in others.items()})
        for index, name in enumerate(PARAMETERS)
    ]  # fmt: skip

    def off(values: Array) -> float:
        return float(np.abs(correlations(values) - correlations(held_out)).max())

    figures.append(
        Figure(name="correlations between parameters, the largest difference", value=off(made),
               baselines={name: off(values) for name, values in others.items()})
    )  # fmt: skip
    return figures


def neighbours(compared: Compared) -> list[Figure]:
    """Whether images are copies of what was learnt from, or of each other."""
    known = compared.truth.trained_on.images
    made, true = some(compared.generated.images, LOOKED_AT), some(compared.truth.held_out.images, LOOKED_AT)
    apart, true_apart = nearest(made, known), nearest(true, known)
    if np.median(true_apart) < SAME:
        raise DamagedData(
            f"most held-out images (data {compared.truth.held_out.digest}) are also in the data that was trained on"
            f" ({compared.truth.trained_on.digest}), so no copy can be told from an image of one's own; remove both sets and"
            " they will be made again"
        )
    again = nearest(some(compared.truth.again.images, LOOKED_AT), known)
    suspect = np.quantile(true_apart, SUSPECT)
    return [
        Figure(name="suspiciously near to a training image", value=float((apart < suspect).mean()), target=2 * SUSPECT,
               baselines={AGAIN: float((again < suspect).mean())}),
        Figure(name="distance to the nearest training image, over the truth's",
               value=float(np.median(apart) / np.median(true_apart)), better="more",
               baselines={AGAIN: float(np.median(again) / np.median(true_apart))}),
        *diversity(compared),
    ]  # fmt: skip


def diversity(compared: Compared) -> list[Figure]:
    """How different images are from each other, and how far off that may be, as other events would have been drawn."""

    def of(data: Dataset) -> Spread:
        return spread(some(data.images, SPREAD_OF), some(data.rows, SPREAD_OF))

    held_out = of(compared.truth.held_out)
    if held_out.mean < SAME:
        raise DamagedData(
            f"the held-out images (data {compared.truth.held_out.digest}) are all the same; remove that set and it will be"
            " made again"
        )
    made = spread(some(compared.generated.images, SPREAD_OF)).over(held_out)
    others = {name: of(data).over(held_out) for name, data in compared.others().items()}
    return [
        Figure(name="diversity: distance between two images, over the truth's", value=made.mean, target=0.95,
               better="more", baselines={name: other.mean for name, other in others.items()}),
        Figure(name="diversity, its standard error", value=made.error,
               baselines={name: other.error for name, other in others.items()}),
    ]  # fmt: skip


def some(values: Array, count: int) -> Array:
    """So many of *values* (n, ...), the same on each call.

    By chance, whatever their order: every n-th of images that go through the classes would leave some classes out.
    """
    chosen = np.random.default_rng(CHOICE_SEED).permutation(len(values))[:count]
    return values[chosen]


STAGES: Mapping[str, Callable[[Compared], list[Figure]]] = {
    "judged": judged,
    "told_apart": told_apart,
    "sizes": sizes,
    "shapes": shapes,
    "neighbours": neighbours,
}


def measured(stage: str, compared: Compared) -> list[Figure]:
    """The figures of *stage*, which know how many images they are of."""
    return [replace(figure, events=compared.events) for figure in STAGES[stage](compared)]
