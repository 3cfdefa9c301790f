"""What making a TOD may cost: nothing here needs a package, so that whoever tells of it can take it from here."""

from idleq.workloads.tods.instrument import DURATION_SECONDS

PRODUCTION_GOAL = 1e-4
"""The goal of the slides: making a TOD takes at most this share of the time that it covers."""


def share_of_length(seconds: float) -> float:
    """What *seconds* of one core for one TOD are of the time that it covers."""
    return seconds / DURATION_SECONDS
