"""What a workload tells a person: plain lines on stderr, where they never mix with results."""

import sys


def say(text: str) -> None:
    """Write one line for a person."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
