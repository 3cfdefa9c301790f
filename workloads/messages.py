"""What a workload tells a person: plain lines on stderr, where they never mix with results."""

import sys
from contextlib import suppress


def say(text: str) -> None:
    """Write one line for a person; where nobody reads it any more, as Ctrl-C ends a whole pipeline, that is no failure."""
    with suppress(OSError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
