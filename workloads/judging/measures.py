"""How far two sets of images are apart, by several rulers; 0 (or an AUC of 0.5) where they are of one kind."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.stats import ks_2samp

Array = npt.NDArray[Any]

FOLDS = 2

# Images whose distances to all others are in memory at a time.
AT_ONCE = 500


@dataclass(frozen=True)
class Spread:
    """The mean distance between two images, and its standard error."""

    mean: float
    error: float

    def over(self, other: Self) -> Self:
        """This one over *other*."""
        ratio = self.mean / other.mean
        return type(self)(mean=ratio, error=float(np.hypot(self.error, ratio * other.error)) / other.mean)


def ks(one: Array, other: Array) -> float:
    """The largest distance between two distributions (Kolmogorov and Smirnov)."""
    found: Any = ks_2samp(one, other, method="asymp")  # a named tuple, of which its hints know nothing
    return float(found.statistic)


def separation(made: Array, true: Array, groups: Array, seed: int, made_groups: Array | None = None) -> float:
    """The AUC of boosted trees that learn to tell *made* from *true*, on events that they have not learnt from.

    Events of one table row (*groups* of the true ones, *made_groups* of the others where they have rows) are never on both
    sides of a fold: the trees would know them again.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import GroupKFold

    features = np.concatenate([true, made])
    is_made = np.arange(len(features)) >= len(true)
    own = groups.max() + 1 + np.arange(len(made))
    together = np.concatenate([groups, own if made_groups is None else made_groups])
    scores = np.empty(len(features))
    for learn, measure in GroupKFold(FOLDS, shuffle=True, random_state=seed).split(features, groups=together):
        trees = HistGradientBoostingClassifier(
            max_iter=150,
            learning_rate=0.08,
            early_stopping=False,  # pyright: ignore[reportArgumentType]  # inferred from the default "auto"; the library takes a bool too
            random_state=seed,
        )
        trees.fit(features[learn], is_made[learn])
        scores[measure] = trees.predict_proba(features[measure])[:, 1]
    return float(roc_auc_score(is_made, scores))


def nearest(images: Array, others: Array) -> Array:
    """The distance of each image (n, 609) to the nearest of *others*, in logarithms of light (n,)."""
    import torch  # as in `spread`

    light = torch.from_numpy(np.log1p(images, dtype=np.float64))
    pieces = torch.split(torch.from_numpy(others), AT_ONCE)
    apart = [torch.cdist(light, torch.log1p(some.double())).amin(dim=1) for some in pieces]
    found: Array = torch.stack(apart).amin(dim=0).numpy()
    return found


def spread(images: Array, groups: Array | None = None) -> Spread:
    """How far *images* (n, 609) are from each other, in logarithms of light: not at all where they are all alike.

    *groups* are events that are alike for being of one table row, and count as one for the error.
    """
    import torch  # products of matrices: scipy's pdist takes twenty times as long

    light = torch.from_numpy(np.log1p(images, dtype=np.float64))
    sums = [torch.cdist(some, light).sum(dim=1) for some in torch.split(light, AT_ONCE)]
    to_others: Array = torch.cat(sums).numpy() / (len(images) - 1)
    mean = float(to_others.mean())
    # Every image is in a pair twice, so that what it adds to the mean counts twice (Hoeffding, 1948).
    pulls = np.bincount(np.arange(len(images)) if groups is None else groups, weights=2 * (to_others - mean))
    return Spread(mean=mean, error=float(np.sqrt(np.square(pulls).sum()) / len(images)))


def correlations(parameters: Array) -> Array:
    """The rank correlations between the columns, above the diagonal."""
    ranks = parameters.argsort(axis=0, kind="stable").argsort(axis=0)
    matrix = np.asarray(np.corrcoef(ranks, rowvar=False))
    upper: Array = matrix[np.triu_indices_from(matrix, k=1)]
    return upper
