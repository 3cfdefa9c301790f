"""What the queue is told of how long jobs run: the users' limits, the truth, or a model of users."""

from enum import StrEnum

import numpy as np

from idleq.simulator.errors import ImpossibleParameters
from idleq.simulator.table import JobTable


class Estimates(StrEnum):
    """Where the limits come from that a queue plans with."""

    #: From the log.
    USER = "user"
    #: The run times themselves.
    PERFECT = "perfect"
    #: Drawn: run time x uniform(1, over), whole minutes (the f-model of Mu'alem and Feitelson, 2001).
    MODEL = "model"


def estimated(table: JobTable, estimates: Estimates, over: float = 3.0, seed: int = 1) -> JobTable:
    """Return *table* with the limits that *estimates* gives; none is shorter than the run.

    Raises:
        ImpossibleParameters: *over* is below 1.
    """
    match estimates:
        case Estimates.USER:
            return table
        case Estimates.PERFECT:
            return table.with_limits(table.run)
        case Estimates.MODEL:
            if not 1 <= over < float("inf"):
                raise ImpossibleParameters(f"users who ask for {over} times what they need: at least 1 is possible")
            draw = np.random.default_rng(seed)
            limit = np.ceil(table.run * draw.uniform(1, over, len(table)) / 60).astype(np.int64) * 60
            return table.with_limits(limit)
