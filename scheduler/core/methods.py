"""Which of two ways to freeze jobs of one kind turned out to cost less: from freezes of both, measured; nothing is tried for its own sake."""

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec import Struct

from idleq.ids import Millis
from idleq.scheduler.core.abilities import CRIU
from idleq.scheduler.core.recent import Recent, rank_of
from idleq.scheduler.core.snapshot import Snapshot
from idleq.scheduler.core.submission import FreezeMethod

ENOUGH = 4
"""So many freezes of each way are seen before they are compared."""

WORTH_TENTHS = 9
"""One way is quicker than the other if it takes less than so many tenths of its time; else fewer bytes decide."""

METHODS = (FreezeMethod.CRIU, FreezeMethod.APP)
"""The first is taken where nothing tells them apart, as it keeps all."""


class Cost(Struct, frozen=True, gc=False):
    """What the last freezes by one way took in the middle, and how many they are."""

    freezes: int
    freeze_ms: Millis
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """How freezes by each way went, and which is *preferred*: None as long as too few of either were seen."""

    criu: Cost
    app: Cost
    preferred: FreezeMethod | None


def method_of(snapshot: Snapshot) -> FreezeMethod:
    """Return what has made *snapshot*: what criu froze goes on only where criu is."""
    return FreezeMethod.CRIU if CRIU in snapshot.needs else FreezeMethod.APP


def chosen(freezes: Mapping[FreezeMethod, Recent]) -> Choice:
    """Return which way is preferred after these *freezes* by each."""
    criu, app = (_cost(freezes.get(method)) for method in METHODS)
    return Choice(criu=criu, app=app, preferred=_preferred(criu, app))


def _cost(freezes: Recent | None) -> Cost:
    if freezes is None:
        return Cost(0, Millis(0), 0)
    sizes = sorted(freezes.sizes)
    return Cost(len(sizes), freezes.quantile(500, Millis(0)), sizes[rank_of(500, len(sizes))])


def _preferred(criu: Cost, app: Cost) -> FreezeMethod | None:
    if min(criu.freezes, app.freezes) < ENOUGH:
        return None
    if app.freeze_ms * 10 < criu.freeze_ms * WORTH_TENTHS:
        return FreezeMethod.APP
    if criu.freeze_ms * 10 < app.freeze_ms * WORTH_TENTHS:
        return FreezeMethod.CRIU
    return FreezeMethod.APP if app.bytes < criu.bytes else FreezeMethod.CRIU
