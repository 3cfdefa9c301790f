"""What people may want of jobs besides submitting, holding and ending them; inputs, as those are."""

from msgspec import Struct

from idleq.ids import JobId


class FreezeWished(Struct, frozen=True, kw_only=True, gc=False):
    """What runs of *target* shall be frozen now and wait for a release; what of it waits goes on as before, unlike with JobHeld."""

    target: JobId
    reason: str
