"""How long the agent may go on without hearing from the daemon."""

from dataclasses import dataclass

from idleq.ids import Millis

FREEZE_SHARE = 4
"""The last quarter of a lease is for freezing: when it is over, the daemon thaws elsewhere what ran here."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Permission to host guests for *length_ms* from *since* on: when the agent asked what the daemon then answered."""

    since: Millis
    length_ms: Millis

    @property
    def until(self) -> Millis:
        """When every guest must have stopped, unless it is renewed."""
        return Millis(self.since + self.length_ms)

    @property
    def freeze_at(self) -> Millis:
        """When guests are frozen because nobody has renewed it."""
        return Millis(self.until - self.length_ms // FREEZE_SHARE)

    def renewed(self, asked_at: Millis, length_ms: Millis) -> "Lease":
        """Return the lease after an answer to what was asked at *asked_at*; of several answers that to the last question.

        The daemon counts from when it was asked, which is later, so it never thinks a lease over that is not. A new one
        may be shorter than the one before: the daemon counts by the new one.
        """
        return Lease(asked_at, length_ms) if asked_at >= self.since else self
