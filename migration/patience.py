"""For how long an engine is waited for: one whose runtime, monitor or criu was killed half-way may never answer."""

ANSWER_SECONDS = 30.0
"""Of what takes no longer the larger a guest or its image is: to look for it, to signal it, to remove it."""

START_SECONDS = 60.0
"""A start; where engines copy images, that takes longer the larger they are."""

BEGIN_SECONDS = 3.0
"""From a start to the guest's own program: two processes around it begin first, on a node that may be busy."""

FREEZE_SECONDS = 600.0
"""A freeze of much memory to a slow disk takes minutes."""

THAW_SECONDS, THAW_BYTES_PER_SECOND = 30.0, 10_000_000
"""What a thaw may take: so long, and so much longer for its images."""


def thaw_seconds(size: int, least: float = THAW_SECONDS) -> float:
    """Return how long a thaw of *size* bytes may take."""
    return least + size / THAW_BYTES_PER_SECOND
