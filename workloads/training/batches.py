"""The order in which a training sees its data: a new permutation each epoch, and a place in it that can be saved."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(slots=True, kw_only=True)
class BatchOrder:
    """An endless sequence of batches of event numbers; events that do not fill a batch wait for another epoch."""

    events: int
    batch: int
    random: np.random.Generator
    epoch: int
    cursor: int
    order: Array

    @classmethod
    def begin(cls, *, events: int, batch: int, random: np.random.Generator) -> Self:
        """The order before the first batch."""
        return cls(events=events, batch=batch, random=random, epoch=0, cursor=0, order=random.permutation(events))

    def next(self) -> Array:
        """The event numbers of the next batch, (batch,)."""
        if self.cursor + self.batch > self.events:
            self.epoch, self.cursor, self.order = self.epoch + 1, 0, self.random.permutation(self.events)
        chosen = self.order[self.cursor : self.cursor + self.batch]
        self.cursor += self.batch
        return chosen
