"""What people may want of jobs besides submitting, holding and ending them; inputs, as those are."""

from msgspec import Struct

from idleq.ids import JobId, Millis, NodeName


class FreezeWished(Struct, frozen=True, kw_only=True, gc=False):
    """What runs of *target* shall be frozen now and wait for a release; what of it waits goes on as before, unlike with JobHeld."""

    target: JobId
    reason: str


class MoveWished(Struct, frozen=True, kw_only=True, gc=False):
    """The job *target* shall go on on another node: on *to*, if one is named."""

    target: JobId
    to: NodeName | None = None


class Move(Struct, frozen=True, gc=False):
    """Where a job that is moved may go on, as long as there is such a node.

    Attributes:
        off: the node that it was on.
        to: the only node that will do, None if all others will.
        until: when it goes on wherever it fits, since nothing has come of it.
    """

    off: NodeName
    to: NodeName | None
    until: Millis

    def allows(self, node: NodeName) -> bool:
        """Whether the job may go on on *node*."""
        return node == self.to if self.to is not None else node != self.off


class Changes(Struct, frozen=True, kw_only=True, gc=False):
    """What is to be another of jobs that are not over; None for what stays as it is, 0 for a duration that is not known or not limited any more."""

    priority: int | None = None
    expected_ms: Millis | None = None
    max_run_ms: Millis | None = None
    retries: int | None = None
    cores: int | None = None
    memory: int | None = None


class ChangeWished(Struct, frozen=True, kw_only=True, gc=False):
    """The jobs of *target*, a whole entry, shall be other than they were submitted."""

    target: JobId
    changes: Changes
