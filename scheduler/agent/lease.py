"""How long the agent may go on without hearing from the daemon."""

from dataclasses import dataclass

from idleq.ids import Millis

FREEZE_SHARE = 4
"""The last quarter of a lease is for freezing: when it is over, the daemon thaws elsewhere what ran here."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Permission to host guests until *until*; *length_ms* is how long it was when it was given."""

    until: Millis
    length_ms: Millis

    @property
    def freeze_at(self) -> Millis:
        """When guests are frozen because nobody has renewed it."""
        return Millis(self.until - self.length_ms // FREEZE_SHARE)

    def renewed(self, asked_at: Millis, length_ms: Millis) -> "Lease":
        """Return the lease after an answer to what was asked at *asked_at*; the daemon counts from later, never earlier."""
        return Lease(max(self.until, Millis(asked_at + length_ms)), length_ms)
