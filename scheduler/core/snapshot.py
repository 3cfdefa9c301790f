"""What the core knows of a snapshot: enough to choose one and to reckon its cost."""

from msgspec import Struct

from idleq.ids import Fence, Millis, SnapshotId
from idleq.machines import Needs


class Snapshot(Struct, frozen=True, kw_only=True, gc=False):
    """What a freeze left.

    Attributes:
        id: its name in the snapshot store.
        fence: the segment that made it.
        digest: SHA-256 of its manifest, so that what is thawed is what was frozen.
        bytes: its size.
        taken_at: when it was published.
        run_ms: how long the job had run in all, up to the state it holds.
        step: how far the workload said it was by then; 0 if it does not say.
        needs: the abilities that a node must have for it to go on there.
        bound_to: what it needs of the machine that it is thawed on; None if any will do.
    """

    id: SnapshotId
    fence: Fence
    digest: str
    bytes: int
    taken_at: Millis
    run_ms: Millis
    step: int = 0
    needs: tuple[str, ...] = ()
    bound_to: Needs | None = None
