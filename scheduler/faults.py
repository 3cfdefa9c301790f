"""Which reports the engine fails on, so that one that it fails on again and again holds up nobody for ever."""

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import get_args

from idleq.scheduler.core.inputs import AgentInput, Input

REPORTS: tuple[type, ...] = get_args(AgentInput)

TRIES = 3
"""So often is a report decided about; it comes again, since its agent keeps what was not taken."""

MOST_KEPT = 10_000
"""Of more reports than that the oldest are tried again."""


@dataclass(slots=True)
class Faults:
    """How often the engine has failed on each report since the daemon started."""

    _failures: Counter[Hashable] = field(default_factory=Counter)

    def note(self, said: Input) -> bool:
        """The engine has failed on *said*; return whether it is set aside from now on. Only reports are."""
        if not isinstance(said, REPORTS):
            return False
        self._failures[said] += 1
        if len(self._failures) > MOST_KEPT:
            del self._failures[next(iter(self._failures))]
        return self.is_set_aside(said)

    def is_set_aside(self, said: Input) -> bool:
        """Whether the engine has failed on *said* too often to be asked again."""
        return isinstance(said, REPORTS) and self._failures[said] >= TRIES
