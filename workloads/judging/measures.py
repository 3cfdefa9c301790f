"""How far two sets of images are apart, by several rulers; 0 (or an AUC of 0.5) where they are of one kind."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist, pdist
from scipy.stats import ks_2samp

Array = npt.NDArray[Any]

FOLDS = 2


def ks(one: Array, other: Array) -> float:
    """The largest distance between two distributions (Kolmogorov and Smirnov)."""
    found: Any = ks_2samp(one, other, method="asymp")  # a named tuple, of which its hints know nothing
    return float(found.statistic)


def separation(made: Array, true: Array, groups: Array, seed: int) -> float:
    """The AUC of boosted trees that learn to tell *made* from *true*, on events that they have not learnt from.

    Events of one table row (*groups* of the true ones) are never on both sides of a fold: the trees would know them again.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import GroupKFold

    features = np.concatenate([true, made])
    is_made = np.arange(len(features)) >= len(true)
    together = np.concatenate([groups, groups.max() + 1 + np.arange(len(made))])
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
    found: Array = cdist(np.log1p(images), np.log1p(others)).min(axis=1)
    return found


def spread(images: Array) -> float:
    """The mean distance between two of *images*, in logarithms of light: small where they are all alike."""
    return float(pdist(np.log1p(images)).mean())


def correlations(parameters: Array) -> Array:
    """The rank correlations between the columns, above the diagonal."""
    ranks = parameters.argsort(axis=0, kind="stable").argsort(axis=0)
    matrix = np.asarray(np.corrcoef(ranks, rowvar=False))
    upper: Array = matrix[np.triu_indices_from(matrix, k=1)]
    return upper
