"""The two classical ways on the same events: a box in Hillas parameters, and boosted trees on all of them."""

from dataclasses import dataclass
from itertools import product
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from idleq.workloads.classifier.data import Events
from idleq.workloads.classifier.quality import FEWEST_GAMMAS
from idleq.workloads.iact.hillas import column

Array = npt.NDArray[Any]

# The parameters of the box: upper limits on each, of those that are tried.
BOX = ("width", "length", "alpha")
LIMITS_TRIED = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class HillasCut:
    """Images narrower, shorter and pointing nearer to the centre than the limits are gammas."""

    limits: tuple[float, ...]  # in the order of BOX

    @classmethod
    def choose(cls, events: Events) -> Self:
        """The limits with the largest Q that keep enough gammas."""
        gammas, hadrons = (_box(events.parameters[chosen]) for chosen in (events.is_gamma, ~events.is_gamma))
        tried = [np.quantile(gammas[:, index], np.linspace(0.5, 1, LIMITS_TRIED)) for index in range(len(BOX))]
        best, found = -1.0, tuple(float(limits[-1]) for limits in tried)
        for limits in product(*tried):
            kept = float((gammas <= limits).all(axis=1).mean())
            if kept >= FEWEST_GAMMAS:
                background = max(float((hadrons <= limits).all(axis=1).sum()), 0.5) / len(hadrons)
                if kept / background**0.5 > best:
                    best, found = kept / background**0.5, tuple(float(limit) for limit in limits)
        return cls(limits=found)

    def keeps(self, parameters: Array) -> Array:
        """Which events are gammas by it (n,)."""
        return np.asarray((_box(parameters) <= self.limits).all(axis=1))


def _box(parameters: Array) -> Array:
    return parameters[:, [column(name) for name in BOX]]


def boosted_scores(learn: Events, others: tuple[Events, ...], seed: int) -> list[Array]:
    """Gamma scores (n,) of each of *others* by trees that learnt from *learn*."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    trees = HistGradientBoostingClassifier(
        max_iter=200,
        learning_rate=0.05,
        l2_regularization=1.0,
        early_stopping=False,  # pyright: ignore[reportArgumentType] # scikit-learn's hints forget that it may be a boolean
        random_state=seed % 2**32,
    )
    trees.fit(learn.parameters, learn.is_gamma)
    return [trees.predict_proba(events.parameters)[:, 1] for events in others]
