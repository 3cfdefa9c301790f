"""For how long an engine is waited for: one whose runtime, monitor or criu was killed half-way may never answer."""

ANSWER_SECONDS = 30.0
"""Of what takes no longer the larger a guest is: to start one, to look for it, to remove it."""

FREEZE_SECONDS = 600.0
"""A freeze of much memory to a slow disk takes minutes."""

THAW_SECONDS, THAW_BYTES_PER_SECOND = 30.0, 10_000_000
"""What a thaw may take: so long, and so much longer for its images."""


def thaw_seconds(size: int, least: float = THAW_SECONDS) -> float:
    """Return how long a thaw of *size* bytes may take."""
    return least + size / THAW_BYTES_PER_SECOND
