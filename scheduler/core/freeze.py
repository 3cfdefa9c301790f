"""When to freeze: at a known end as late as is safe, at an unknown one by insurance."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

from msgspec import Struct

from idleq.ids import Fence, JobId, Millis

LEAST_INTERVAL_MS = Millis(1000)
"""Nobody saves more often, however little a save takes."""


class FreezeCost(Struct, frozen=True, gc=False):
    """What one freeze at the end of a gap takes.

    Attributes:
        latency_ms: time of its own, which others do not lengthen.
        transfer_ms: time of the shared path to the file system, which they do.
    """

    latency_ms: Millis
    transfer_ms: Millis


def pack_backwards(end: Millis, costs: Sequence[FreezeCost]) -> tuple[Millis, ...]:
    """Return when each freeze starts so that all are over at *end*, their transfers one after the other.

    The shortest transfer goes last: the sum of what all guests lose to waiting is least then.
    """
    starts = [Millis(0)] * len(costs)
    free_until = end
    order = [0] if len(costs) == 1 else sorted(range(len(costs)), key=lambda i: (costs[i].transfer_ms, i))
    for place in order:
        free_until = Millis(free_until - costs[place].transfer_ms)
        starts[place] = Millis(free_until - costs[place].latency_ms)
    return tuple(starts)


def save_interval_ms(save_ms: Millis, closures: int, exposure_ms: Millis) -> Millis:
    """Return how often to save against a loss without notice: sqrt(2 C / lambda).

    Young, "A first order approximation to the optimum checkpoint interval", CACM 17(9), 1974; lambda is the measured
    rate of such closures, *closures* in *exposure_ms* of gap time.
    """
    return Millis(max(isqrt(2 * save_ms * exposure_ms // closures), save_ms, LEAST_INTERVAL_MS))


def best_interval_ms(save_ms: Millis, mean_ms: Millis) -> Millis:
    """Return how long to work between two saves against a loss without notice that comes after *mean_ms* in the mean.

    Daly, "A higher order estimate of the optimum checkpoint interval for restart dumps", FGCS 22(3), 2006, equation 37: Young's
    interval is too long where saves are not short against that time. It is the series of what makes the most of a gap that may
    close at any time at that rate, (w + C) / M - 1 + exp(-(w + C) / M) = C / M, off by a quarter of a percent for C = 0.3 M.
    """
    least = save_ms if save_ms > LEAST_INTERVAL_MS else LEAST_INTERVAL_MS  # noqa: FURB136 - max takes three times as long
    if save_ms >= 2 * mean_ms:
        return least
    young = isqrt(2 * save_ms * mean_ms)
    best = Millis(young - 2 * save_ms // 3 + young * save_ms // (18 * mean_ms))
    return best if best > least else least  # noqa: FURB136 - as above


@dataclass(frozen=True, slots=True)
class Unsaved:
    """A guest that is to be frozen in a hurry.

    Attributes:
        job: whose.
        fence: which segment.
        unsaved_ms: work since its last save.
        bytes: what its snapshot weighs.
    """

    job: JobId
    fence: Fence
    unsaved_ms: Millis
    bytes: int


def preemption_order(guests: Sequence[Unsaved]) -> list[Unsaved]:
    """Return *guests* in the order in which to freeze them when time may not suffice: most unsaved work per byte first."""
    return sorted(guests, key=lambda guest: (-(guest.unsaved_ms * 1_000_000 // max(guest.bytes, 1)), guest.job))
